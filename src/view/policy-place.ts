import type { ObjectReader } from '../kube/store.ts'
import type { RuleResult } from '../policy/match.ts'
import { type Policy, type Rule, rulePath } from '../policy/policy.ts'

type Path = readonly (string | number)[]

/** Where in its object a rule stands, down to the entries that were compared: `spec.ingress[1].from[0]`. */
export function resultPaths({ rule, peer, port }: RuleResult, policy: Policy): readonly string[] {
  const portsField = policy.object.kind === 'ClusterNetworkPolicy' ? 'protocols' : 'ports'
  const paths = [
    ...(peer === undefined ? [] : [peerPath(rule, peer)]),
    ...(port === undefined ? [] : [[...rulePath(rule), portsField, port]]),
  ]
  return (paths.length > 0 ? paths : [rulePath(rule)]).map(formatPath)
}

const peerPath = (rule: Rule, peer: number): Path => [
  ...rulePath(rule),
  rule.direction === 'ingress' ? 'from' : 'to',
  peer,
]

const formatPath = (path: Path): string =>
  path.map((part, i) => (typeof part === 'number' ? `[${part}]` : i === 0 ? part : `.${part}`)).join('')

/** `policies.yaml:12`, of the rule, or of the whole object. */
export function placeOf(
  objects: Pick<ObjectReader, 'sourceOf'>,
  policy: Policy,
  rule?: Rule,
): { readonly file: string; readonly line: number } | undefined {
  const source = objects.sourceOf(policy.object.source)
  if (!source) return undefined
  return { file: source.file, line: rule ? source.lineOf(rulePath(rule)) : source.line }
}

export function formatPlace(objects: Pick<ObjectReader, 'sourceOf'>, policy: Policy, rule?: Rule): string {
  const place = placeOf(objects, policy, rule)
  return place ? `${place.file}:${place.line}` : ''
}
