import { buildCluster } from '../cluster/build.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { runControlPlane } from '../cluster/control-plane.ts'
import { loadManifests } from '../kube/load.ts'
import { formatProblem, isError } from '../kube/problem.ts'
import { stringifyYaml } from '../kube/yaml.ts'
import type { Manifest } from './random-cluster.ts'

/** Manifests as a file. */
export const manifestText = (manifests: readonly Manifest[]): string => manifests.map(stringifyYaml).join('---\n')

/** The cluster that manifests describe, or why they describe none. */
export function clusterOf(manifests: readonly Manifest[]): Cluster | { readonly problem: string } {
  const { store, settings, problems } = loadManifests([{ path: 'random.yaml', text: manifestText(manifests) }])
  const late = problems.some(isError) ? [] : runControlPlane(store, settings)
  const errors = [...problems, ...late].filter(isError).map(formatProblem)
  if (errors.length > 0) return { problem: errors.join('\n') }
  const built = buildCluster(store, settings)
  const wrong = built.problems.filter((p) => p.severity === 'error').map((p) => p.message)
  return wrong.length > 0 ? { problem: wrong.join('\n') } : built.cluster
}
