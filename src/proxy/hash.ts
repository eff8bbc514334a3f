import { hash } from 'node:crypto'

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/**
 * The first `length` characters, a multiple of four, of the base32 text (RFC 4648 alphabet) of the SHA-256 of `text`:
 * how kube-proxy makes names that fit the kernel's limits (pkg/proxy/iptables/proxier.go: 16; pkg/proxy/nftables: 8).
 */
export function hashName(text: string, length: number): string {
  const hex = hash('sha256', text, 'hex')
  let name = ''
  for (let at = 0; name.length < length; at += 5) {
    const bits = Number.parseInt(hex.slice(at, at + 5), 16) // 20 of them, for four characters
    name += alphabet.charAt(bits >> 15) + alphabet.charAt((bits >> 10) & 31)
    name += alphabet.charAt((bits >> 5) & 31) + alphabet.charAt(bits & 31)
  }
  return name
}
