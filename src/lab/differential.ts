import { isEndProblem } from '../trace/end.ts'
import type { TraceRequest } from '../trace/request.ts'
import { clusterOf, manifestText } from './manifests.ts'
import type { Probe } from './probe.ts'
import { type Manifest, randomCluster } from './random-cluster.ts'
import { randomRequests } from './random-probe.ts'
import { isLabProblem, type LabKernel, type LabProblem } from './session.ts'
import { shrink } from './shrink.ts'
import { probesOf, type Verified, verify } from './verify.ts'

export interface DifferentialOptions {
  readonly clusters: number
  readonly probes: number
  readonly seed: number
  readonly everyBranch: number
  readonly kernel?: LabKernel
  readonly tell: (verified: Verified, cluster: number) => void
}

export interface Disagreement {
  readonly seed: number
  readonly verified: Verified
  /** The smallest cluster in which it was still seen, and the question, as a scenario file. */
  readonly scenario: string
}

export interface DifferentialResult {
  readonly results: readonly Verified[]
  readonly disagreements: readonly Disagreement[]
}

/** How many labs stand at once: while one is probed, the devices of the next come up. */
const atOnce = 3

/** Random clusters, random probes in each; what the kernel does otherwise is brought down to its least. */
export async function differential(options: DifferentialOptions): Promise<DifferentialResult | LabProblem> {
  const seeds = Array.from({ length: options.clusters }, (_, i) => options.seed * 1000 + i)
  const results: Verified[] = []
  const disagreements: Disagreement[] = []
  let problem: LabProblem | undefined
  const worker = async (): Promise<void> => {
    for (let seed = seeds.shift(); seed !== undefined && !problem; seed = seeds.shift()) {
      const done = await one(seed, options)
      if (isLabProblem(done)) {
        problem = { problem: `cluster ${seed}: ${done.problem}` }
        return
      }
      results.push(...done.results)
      disagreements.push(...done.disagreements)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return problem ?? { results, disagreements }
}

async function one(seed: number, options: DifferentialOptions): Promise<DifferentialResult | LabProblem> {
  const manifests = randomCluster(seed)
  const results = await verifyManifests(manifests, (cluster) => randomRequests(cluster, options.probes, seed), {
    everyBranch: options.everyBranch,
    ...(options.kernel && { kernel: options.kernel }),
    tell: (v) => options.tell(v, seed),
  })
  if (isLabProblem(results)) return results
  const disagreements: Disagreement[] = []
  for (const verified of results.filter((v) => v.outcome.kind === 'differs').slice(0, 2))
    disagreements.push({ seed, verified, scenario: await smallest(manifests, verified.probe, options.kernel) })
  return { results, disagreements }
}

type Requests = (cluster: Exclude<ReturnType<typeof clusterOf>, { problem: string }>) => readonly TraceRequest[]

async function verifyManifests(
  manifests: readonly Manifest[],
  requests: Requests,
  options: Parameters<typeof verify>[2],
): Promise<readonly Verified[] | LabProblem> {
  const cluster = clusterOf(manifests)
  if ('problem' in cluster) return cluster
  const probes = probesOf(cluster, requests(cluster))
  return isEndProblem(probes) ? probes : verify(cluster, probes, options)
}

async function smallest(
  manifests: readonly Manifest[],
  { asked }: Probe,
  kernel: LabKernel = 'running',
): Promise<string> {
  const stillDiffers = async (kept: readonly Manifest[]): Promise<boolean> => {
    const results = await verifyManifests(kept, () => [asked], { everyBranch: 0, kernel, tell: () => undefined })
    return !isLabProblem(results) && results.some((v) => v.outcome.kind === 'differs')
  }
  const least = await shrink(manifests, stillDiffers)
  return manifestText([...least, expectation(asked)])
}

/** What the kernel did is in the report; the verdict is for a person to fill in. */
function expectation({ from, to, protocol }: TraceRequest): Manifest {
  const expect = [{ from, to, ...(protocol === undefined ? {} : { protocol }), verdict: 'delivered' }]
  return {
    apiVersion: 'kubehop.dev/v1alpha1',
    kind: 'Expectation',
    metadata: { name: 'disagreement' },
    spec: { expect },
  }
}
