import type { ObjectReader } from '../kube/store.ts'
import type { Ip } from '../net/ip.ts'
import { type Prefix, parsePrefix, prefixContains } from '../net/prefix.ts'

/** The node whose pods have the address, and their subnet. */
export function homeOf(
  objects: ObjectReader,
  address: Ip,
): { readonly node: string; readonly subnet: Prefix } | undefined {
  for (const { metadata, spec } of objects.list('Node')) {
    const texts = [...(spec?.podCIDRs ?? []), ...(spec?.podCIDR ? [spec.podCIDR] : [])]
    const subnet = texts.flatMap((text) => parsePrefix(text) ?? []).find((p) => prefixContains(p, address))
    if (subnet) return { node: metadata.name, subnet }
  }
  return undefined
}
