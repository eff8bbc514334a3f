import { type PodNetworkKind, podNetworkKind } from '../cni/calico/environment.ts'
import { type Family, families, familyOf } from '../net/ip.ts'
import type { Protocol } from '../net/port.ts'
import type { PolicyCluster } from '../policy/cluster.ts'
import type { Connection } from '../policy/connection.ts'
import { type Decision, isAllowed, nearestMisses } from '../policy/decision.ts'
import { atFamily, commonFamilies, type End } from '../policy/end.ts'
import { classify } from '../policy/end-class.ts'
import { evaluate } from '../policy/evaluate.ts'
import type { Policy } from '../policy/policy.ts'
import { nearMissSentence, reasonSentence } from '../policy/sentence.ts'
import { calicoPoliciesNotJudged } from './calico-policy-note.ts'
import { type EndProblem, isEndProblem } from './end.ts'
import { type PolicyInput, policySource, type VirtualPodText } from './policy-source.ts'
import { type Candidate, dnsServiceText, nodeOf, policyTarget } from './policy-target.ts'
import type { Note } from './trace.ts'
import { type TunnelSource, tunnelSource } from './tunnel-source.ts'

/** May FROM open a connection to TO, as far as policies go? */
export interface PolicyQuestion {
  readonly from: string | VirtualPodText
  readonly to: string | VirtualPodText
  /** Of ends that name none. */
  readonly namespace: string
  readonly protocol?: Protocol
  /** Of a virtual destination. */
  readonly toPort?: number
}

export type PolicyVerdict = 'allowed' | 'denied' | 'mixed'

export interface PolicyAnswer {
  readonly from: string
  readonly to: string
  readonly protocol: Protocol
  readonly verdict: PolicyVerdict
  /** Connections that get the same answer for the same reasons are one case. */
  readonly cases: readonly PolicyCase[]
  /** The DNS lookup that has to come first, where TO is a name and it is not allowed. */
  readonly lookup?: PolicyAnswer
  readonly notes: readonly Note[]
}

export interface PolicyCase {
  readonly sources: readonly End[]
  readonly destinations: readonly End[]
  /** Those in which the connection was judged, with this answer. */
  readonly families: readonly Family[]
  readonly seen: SeenConnection
  readonly decision: Decision
}

/** The connection as each side sees it: addresses may be translated in between. */
export interface SeenConnection {
  readonly egress: Connection
  readonly ingress: Connection
}

export function askPolicy(
  input: PolicyInput,
  cluster: PolicyCluster,
  question: PolicyQuestion,
): PolicyAnswer | EndProblem {
  const { namespace, protocol } = question
  const source = policySource(question.from, input, cluster, namespace)
  if (isEndProblem(source)) return source
  const target = policyTarget(question.to, question.toPort, { input, cluster, source, namespace, protocol })
  if (isEndProblem(target)) return target
  const alike = sourcesAlike(cluster.policies, source.ends)
  const tunnel = tunnelSource(input)
  const judged = alike.flatMap(({ end, like }) =>
    target.candidates.flatMap((c) => judge(cluster, end, like, c, target.protocol, tunnel)),
  )
  if (judged.length === 0) return { problem: `${source.label} and ${target.label} have no address family in common` }
  const cases = grouped(judged)
  const lookup = target.name === undefined ? undefined : deniedLookup(input, cluster, question)
  return {
    from: source.label,
    to: target.label,
    protocol: target.protocol,
    verdict: lookup ? 'denied' : verdictOf(cases),
    cases,
    ...(lookup && { lookup }),
    notes: [
      ...target.notes,
      ...sourceNotes(cases, podNetworkKind(input.objects)),
      ...calicoPoliciesNotJudged(input.objects),
    ],
  }
}

function verdictOf(cases: readonly PolicyCase[]): PolicyVerdict {
  const allowed = cases.filter((c) => isAllowed(c.decision)).length
  return allowed === cases.length ? 'allowed' : allowed === 0 ? 'denied' : 'mixed'
}

/** A name has to be looked up: without DNS, the client never gets as far as the connection. */
function deniedLookup(input: PolicyInput, cluster: PolicyCluster, question: PolicyQuestion): PolicyAnswer | undefined {
  const dns = dnsServiceText(input)
  if (dns === undefined) return undefined
  const answer = askPolicy(input, cluster, { ...question, to: dns, protocol: 'udp' })
  return isEndProblem(answer) || answer.verdict === 'allowed' ? undefined : answer
}

interface Alike {
  readonly end: End
  readonly like: readonly End[]
}

/** Pods of a workload that policies can't tell apart are asked about once. */
function sourcesAlike(policies: readonly Policy[], ends: readonly End[]): readonly Alike[] {
  if (ends.length < 2) return ends.map((end) => ({ end, like: [end] }))
  const { classOf, representatives } = classify(policies, ends)
  return representatives.map((end, c) => ({ end, like: ends.filter((_, i) => classOf[i] === c) }))
}

