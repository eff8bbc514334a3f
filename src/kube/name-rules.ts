/**
 * The name syntax of apimachinery `pkg/util/validation`, each rule a predicate.
 * RFC 1123 label: lower case, digits, `-`; at most 63. RFC 1035 label: the same, with a letter first.
 */
const label1123 = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/
const label1035 = /^[a-z]([-a-z0-9]*[a-z0-9])?$/
const subdomain1123 = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const qualifiedPart = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/

export const isDns1123Label = (text: string): boolean => text.length <= 63 && label1123.test(text)
export const isDns1035Label = (text: string): boolean => text.length <= 63 && label1035.test(text)
export const isDns1123Subdomain = (text: string): boolean => text.length <= 253 && subdomain1123.test(text)

/** A label or annotation key: an optional DNS prefix, then at most 63 of letters, digits, `-`, `_`, `.`. */
export function isQualifiedName(text: string): boolean {
  const slash = text.indexOf('/')
  const name = text.slice(slash + 1)
  if (slash >= 0 && !isDns1123Subdomain(text.slice(0, slash))) return false
  return name.length <= 63 && qualifiedPart.test(name)
}

export const isLabelValue = (text: string): boolean => text === '' || (text.length <= 63 && qualifiedPart.test(text))
