import { isDns1035Label, isDns1123Label, isDns1123Subdomain, isLabelValue, isQualifiedName } from '../name-rules.ts'
import type { KubeObject } from '../objects/meta.ts'
import { type Reporting, report } from './report.ts'

interface NameRule {
  readonly holds: (text: string) => boolean
  readonly words: string
}

const subdomain: NameRule = {
  holds: isDns1123Subdomain,
  words: 'lower-case letters, digits, "-" and "." (RFC 1123 subdomain, at most 253)',
}
const label1123: NameRule = {
  holds: isDns1123Label,
  words: 'lower-case letters, digits and "-" (RFC 1123 label, at most 63)',
}
const label1035: NameRule = {
  holds: isDns1035Label,
  words: 'lower-case letters, digits and "-", a letter first (RFC 1035 label, at most 63)',
}

/** Most names are subdomains; these are stricter, since they become DNS labels. */
const ruleFor = (kind: string): NameRule => {
  if (kind === 'Namespace') return label1123
  return kind === 'Service' ? label1035 : subdomain
}

/** Names, and the labels of an object. */
export function checkNames(checking: Reporting, object: KubeObject): void {
  const { name, namespace, labels } = object.metadata
  const rule = ruleFor(object.kind)
  if (!rule.holds(name))
    report(checking, object, ['metadata', 'name'], 'INVALID_NAME', { found: name, rule: rule.words })
  if (namespace !== undefined && !isDns1123Label(namespace)) {
    const args = { found: namespace, rule: label1123.words }
    report(checking, object, ['metadata', 'namespace'], 'INVALID_NAME', args)
  }
  for (const [key, value] of Object.entries(labels ?? {})) {
    const path = ['metadata', 'labels', key]
    if (!isQualifiedName(key)) {
      const rule = 'a label key: at most 63 letters, digits, "-", "_" or ".", after an optional DNS name and "/"'
      report(checking, object, path, 'INVALID_NAME', { found: key, rule })
    }
    if (!isLabelValue(value)) {
      const rule = 'a label value: at most 63 letters, digits, "-", "_" or "."'
      report(checking, object, path, 'INVALID_NAME', { found: value, rule })
    }
  }
}
