import { createHash } from 'node:crypto'
import { type DeviceName, deviceName } from '../../artefact/link.ts'
import type { Family } from '../../net/ip.ts'
import { type Mac, macAt } from '../../net/mac.ts'

/** Longest chain name that Felix writes (felix/iptables, MaxChainNameLength). */
const longestChain = 28
/** Longest ipset name (IPSET_MAXNAMELEN less one). */
const longestSet = 31

/**
 * `prefix` + `id` where it fits; else a hash of the id, cut to `max` (libcalico-go/lib/hash/unique_id.go). An id that starts
 * with `_` and fits exactly might be such a hash, so it is hashed too.
 */
export function limitedId(prefix: string, id: string, max: number): string {
  const shown = id === '' ? '_' : id
  const length = prefix.length + shown.length
  if (length > max || (length === max && shown.startsWith('_'))) {
    return `${prefix}_${createHash('sha256').update(shown).digest('base64url')}`.slice(0, max)
  }
  return `${prefix}${shown}`
}

export const chainName = (prefix: string, id: string): string => limitedId(prefix, id, longestChain)

/** `cali` and 11 hex digits of SHA-1 over `namespace.pod` (workload_endpoint_default.go). */
export function caliName(namespace: string, pod: string, prefix = 'cali'): DeviceName {
  const digest = createHash('sha1').update(`${namespace}.${pod}`).digest('hex')
  return deviceName(`${prefix}${digest.slice(0, 11)}`)
}

/** MAC of a node's VXLAN device: 66 and five bytes of SHA-1 over its name (felix/calc/vxlan_resolver.go). */
export function vtepMac(node: string, family: Family): Mac {
  const digest = createHash('sha1')
    .update(family === 'ipv4' ? node : `${node}-v6`)
    .digest()
  return macAt([0x66, ...digest.subarray(0, 5)])
}

export const setName = (family: Family, id: string): string =>
  `cali${family === 'ipv4' ? 4 : 6}0${id}`.slice(0, longestSet)

/** `s:` + hash of `s:` + text: what names a set after the thing that it holds. */
export const hashedId = (prefix: string, text: string): string =>
  `${prefix}:${createHash('sha224').update(`${prefix}:${text}`).digest('base64url')}`

/**
 * The comments that tell Felix its own rules: each is the hash of its text and of the one before, so one changed rule
 * changes all after it (felix/generictables/rule_renderer.go).
 */
export function ruleHashes(chain: string, texts: readonly string[]): readonly string[] {
  let previous = createHash('sha224').update(chain).digest()
  return texts.map((text) => {
    previous = createHash('sha224')
      .update(previous)
      .update(`-A ${chain} HASH${text === '' ? '' : ` ${text}`}`)
      .digest()
    return previous.toString('base64url').slice(0, 16)
  })
}

/** A policy as group chains are named after it. */
export interface GroupedPolicy {
  readonly name: string
  readonly namespace: string
  readonly kind: string
}

/** Several policies of one selector share a chain (felix/rules/endpoints.go, PolicyGroup). Its name since 3.32. */
export function groupChain(
  selector: string,
  direction: 'inbound' | 'outbound',
  policies: readonly GroupedPolicy[],
): string {
  const items = policies.map((p) => `{Name: ${p.name}, Namespace: ${p.namespace}, Kind: ${p.kind}}`)
  return groupName(direction, [selector, direction, String(policies.length), ...items])
}

/** Up to 3.31 the tier comes first, and policies are plain names. */
export const olderGroupChain = (
  tier: string,
  selector: string,
  direction: 'inbound' | 'outbound',
  policies: readonly string[],
): string => groupName(direction, [tier, selector, direction, String(policies.length), ...policies])

function groupName(direction: 'inbound' | 'outbound', lines: readonly string[]): string {
  const text = lines.map((line) => `${line}\n`).join('')
  const digest = createHash('sha3-224').update(text).digest('base64url')
  return `cali-g${direction === 'inbound' ? 'i' : 'o'}-${digest.slice(0, 20)}`
}

/** FNV-1a would mix first; Go's fnv.New32 is FNV-1: multiply, then mix. */
export function fnv32(text: string): number {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(text)) hash = (Math.imul(hash, 0x01000193) ^ byte) >>> 0
  return hash
}
