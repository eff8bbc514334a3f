import type { Cluster } from '../cluster/cluster.ts'
import type { ExpectedConnection } from '../kube/objects/kubehop.ts'
import type { Protocol } from '../net/port.ts'
import type { EndProblem } from '../trace/end.ts'
import { isEndProblem } from '../trace/end.ts'
import type { TraceRequest } from '../trace/request.ts'
import { formatDifference } from './compare.ts'
import { type Probe, probeOf } from './probe.ts'
import { isLabProblem, type LabKernel, type LabProblem, type LabSession, type Outcome, openLab } from './session.ts'

export interface Verified {
  readonly probe: Probe
  readonly outcome: Outcome
  /** Of how many ways the kernel was made to take this one; undefined where chance decided. */
  readonly forced?: { readonly branch: number; readonly of: number }
}

export interface VerifyOptions {
  /** Besides letting chance decide, lead the packet along every branch (at most so many). */
  readonly everyBranch: number
  readonly kernel?: LabKernel
  readonly note?: (text: string) => void
  readonly tell: (verified: Verified) => void
}

/** First source port of the probes; each has its own, so that no connection is met twice. */
const firstPort = 40_001

/** The probes that requests ask for; a request whose ends are not there is a problem. */
export function probesOf(cluster: Cluster, requests: readonly TraceRequest[]): readonly Probe[] | EndProblem {
  const probes: Probe[] = []
  for (const [i, request] of requests.entries()) {
    const probe = probeOf(cluster, request, firstPort + i)
    if (isEndProblem(probe)) return probe
    probes.push(probe)
  }
  return probes
}

/** Builds the cluster from namespaces, sends every probe, compares, and takes the namespaces away. */
export async function verify(
  cluster: Cluster,
  probes: readonly Probe[],
  options: VerifyOptions,
): Promise<readonly Verified[] | LabProblem> {
  const network = cluster.network(outsideOf(probes))
  const lab = await openLab(network, 'v', options.kernel)
  if (isLabProblem(lab)) return lab
  for (const note of lab.notes) options.note?.(`kernel ${lab.kernel}: ${note}`)
  try {
    const results: Verified[] = []
    for (const probe of probes) {
      for (const verified of await verifyProbe(lab, probe, options)) {
        results.push(verified)
        options.tell(verified)
      }
    }
    return results
  } finally {
    await lab.close()
  }
}

/** Everything beyond the cluster that some probe asks for, each once. */
function outsideOf(probes: readonly Probe[]): Probe['outside'] {
  const all = probes.flatMap((p) => p.outside)
  const addresses = [...new Set(all.flatMap((o) => o.ip ?? []))]
  const sockets = new Map(all.flatMap(({ socket }) => (socket ? [[`${socket.protocol}/${socket.port}`, socket]] : [])))
  return [
    ...addresses.map((ip) => ({ ip, socket: undefined })),
    ...[...sockets.values()].map((socket) => ({ ip: undefined, socket })),
  ]
}

async function verifyProbe(
  lab: LabSession,
  probe: Probe,
  { everyBranch }: VerifyOptions,
): Promise<readonly Verified[]> {
  const first = await twice(lab, probe, undefined)
  const of = everyBranch > 0 && first.kind !== 'not comparable' ? lab.branches(probe) : 1
  if (of <= 1) return [{ probe, outcome: first }]
  const results: Verified[] = [{ probe, outcome: first }]
  for (let branch = 0; branch < Math.min(of, everyBranch); branch++)
    results.push({ probe, outcome: await twice(lab, probe, branch), forced: { branch, of } })
  return results
}

/** Errors about routes are rationed (ip_error: five, then one a second for each host), which no setting of a namespace undoes. */
const ration = 1100

/** A busy machine may be slower than the observer is patient, or errors run out: only what differs twice differs. */
async function twice(lab: LabSession, probe: Probe, branch: number | undefined): Promise<Outcome> {
  const outcome = await lab.probe(probe, branch)
  if (outcome.kind !== 'differs') return outcome
  await new Promise((resolve) => setTimeout(resolve, ration))
  const again = await lab.probe(probe, branch)
  return again.kind === 'differs' ? outcome : again
}

/** The connections of Expectations, as requests. */
export function requestOfExpectation(expected: ExpectedConnection, namespace: string, seed: number): TraceRequest {
  return {
    from: expected.from,
    to: expected.to,
    namespace,
    seed: expected.seed ?? seed,
    ...(expected.protocol === undefined ? {} : { protocol: expected.protocol as Protocol }),
  }
}

/** One probe in one line; with the first difference below it. */
export function formatVerified({ probe, outcome, forced }: Verified): string {
  const branch = forced ? ` (branch ${forced.branch + 1} of ${forced.of})` : ''
  switch (outcome.kind) {
    case 'agrees':
      return `agrees          ${probe.title}${branch}: ${[outcome.observed.outcome, ...outcome.observed.served].join(', ')}`
    case 'differs': {
      const { difference } = outcome.compared
      return `differs         ${probe.title}${branch}: ${outcome.observed.outcome}${difference ? `\n${formatDifference(difference)}` : ''}`
    }
    case 'not comparable':
      return `not comparable  ${probe.title}${branch}: ${outcome.why}`
  }
}

/** `12 agree, 0 differ, 1 not comparable here`. */
export function summary(results: readonly Verified[]): string {
  const count = (kind: Outcome['kind']): number => results.filter((r) => r.outcome.kind === kind).length
  return `${count('agrees')} agree, ${count('differs')} differ, ${count('not comparable')} not comparable here`
}
