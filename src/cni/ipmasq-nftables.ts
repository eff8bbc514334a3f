import { familyOf } from '../net/ip.ts'
import { formatPrefix, type InterfaceAddress, networkOf } from '../net/prefix.ts'
import { sha512Hex } from './digest.ts'
import type { NftTable } from './knft-dump.ts'

/** One attachment: a pod's interface in one network. */
export interface Attachment {
  readonly network: string
  readonly ifname: string
  readonly containerId: string
}

/** Rules of table `cni_plugins_masquerade`, each with the attachment that it belongs to. */
export type MasqChecks = readonly { readonly owner: Attachment; readonly rule: string }[]

/** ADD: rules of the same attachment give way to the new ones. */
export const addMasqChecks = (
  checks: MasqChecks,
  owner: Attachment,
  addresses: readonly InterfaceAddress[],
): MasqChecks => [
  ...deleteMasqChecks(checks, owner),
  ...addresses.map((address) => ({ owner, rule: masqCheck(owner, address) })),
]

/** DEL. */
export const deleteMasqChecks = (checks: MasqChecks, owner: Attachment): MasqChecks =>
  checks.filter((c) => hashOf(c.owner) !== hashOf(owner))

/** GC: what the network no longer has goes; other networks are left alone. */
export const collectMasqChecks = (checks: MasqChecks, network: string, valid: readonly Attachment[]): MasqChecks => {
  const keep = new Set(valid.map(hashOf))
  return checks.filter((c) => c.owner.network !== network || keep.has(hashOf(c.owner)))
}

export const masqueradeTable = (checks: MasqChecks): NftTable => ({
  family: 'inet',
  name: 'cni_plugins_masquerade',
  comment: 'Masquerading for plugins from github.com/containernetworking/plugins',
  chains: [
    {
      name: 'masq_checks',
      attributes: 'comment "Masquerade traffic from certain IPs to any (non-multicast) IP outside their subnet" ;',
      rules: checks.map((c) => c.rule),
    },
    {
      name: 'postrouting',
      attributes: 'type nat hook postrouting priority 100 ;',
      // The second blank is upstream's.
      rules: ['ip daddr == 224.0.0.0/4  return', 'ip6 daddr == ff00::/8  return', 'goto masq_checks'],
    },
  ],
})

function masqCheck(owner: Attachment, { ip, length }: InterfaceAddress): string {
  const keyword = familyOf(ip) === 'ipv4' ? 'ip' : 'ip6'
  const outside = `${keyword} daddr != ${formatPrefix(networkOf(ip, length))}`
  const text = `${hashOf(owner)}, net: ${owner.network}, if: ${owner.ifname}, id: ${owner.containerId}`
  return `${keyword} saddr == ${ip} ${outside} masquerade comment ${JSON.stringify(text)}`
}

/** By which the plugin finds its rules again. */
const hashOf = ({ network, ifname, containerId }: Attachment): string =>
  [network, `${ifname}:${containerId}`].map((text) => sha512Hex(text).slice(0, 16)).join('-')
