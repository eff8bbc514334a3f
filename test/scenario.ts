import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildCluster } from '../src/cluster/build.ts'
import type { Cluster } from '../src/cluster/cluster.ts'
import { runControllers } from '../src/controllers/run.ts'
import { loadManifests } from '../src/kube/load.ts'
import { formatProblem } from '../src/kube/problem.ts'
import type { ManifestFile } from '../src/kube/read.ts'

export interface LoadedScenario {
  readonly cluster: Cluster
  readonly problems: readonly string[]
}

const scenarios = join(import.meta.dirname, '../scenarios')

/** A folder of `scenarios/`, with all that the controllers and agents make of it. */
export function loadScenario(name: string): LoadedScenario {
  const folder = join(scenarios, name)
  const files = readdirSync(folder)
    .filter((f) => f.endsWith('.yaml'))
    .sort()
  return loadText(...files.map((f) => ({ path: f, text: readFileSync(join(folder, f), 'utf8') })))
}

/** Manifests as text. */
export function loadText(...files: readonly ManifestFile[]): LoadedScenario {
  const { store, settings, problems } = loadManifests(files)
  const late = runControllers(store, settings)
  const built = buildCluster(store, settings)
  return {
    cluster: built.cluster,
    problems: [...[...problems, ...late].map(formatProblem), ...built.problems.map((p) => p.message)],
  }
}
