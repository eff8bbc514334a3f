import type { AgentProblem } from '../../cluster/build.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { type Problem, sentence } from '../../kube/problem.ts'
import { isLintCode } from './codes.ts'
import type { Finding } from './finding.ts'
import { findingAt } from './finding.ts'
import { lintMtu } from './mtu.ts'
import { lintPolicies } from './policies.ts'
import { lintPorts } from './ports.ts'
import { lintServices } from './services.ts'
import { lintSysctls } from './sysctls.ts'
import { lintTopology } from './topology.ts'

/** What came of reading the objects and working out the nodes. */
export interface LintInput {
  readonly cluster: Cluster
  readonly problems: readonly Problem[]
  readonly agents: readonly AgentProblem[]
}

/** All that is wrong without a packet, each once, by file and line. */
export function lint({ cluster, problems, agents }: LintInput): readonly Finding[] {
  const { objects } = cluster
  const findings = [
    ...problems.flatMap(ofProblem),
    ...ofAgents(cluster, agents),
    ...lintServices(objects),
    ...lintPolicies(cluster),
    ...lintSysctls(cluster),
    ...lintMtu(cluster),
    ...lintTopology(cluster),
    ...lintPorts(objects),
  ]
  const distinct = new Map(findings.map((f) => [JSON.stringify([f.code, f.object, f.path, f.message]), f]))
  return [...distinct.values()].sort(byPlace)
}

/** A problem that lies between objects: each can be read, and together they are wrong. */
export const isFinding = ({ code }: Problem): boolean => isLintCode(code)

function ofProblem(p: Problem): readonly Finding[] {
  const { code } = p
  if (!isLintCode(code)) return []
  return [{ code, level: p.severity, object: p.object, path: p.path, at: p.at, message: sentence(p), fix: undefined }]
}

/** One cause can have as many warnings as there are pairs of nodes. */
const mostAlike = 8

function ofAgents(cluster: Cluster, problems: readonly AgentProblem[]): readonly Finding[] {
  return [...new Set(problems.map((p) => p.by))].flatMap((by) => {
    const own = problems.filter((p) => p.by === by).map((p) => ofAgent(cluster, p))
    const left = own.length - mostAlike
    const [last, ...before] = own.slice(0, mostAlike).reverse()
    if (!last || left <= 0) return own
    return [...before.reverse(), { ...last, message: `${last.message}; ${left} more of ${by} are left out` }]
  })
}

function ofAgent({ objects }: Cluster, { by, message, object, field, node }: AgentProblem): Finding {
  const said = `${field === undefined ? '' : `${field}: `}${message} (${by}${node === undefined ? '' : ` on ${node}`})`
  const about = object ?? (node === undefined ? undefined : { kind: 'Node', name: node })
  if (about) return findingAt(objects, about, 'AGENT', [], said)
  return { code: 'AGENT', level: 'warning', object: undefined, path: [], at: undefined, message: said, fix: undefined }
}

function byPlace(a: Finding, b: Finding): number {
  const [x, y] = [a.at?.file ?? '', b.at?.file ?? '']
  return x < y ? -1 : x > y ? 1 : (a.at?.line ?? 0) - (b.at?.line ?? 0)
}