/** One case for each address family that both ends have. */
function judge(
  cluster: PolicyCluster,
  source: End,
  like: readonly End[],
  candidate: Candidate,
  protocol: Protocol,
  tunnel: TunnelSource,
): readonly PolicyCase[] {
  const common =
    candidate.dialled && candidate.to.ip ? [familyOf(candidate.to.ip)] : commonFamilies(source, candidate.to)
  return common
    .filter((family) => commonFamilies(source, source).includes(family))
    .map((family) => {
      const seen = seenConnection(atFamily(source, family), candidate, protocol, family, cluster, tunnel)
      const egress = evaluate(cluster.policies, seen.egress)
      const ingress = seen.ingress === seen.egress ? egress : evaluate(cluster.policies, seen.ingress)
      return {
        sources: like,
        destinations: [seen.ingress.to],
        families: [family],
        seen,
        decision: { egress: egress.egress, ingress: ingress.ingress },
      }
    })
}

/**
 * Where a node stands between both ends, it translates the destination and, unless externalTrafficPolicy is Local, puts
 * itself in the client's place for endpoints elsewhere (KUBE-MARK-MASQ). A pod's packet to another node leaves with its own
 * node's address.
 */
function seenConnection(
  from: End,
  { to, port, dialled, entry }: Candidate,
  protocol: Protocol,
  family: Family,
  cluster: PolicyCluster,
  tunnel: TunnelSource,
): SeenConnection {
  const target = atFamily(to, family)
  const direct: Connection = {
    ...{ from: leaving(from, target, tunnel), to: target, protocol },
    ...(port !== undefined && { port }),
    ...(dialled && { dialled }),
  }
  if (!entry) return { egress: direct, ingress: direct }
  const gate = atFamily(entry.node, family)
  const home = nodeOf(from)
  const here = home === entry.node.node.name
  const sender = here || from.kind !== 'pod' ? from : (nodeEndOf(home, family, cluster) ?? from)
  const hidden = !entry.keepsClient && nodeOf(to) !== entry.node.node.name
  const ingress = { ...direct, from: hidden ? leaving(gate, target, tunnel) : sender }
  return { egress: here ? direct : { from, to: gate, protocol, port: entry.port }, ingress }
}

/** A node at the address that its packets to this pod carry. */
function leaving(from: End, to: End, tunnel: TunnelSource): End {
  if (from.kind !== 'node' || to.kind !== 'pod' || to.ip === undefined || to.pod.node === undefined) return from
  const ip = tunnel(from.node.name, to.pod.node, to.ip)
  return ip === undefined ? from : { ...from, ip }
}

function nodeEndOf(name: string | undefined, family: Family, cluster: PolicyCluster): End | undefined {
  const node = cluster.nodes.find((n) => n.name === name)
  return node && atFamily({ kind: 'node', node, ip: node.ips[0] }, family)
}

function grouped(cases: readonly PolicyCase[]): readonly PolicyCase[] {
  const groups = new Map<string, PolicyCase>()
  for (const one of cases) {
    const key = JSON.stringify([caseReasons(one), one.seen.ingress.port, one.sources.map((s) => endKey(s))])
    const known = groups.get(key)
    groups.set(key, known ? together(known, one) : one)
  }
  return [...groups.values()]
}

const together = (a: PolicyCase, b: PolicyCase): PolicyCase => ({
  ...a,
  destinations: unique([...a.destinations, ...b.destinations]),
  families: families.filter((f) => a.families.includes(f) || b.families.includes(f)),
})

const endKey = (end: End): string => (end.kind === 'pod' ? `${end.pod.namespace}/${end.pod.name}` : (end.ip ?? ''))

const unique = (ends: readonly End[]): readonly End[] => [...new Map(ends.map((e) => [endKey(e), e])).values()]

const caseReasons = ({ decision }: PolicyCase): readonly string[] =>
  [decision.egress, decision.ingress].flatMap((d) => [
    reasonSentence(d),
    ...d.unsettled,
    ...nearestMisses(d).map(({ policy, miss }) => nearMissSentence(policy.object, miss)),
  ])

/** Told where the destination's policies see somebody else than the client. */
function sourceNotes(cases: readonly PolicyCase[], network: PodNetworkKind): readonly Note[] {
  const hidden = cases.find(({ seen }) => seen.ingress.from.kind === 'node' && seen.egress.from.kind !== 'node')
  if (hidden?.seen.ingress.from.kind !== 'node') return []
  const { node, ip } = hidden.seen.ingress.from
  const message = `the pod does not see the client but node ${node.name}${ip === undefined ? '' : ` (${ip}${network === 'calico' ? ', or the address of its tunnel' : ''})`}: kube-proxy masquerades what comes in by a node port, unless externalTrafficPolicy is Local`
  return [{ level: 'warning', code: 'source-masqueraded', message }]
}
