import type { Cluster } from '../cluster/cluster.ts'
import type { ExpectedConnection } from '../kube/objects/kubehop.ts'
import type { Protocol } from '../net/port.ts'
import { isEndProblem } from './end.ts'
import { policyDifferences } from './policy-expectation.ts'
import { trace } from './run.ts'
import type { Branch, Hop, Trace } from './trace.ts'

/** What came of one expected connection. `differences` is empty when it holds. */
export interface ExpectationResult {
  readonly name: string
  readonly expected: ExpectedConnection
  readonly differences: readonly string[]
  readonly trace: Trace | undefined
}

export interface ExpectationOptions {
  readonly namespace: string
  readonly seed: number
}

/** Traces the connection and compares what happened with what is expected, field by field. */
export function checkExpectation(
  cluster: Cluster,
  expected: ExpectedConnection,
  options: ExpectationOptions,
): ExpectationResult {
  const name = expected.name ?? `${expected.from} -> ${expected.to}`
  const backend = expected.backend ?? (expected.backends ? 'all' : undefined)
  const result = trace(cluster, {
    from: expected.from,
    to: expected.to,
    namespace: options.namespace,
    seed: expected.seed ?? options.seed,
    ...(expected.protocol === undefined ? {} : { protocol: expected.protocol as Protocol }),
    ...(expected.size === undefined ? {} : { size: expected.size }),
    ...(expected.df === undefined ? {} : { df: expected.df }),
    ...(backend === undefined ? {} : { backend }),
  })
  if (isEndProblem(result)) return { name, expected, differences: [result.problem], trace: undefined }
  const differences = [...differencesOf(expected, result), ...policyDifferences(cluster, expected, options.namespace)]
  return { name, expected, differences, trace: result }
}

function differencesOf(expected: ExpectedConnection, actual: Trace): readonly string[] {
  const { verdict, branches } = actual
  const [branch] = branches
  const result = verdict.mixed ? 'mixed' : verdict.result
  return [
    ...differs(
      'verdict',
      expected.verdict,
      result,
      result === 'delivered' ? '' : ` (${verdict.reason}: ${verdict.sentence})`,
    ),
    ...(expected.reason === undefined ? [] : differs('reason', expected.reason, verdict.reason ?? 'none')),
    ...placeDifferences(expected, actual),
    ...(expected.backendReached === undefined ? [] : matchesName('backendReached', expected.backendReached, branch)),
    ...(expected.backends === undefined ? [] : backendDifferences(expected.backends, branches)),
    ...(expected.sourceSeen === undefined
      ? []
      : differs('sourceSeen', expected.sourceSeen, branch?.reached?.source.ip ?? 'nobody saw it')),
    ...(expected.peerSeen === undefined
      ? []
      : differs('peerSeen', expected.peerSeen, branch?.peerSeen?.ip ?? 'no answer')),
    ...(expected.passes === undefined ? [] : passDifferences(expected.passes, branch)),
    ...(expected.notes ?? []).flatMap((code) =>
      actual.notes.some((n) => n.code === code) ? [] : [`notes: no note has the code ${code}`],
    ),
  ]
}

const differs = (field: string, expected: string, actual: string, more = ''): readonly string[] =>
  expected === actual ? [] : [`${field}: expected ${expected}, got ${actual}${more}`]

function placeDifferences({ place }: ExpectedConnection, { verdict }: Trace): readonly string[] {
  if (!place) return []
  const actual = verdict.place
  const given = {
    node: actual?.node ?? actual?.netns,
    hook: actual?.hook?.toUpperCase(),
    table: actual?.table,
    chain: actual?.chain,
    device: actual?.device,
  }
  return (Object.keys(given) as (keyof typeof given)[]).flatMap((key) => {
    const wanted = place[key]
    return wanted === undefined ? [] : differs(`place.${key}`, wanted, given[key] ?? 'none')
  })
}

/** A backend by its pod's name, a beginning of it, its node or its address. */
function isBackend(text: string, branch: Branch | undefined): boolean {
  const { reached } = branch ?? {}
  if (!reached) return false
  const short = reached.name.split('/').pop() ?? ''
  return (
    [reached.name, short, reached.node, reached.address, `${reached.address}:${reached.port}`].includes(text) ||
    short.startsWith(`${text}-`) ||
    reached.name.startsWith(`${text}-`)
  )
}

const matchesName = (field: string, expected: string, branch: Branch | undefined): readonly string[] =>
  isBackend(expected, branch) ? [] : [`${field}: expected ${expected}, got ${branch?.reached?.name ?? 'none'}`]

/** Each expected backend is reached by some branch, and every branch reaches an expected one. */
function backendDifferences(expected: readonly string[], branches: readonly Branch[]): readonly string[] {
  const missing = expected.filter((e) => !branches.some((b) => isBackend(e, b)))
  const extra = branches
    .filter((b) => b.reached && !expected.some((e) => isBackend(e, b)))
    .flatMap((b) => b.reached?.name ?? [])
  return [
    ...missing.map((m) => `backends: no branch reaches ${m}`),
    ...extra.map((e) => `backends: ${e} is reached but not expected`),
  ]
}

function passDifferences(expected: readonly string[], branch: Branch | undefined): readonly string[] {
  const hops = (branch?.legs ?? []).flatMap((l) => l.hops)
  let at = 0
  for (const text of expected) {
    const found = hops.findIndex((hop, i) => i >= at && hopNames(hop).includes(text))
    if (found < 0)
      return [
        `passes: "${text}" is not passed${at > 0 ? ' after those before it' : ''}; hops are ${hops.map((h) => hopNames(h)[0]).join(', ')}`,
      ]
    at = found + 1
  }
  return []
}

/** What a person may call a hop: `node-a flannel.1`, `node-a FORWARD`, `pod shop/web-1`. */
export function hopNames(hop: Hop): readonly string[] {
  const where = hop.node ?? hop.netns
  switch (hop.place.kind) {
    case 'machine':
      return [`${hop.place.machine} ${hop.place.name}`]
    case 'device':
      return [`${where} ${hop.place.device}`]
    case 'hook':
      return [`${where} ${hop.place.hook.toUpperCase()}`]
    case 'route':
      return [`${where} route`]
    case 'wire':
      return [`wire ${hop.place.segment}`]
  }
}
