import { createHash } from 'node:crypto'

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/**
 * The first `length` characters of the base32 text (RFC 4648 alphabet) of the SHA-256 of `text`: how kube-proxy makes
 * names that fit the kernel's limits (pkg/proxy/iptables/proxier.go: 16 characters; pkg/proxy/nftables: 8).
 */
export function hashName(text: string, length: number): string {
  const digest = createHash('sha256').update(text).digest()
  let name = ''
  let held = 0
  let bits = 0
  for (let i = 0; name.length < length; i++) {
    held = ((held << 8) | (digest[i] ?? 0)) & 0xffff
    bits += 8
    while (bits >= 5 && name.length < length) {
      bits -= 5
      name += alphabet[(held >> bits) & 31]
    }
  }
  return name
}
