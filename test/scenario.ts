import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildCluster } from '../src/cluster/build.ts'
import type { Cluster } from '../src/cluster/cluster.ts'
import { runControlPlane } from '../src/cluster/control-plane.ts'
import { loadManifests } from '../src/kube/load.ts'
import { formatProblem } from '../src/kube/problem.ts'
import type { ManifestFile } from '../src/kube/read.ts'

export interface LoadedScenario {
  readonly cluster: Cluster
  readonly problems: readonly string[]
}

const scenarios = join(import.meta.dirname, '../scenarios')

/** A folder of `scenarios/`, with all that the controllers and agents make of it. */
export const loadScenario = (name: string): LoadedScenario => load(manifestsIn(join(scenarios, name)))

export const hasFix = (name: string): boolean => existsSync(join(scenarios, name, 'fix'))

/** The same with its `fix/` applied: objects there replace their namesakes, and its Expectations take the place of all. */
export function loadFixed(name: string): LoadedScenario {
  const base = manifestsIn(join(scenarios, name)).filter((f) => f.path !== 'expectations.yaml')
  return load(base, manifestsIn(join(scenarios, name, 'fix')))
}

const manifestsIn = (folder: string): readonly ManifestFile[] =>
  readdirSync(folder)
    .filter((f) => f.endsWith('.yaml'))
    .sort()
    .map((f) => ({ path: f, text: readFileSync(join(folder, f), 'utf8') }))

/** Manifests as text. */
export const loadText = (...files: readonly ManifestFile[]): LoadedScenario => load(files)

function load(files: readonly ManifestFile[], applied: readonly ManifestFile[] = []): LoadedScenario {
  const { store, settings, problems } = loadManifests(files, { applied })
  const late = runControlPlane(store, settings)
  const built = buildCluster(store, settings)
  return {
    cluster: built.cluster,
    problems: [...[...problems, ...late].map(formatProblem), ...built.problems.map((p) => p.message)],
  }
}
