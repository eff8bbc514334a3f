import type { Cluster } from '../cluster/cluster.ts'
import { planUnderlay } from '../cluster/underlay.ts'
import type { Pod } from '../kube/objects/pod.ts'
import { matchesRequirements, parseLabelSelector } from '../kube/selector.ts'
import type { ObjectReader } from '../kube/store.ts'
import { parseIp } from '../net/ip.ts'
import type { Protocol } from '../net/port.ts'
import { hostPrefix, type Prefix, parsePrefix } from '../net/prefix.ts'
import { type PolicyCluster, policyCluster } from '../policy/cluster.ts'
import { formatEnd } from '../policy/end.ts'
import { type EndProblem, isEndProblem } from './end.ts'
import { buildMatrix, buildMatrixUpTo, type Destination, type Judge, type Matrix } from './matrix.ts'
import { dataplaneJudge, type Progress } from './matrix-dataplane.ts'
import { blockName, type Grouping, type MatrixGroup, outsideGroups, podGroups } from './matrix-groups.ts'
import { policyJudge } from './matrix-policy.ts'
import { parsePorts, portsOfGroup, servedPorts } from './matrix-ports.ts'
import type { Note } from './trace.ts'

export interface MatrixQuestion {
  readonly grouping: Grouping
  /** `80,443/tcp,dns`; absent for what destinations declare. */
  readonly ports?: string
  readonly protocol?: Protocol
  /** Addresses and blocks; `external` is the outside host, `none` nobody. */
  readonly outside: readonly string[]
  /** Label selectors; `namespace` limits both ways. */
  readonly from?: string
  readonly to?: string
  readonly namespace?: string
}

/** Both axes of a matrix, before anything is asked. */
export interface MatrixAxes {
  readonly cluster: PolicyCluster
  readonly sources: readonly MatrixGroup[]
  readonly destinations: readonly Destination[]
}

/** `cluster` is that of axes over the same objects, where there are some. */
export function matrixAxes(
  objects: ObjectReader,
  question: MatrixQuestion,
  cluster: PolicyCluster = policyCluster(objects),
): MatrixAxes | EndProblem {
  const [from, to] = [podFilter(question.from, question), podFilter(question.to, question)]
  if (isEndProblem(from)) return from
  if (isEndProblem(to)) return to
  const outside = outsideOf(objects, question.outside, cluster)
  if (isEndProblem(outside)) return outside
  const wish = parsePorts(question.ports, question.protocol, objects)
  if (isEndProblem(wish)) return wish
  const sources = podGroups(objects, cluster, question.grouping, from)
  const targets = from === to ? sources : podGroups(objects, cluster, question.grouping, to)
  if (sources.length === 0 || targets.length === 0)
    return {
      problem: `no running pod is selected${question.namespace === undefined ? '' : ` in namespace ${question.namespace}`}`,
    }
  const served = servedPorts(objects)
  const destinations = [...targets, ...outside].map((group) => ({
    ...group,
    ports: portsOfGroup(group, wish, question.protocol, served),
  }))
  return { cluster, sources: [...sources, ...outside], destinations }
}

type PodFilter = (pod: Pod) => boolean

const everyPod: PodFilter = () => true

function podFilter(selector: string | undefined, { namespace }: MatrixQuestion): PodFilter | EndProblem {
  if (selector === undefined && namespace === undefined) return everyPod
  const parsed = parseLabelSelector(selector ?? '')
  if (!parsed.ok) return { problem: `selector ${selector}: ${parsed.error.message}` }
  return ({ metadata }) =>
    (namespace === undefined || (metadata.namespace ?? 'default') === namespace) &&
    matchesRequirements(parsed.requirements, metadata.labels)
}

function outsideOf(
  objects: ObjectReader,
  texts: readonly string[],
  { policies, endAt }: PolicyCluster,
): readonly MatrixGroup[] | EndProblem {
  const blocks: { readonly name: string; readonly prefixes: readonly Prefix[] }[] = []
  for (const text of texts.length > 0 ? texts : ['external']) {
    if (text === 'none') continue
    if (text === 'external') {
      const [host] = planUnderlay(objects.list('Node'), objects.list('Underlay')[0]).hosts
      // The first address: one connection is of one family.
      const [address] = host?.addresses ?? []
      if (address) blocks.push({ name: `external (${address})`, prefixes: [hostPrefix(address)] })
      continue
    }
    const ip = parseIp(text)
    const owner = ip && endAt(ip)
    if (owner && owner.kind !== 'address')
      return { problem: `--outside ${text}: not outside: ${owner.kind} ${formatEnd(owner)} has this address` }
    const prefix = ip ? hostPrefix(ip) : text.includes('/') ? parsePrefix(text) : undefined
    if (!prefix)
      return { problem: `--outside ${text}: expected an address, a block such as 203.0.113.0/24, external or none` }
    blocks.push({ name: blockName(prefix), prefixes: [prefix] })
  }
  return outsideGroups(blocks, policies)
}

/** What the policies mean. A judge may serve axes that group the same pods differently. */
export function policyMatrix(
  axes: MatrixAxes,
  notes: readonly Note[] = [],
  judge: Judge = policyJudgeOf(axes),
): Matrix {
  return assemble(axes, judge, 'policy', notes)
}

/** As `policyMatrix`; undefined if it would have more than `mostKinds` rows or columns. */
export function policyMatrixUpTo(
  mostKinds: number,
  axes: MatrixAxes,
  notes: readonly Note[],
  judge: Judge,
): Matrix | undefined {
  const about = { method: 'policy' as const, notes: [...notes, ...axisNotes(axes)] }
  return buildMatrixUpTo(mostKinds, axes.sources, axes.destinations, judge, about)
}

export const policyJudgeOf = ({ cluster, sources, destinations }: MatrixAxes): Judge =>
  policyJudge(
    cluster,
    [...sources, ...destinations].flatMap((g) => g.ends),
  )

/** What packets do. */
export function dataplaneMatrix(
  axes: MatrixAxes,
  cluster: Cluster,
  options: { readonly seed: number; readonly progress: Progress },
  notes: readonly Note[] = [],
): Matrix {
  return assemble(axes, dataplaneJudgeOf(axes, cluster, options), 'dataplane', notes)
}

export const dataplaneJudgeOf = (
  axes: MatrixAxes,
  cluster: Cluster,
  options: { readonly seed: number; readonly progress: Progress },
): Judge => dataplaneJudge(cluster, axes.cluster, axes.sources, axes.destinations, options)

function assemble(axes: MatrixAxes, judge: Judge, method: Matrix['method'], notes: readonly Note[]): Matrix {
  return buildMatrix(axes.sources, axes.destinations, judge, { method, notes: [...notes, ...axisNotes(axes)] })
}

function axisNotes({ sources, destinations }: MatrixAxes): readonly Note[] {
  const onHost = sources.some((g) => g.ends.some((e) => e.end.kind === 'node'))
  const assumed = destinations.filter((d) => d.kind !== 'outside' && d.ports.some((p) => p.assumed)).map((d) => d.name)
  const names = `${assumed.slice(0, 3).join(', ')}${assumed.length > 3 ? ` and ${assumed.length - 3} more` : ''}`
  return [
    ...(onHost ? [info('host-network', hostNetworkMessage)] : []),
    ...(assumed.length > 0 ? [info('port-assumed', `no port is declared by ${names}: port 80 was asked about`)] : []),
  ]
}

const hostNetworkMessage =
  'host-network pods are their nodes to policy; a node always reaches the pods that run on it, which no cell counts'

const info = (code: string, message: string): Note => ({ level: 'info', code, message })
