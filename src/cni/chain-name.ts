import { createHash } from 'node:crypto'
import { sha512Hex } from './digest.ts'

/** Longest chain name that iptables takes (XT_EXTENSION_MAXNAMELEN less one). */
const maxChainLength = 28

/** plugins/pkg/utils FormatChainName: `CNI-` + prefix + hex(sha512(network + container ID)), cut to 28 characters. */
export const cniChainName = (network: string, containerId: string, prefix = ''): string =>
  `CNI-${prefix}${sha512Hex(network + containerId)}`.slice(0, maxChainLength)

/** kubelet hostport: `KUBE-HP-` + the first 16 characters of base32(sha256(sandbox ID + host port + protocol)). */
export const kubeletHostportChain = (sandboxId: string, hostPort: number, protocol: string): string =>
  `KUBE-HP-${base32(createHash('sha256').update(`${sandboxId}${hostPort}${protocol}`).digest()).slice(0, 16)}`

/** RFC 4648, section 6, upper case, without padding. */
function base32(bytes: Uint8Array): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
  const bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, '0')).join('')
  return (bits.match(/.{1,5}/g) ?? []).map((five) => alphabet[Number.parseInt(five.padEnd(5, '0'), 2)]).join('')
}
