import { matchesLabelSelector } from '../kube/selector.ts'
import { prefixContains } from '../net/prefix.ts'
import { type Connection, peerOf } from './connection.ts'
import type { End, PolicyPod } from './end.ts'
import { type Miss, selectorMisses } from './miss.ts'
import type { Peer, PodSet, Port, Rule } from './policy.ts'

/** Whether the rule holds for the connection, told as what keeps it from holding. It holds if there is nothing. */
export interface RuleResult {
  readonly rule: Rule
  /** Of the nearest entry each. */
  readonly misses: readonly Miss[]
  /** The entries that were nearest, by position; undefined where any end, or any port, will do. */
  readonly peer: number | undefined
  readonly port: number | undefined
}

export const holds = (result: RuleResult): boolean => result.misses.length === 0

/** A rule holds if one of its peers and one of its ports do. */
export function matchRule(rule: Rule, connection: Connection): RuleResult {
  const end = peerOf(connection, rule.direction)
  const peer = rule.peers === 'any' ? anything : nearest(rule.peers, (p) => peerMisses(p, end))
  const port = rule.ports === 'any' ? anything : nearest(rule.ports, (p) => portMisses(p, connection))
  return { rule, misses: [...peer.misses, ...port.misses], peer: peer.index, port: port.index }
}

interface Nearest {
  readonly misses: readonly Miss[]
  readonly index: number | undefined
}

const anything: Nearest = { misses: [], index: undefined }

/** The entry with the fewest misses; the first of equals. */
function nearest<T>(entries: readonly T[], missesOf: (entry: T) => readonly Miss[]): Nearest {
  let best: Nearest = { misses: [{ field: 'entry' }], index: undefined }
  for (const [index, entry] of entries.entries()) {
    const misses = missesOf(entry)
    if (best.index === undefined || misses.length < best.misses.length) best = { misses, index }
    if (misses.length === 0) break
  }
  return best
}

/** Whether a policy, or a peer of it, means this pod. */
export const selectsPod = (set: PodSet, pod: PolicyPod): boolean =>
  inNamespace(set, pod) && selectorsOf(set, pod).every(([selector, labels]) => matchesLabelSelector(selector, labels))

function podSetMisses(set: PodSet, pod: PolicyPod): Miss[] {
  const labels = selectorsOf(set, pod).flatMap((asked) => selectorMisses(...asked))
  if (inNamespace(set, pod)) return labels
  return [{ field: 'namespace', wants: set.namespace ?? '', found: pod.namespace }, ...labels]
}

const inNamespace = (set: PodSet, pod: PolicyPod): boolean =>
  set.namespace === undefined || set.namespace === pod.namespace

const selectorsOf = (set: PodSet, pod: PolicyPod): readonly Readonly<Parameters<typeof selectorMisses>>[] => [
  [set.podSelector, pod.labels, 'pod-label'],
  ...(set.namespaceSelector ? [[set.namespaceSelector, pod.namespaceLabels, 'namespace-label'] as const] : []),
]

export function peerMisses(peer: Peer, end: End): readonly Miss[] {
  switch (peer.kind) {
    case 'pods':
      return end.kind === 'pod' ? podSetMisses(peer.pods, end.pod) : [{ field: 'end', wants: 'pod', found: end.kind }]
    case 'nodes':
      if (end.kind !== 'node') return [{ field: 'end', wants: 'node', found: end.kind }]
      return selectorMisses(peer.selector, end.node.labels, 'node-label')
    case 'block':
      return blockMisses(peer, end)
    case 'networks':
      if (end.ip !== undefined && peer.networks.some((p) => end.ip && prefixContains(p, end.ip))) return []
      return [{ field: 'address', wants: peer.networks, found: end.ip }]
    case 'domains':
      return domainMisses(peer.names, end)
    case 'nothing':
      return [{ field: 'entry' }]
  }
}

/** Any address in the block, whosever it is: pods are not left out (as Calico, Antrea and the e2e tests have it). */
function blockMisses(block: Peer & { kind: 'block' }, { ip }: End): readonly Miss[] {
  if (ip === undefined || !prefixContains(block.cidr, ip)) return [{ field: 'address', wants: [block.cidr], found: ip }]
  const exception = block.except.find((p) => prefixContains(p, ip))
  return exception ? [{ field: 'except', wants: exception, found: ip }] : []
}

/** `*.example.com` is one or more labels before `example.com`; case and a last dot do not matter (DNS). */
function domainMisses(names: readonly string[], end: End): readonly Miss[] {
  const found = end.kind === 'address' ? end.domain : undefined
  const plain = (name: string): string => name.toLowerCase().replace(/\.$/, '')
  const matches = (pattern: string, name: string): boolean =>
    pattern.startsWith('*.') ? name.endsWith(pattern.slice(1)) && name.length >= pattern.length : name === pattern
  if (found !== undefined && names.some((name) => matches(plain(name), plain(found)))) return []
  return [{ field: 'domain', wants: names, found }]
}

function portMisses(port: Port, connection: Connection): readonly Miss[] {
  switch (port.kind) {
    case 'range':
      return rangeMisses(port, connection)
    case 'named':
      return namedPortMisses(port, connection)
    case 'nothing':
      return [{ field: 'entry' }]
  }
}

/** `name` is what the numbers come from. */
function rangeMisses(
  { protocol, from, to }: Omit<Port & { kind: 'range' }, 'kind'>,
  connection: Connection,
  name?: string,
): Miss[] {
  const { port, dialled } = connection
  const misses: Miss[] = []
  if (protocol !== connection.protocol) misses.push({ field: 'protocol', wants: protocol, found: connection.protocol })
  if (port === undefined || port < from || port > to) {
    const translated = dialled && dialled.port !== port ? { dialled: dialled.port } : {}
    misses.push({ field: 'port', wants: { from, to }, found: port, ...(name && { name }), ...translated })
  }
  return misses
}

/** A name is looked up on the destination, for ingress as for egress. A pod may give one name to several ports. */
function namedPortMisses(port: Port & { kind: 'named' }, connection: Connection): readonly Miss[] {
  const { to } = connection
  if (to.kind !== 'pod') return [{ field: 'port-name', wants: port.name, pod: false }]
  const declared = to.pod.ports.filter(
    (p) => p.name === port.name && (port.protocol === undefined || p.protocol === port.protocol),
  )
  if (declared.length === 0) return [{ field: 'port-name', wants: port.name, pod: true }]
  const entry = (p: { protocol: (typeof declared)[number]['protocol']; port: number }): readonly Miss[] =>
    rangeMisses({ protocol: p.protocol, from: p.port, to: p.port }, connection, port.name)
  return nearest(declared, entry).misses
}
