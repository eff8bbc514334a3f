import type { Cluster } from '../cluster/cluster.ts'
import { familyOf, type Ip } from '../net/ip.ts'
import type { Protocol } from '../net/port.ts'
import { parsePrefix, prefixContains } from '../net/prefix.ts'
import { type PolicyCluster, policyCluster } from '../policy/cluster.ts'
import { allows, type DirectionDecision } from '../policy/decision.ts'
import { atFamily, type End, formatEnd, nodeEnd } from '../policy/end.ts'
import { evaluate } from '../policy/evaluate.ts'
import { formatPolicyObject } from '../policy/policy.ts'
import type { Branch, EndView, Note, Reached } from './trace.ts'

export interface DeliveredConnection {
  readonly from: EndView
  readonly protocol: Protocol
  readonly dialled: { readonly ip: Ip; readonly port: number }
}

/** Where the CNI enforces no policy: the policies that should have stopped a connection which was delivered. */
export function unenforcedPolicies(
  cluster: Cluster,
  connection: DeliveredConnection,
  branches: readonly Branch[],
): readonly Note[] {
  if (cluster.enforcesPolicy) return []
  const known = policiesOf(cluster)
  if (known.policies.length === 0) return []
  const delivered = branches.filter((b) => b.verdict.result === 'delivered')
  const said = delivered.flatMap(({ reached }) => (reached ? denials(cluster, known, connection, reached) : []))
  return [...new Set(said)].map((text) => ({
    ...{ level: 'warning', code: 'policy-not-enforced' },
    message: `delivered though policies deny it, since ${cluster.cni} enforces none: ${text}`,
  }))
}

const remembered = new WeakMap<Cluster, PolicyCluster>()

export function policiesOf(cluster: Cluster): PolicyCluster {
  const known = remembered.get(cluster) ?? policyCluster(cluster.objects)
  remembered.set(cluster, known)
  return known
}

function denials(
  cluster: Cluster,
  known: PolicyCluster,
  { from, protocol, dialled }: DeliveredConnection,
  reached: Reached,
): readonly string[] {
  const source = sourceEnd(known, from, reached.source.ip)
  const to = reachedEnd(known, reached)
  const port = protocol === 'icmp' || protocol === 'icmpv6' ? undefined : reached.port
  const direct = {
    to,
    protocol,
    ...(port !== undefined && { port }),
    ...(dialled.ip !== reached.address && { dialled }),
  }
  const { egress } = evaluate(known.policies, { from: source, ...direct })
  const { ingress } = evaluate(known.policies, { from: seenEnd(cluster, known, source, reached.source.ip), ...direct })
  return [
    ...(allows(egress) ? [] : [denialText(egress, source)]),
    ...(allows(ingress) ? [] : [denialText(ingress, to)]),
  ]
}

function denialText({ direction, reason }: DirectionDecision, subject: End): string {
  const policies =
    reason.kind === 'isolated' ? reason.policies : reason.kind === 'rule-denies' ? [reason.by.policy] : []
  const names = policies.map((p) => formatPolicyObject(p.object))
  return `${names.join(', ')} (${direction} of ${subject.kind} ${formatEnd(subject)})`
}

function sourceEnd(known: PolicyCluster, { kind, namespace = '', name }: EndView, seen: Ip): End {
  const family = familyOf(seen)
  const node = known.nodes.find((n) => n.name === name)
  const end = kind === 'Pod' ? known.endOfPod(namespace, name) : kind === 'Node' && node ? nodeEnd(node) : undefined
  return end ? atFamily(end, family) : known.endAt(seen)
}

function reachedEnd(known: PolicyCluster, { kind, name, address }: Reached): End {
  const [namespace = '', pod = ''] = name.split('/')
  const end = kind === 'pod' ? known.endOfPod(namespace, pod) : undefined
  return end && end.kind !== 'address' ? { ...end, ip: address } : known.endAt(address)
}

/** The source as the server sees it: perhaps a node in its place, by an address of the node's pod network. */
function seenEnd(cluster: Cluster, known: PolicyCluster, source: End, seen: Ip): End {
  const own = source.kind === 'pod' ? source.pod.ips : source.kind === 'node' ? source.node.ips : [source.ip]
  if (own.includes(seen)) return { ...source, ip: seen }
  const end = known.endAt(seen)
  if (end.kind !== 'address') return end
  const holder = cluster.objects.list('Node').find(({ spec }) =>
    [...(spec?.podCIDRs ?? []), spec?.podCIDR ?? ''].some((text) => {
      const block = parsePrefix(text)
      return block !== undefined && prefixContains(block, seen)
    }),
  )
  const node = known.nodes.find((n) => n.name === holder?.metadata.name)
  return node ? { kind: 'node', node, ip: seen } : end
}
