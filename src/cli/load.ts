import { type AgentProblem, buildCluster } from '../cluster/build.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { runControlPlane } from '../cluster/control-plane.ts'
import { expandPaths } from '../kube/files.ts'
import { loadManifests } from '../kube/load.ts'
import { formatProblem, formatRef, isError, type Problem } from '../kube/problem.ts'
import type { ClusterSettings } from '../kube/settings.ts'
import type { ObjectStore } from '../kube/store.ts'
import { type Prefix, parsePrefix } from '../net/prefix.ts'
import type { LintInput } from '../trace/lint/lint.ts'
import type { CommonArguments } from './common-arguments.ts'
import type { Io } from './io.ts'

/** The input of a command, read and filled in. */
export interface LoadedInput {
  readonly store: ObjectStore
  readonly settings: ClusterSettings
}

/** Reads what `-f` names, runs the controllers, prints every problem; undefined when one of them is an error. */
export function loadInput(paths: readonly string[], args: CommonArguments, io: Io): LoadedInput | undefined {
  return readInput(paths, () => false, args, io)
}

/** `setAside`: problems that the caller tells in its own way, and that stop nothing. */
function readInput(
  paths: readonly string[],
  setAside: (problem: Problem) => boolean,
  args: CommonArguments,
  io: Io,
): (LoadedInput & { readonly aside: readonly Problem[] }) | undefined {
  const flags = settingFlags(args)
  if ('problem' in flags) {
    io.err(`kubehop: ${flags.problem}\n`)
    return undefined
  }
  if (paths.length === 0) {
    io.err('kubehop: no input: name manifests with -f FILE, -f DIRECTORY or -f - for standard input\n')
    return undefined
  }
  const { files, problems: fileProblems, leftOut } = expandPaths(paths, io.files)
  const applied = expandPaths(args.apply, io.files)
  const {
    store,
    settings,
    problems: loadProblems,
    ignored,
  } = loadManifests(files, { namespace: args.namespace, settings: flags.settings, applied: applied.files })
  const early = [...fileProblems, ...applied.problems, ...loadProblems]
  const late = early.some((p) => isError(p) && !setAside(p)) ? [] : runControlPlane(store, settings)
  const all = [...early, ...late]
  const failed = report(
    all.filter((p) => !setAside(p)),
    args,
    io,
  )
  tellIgnored(ignored, args, io)
  tellLeftOut(leftOut, args, io)
  return failed ? undefined : { store, settings, aside: all.filter(setAside) }
}

/** As `loadCluster`; problems that are findings, and what agents would log, come back instead of being printed. */
export function loadForLint(
  paths: readonly string[],
  isFinding: (problem: Problem) => boolean,
  args: CommonArguments,
  io: Io,
): LintInput | undefined {
  const loaded = readInput(paths, isFinding, args, io)
  if (!loaded) return undefined
  const { cluster, problems } = buildCluster(loaded.store, loaded.settings)
  const errors = problems.filter((p) => p.severity === 'error')
  for (const p of errors) io.err(`${formatAgentProblem(p, loaded.store)}\n`)
  return errors.length > 0 ? undefined : { cluster, problems: loaded.aside, agents: problems }
}

/** As `loadInput`, with every node's data plane worked out. */
export function loadCluster(paths: readonly string[], args: CommonArguments, io: Io): Cluster | undefined {
  const loaded = loadInput(paths, args, io)
  return loaded && builtCluster(loaded, args, io)
}

/** Every node's data plane of what was loaded; undefined when an agent cannot use it. */
export function builtCluster(loaded: LoadedInput, args: CommonArguments, io: Io): Cluster | undefined {
  const { cluster, problems } = buildCluster(loaded.store, loaded.settings)
  const shown = args.quiet ? problems.filter((p) => p.severity === 'error') : problems
  const line = (p: AgentProblem): string => formatAgentProblem(p, loaded.store)
  tell(shown, line, (p) => (p.severity === 'error' ? undefined : p.by), args, io)
  return problems.some((p) => p.severity === 'error') ? undefined : cluster
}

/** `cluster.yaml:12: ConfigMap kube-flannel/kube-flannel-cfg: net-conf.json: ... (flannel)`. */
function formatAgentProblem(p: AgentProblem, store: ObjectStore): string {
  const source = p.object && store.sourceOf(p.object)
  const place = source ? `${source.file}:${source.line}: ` : ''
  const object = p.object ? `${formatRef(p.object)}: ` : ''
  const field = p.field === undefined ? '' : `${p.field}: `
  return `${place}${p.severity === 'error' ? '' : 'warning: '}${object}${field}${p.message} (${p.by}${p.node === undefined ? '' : ` on ${p.node}`})`
}

/** Prints problems, each once; true when one is an error. Warnings give way to `-q`. */
function report(problems: readonly Problem[], args: CommonArguments, io: Io): boolean {
  const failed = problems.some(isError)
  const shown = args.quiet ? problems.filter(isError) : problems
  tell(shown, formatProblem, (p) => (isError(p) ? undefined : p.code), args, io)
  return failed
}

/** Warnings of one kind beyond this number are only counted: one cause can have as many as there are pods, or pairs of nodes. */
const mostAlike = 8

/** Each line once. Errors, which are of no kind, all of them. */
function tell<T>(
  problems: readonly T[],
  format: (problem: T) => string,
  kindOf: (problem: T) => string | undefined,
  { verbose }: CommonArguments,
  io: Io,
): void {
  const seen = new Map<string | undefined, number>()
  for (const [line, kind] of new Map(problems.map((p) => [format(p), kindOf(p)]))) {
    const count = (seen.get(kind) ?? 0) + 1
    seen.set(kind, count)
    if (kind === undefined || verbose > 0 || count <= mostAlike) io.err(`${line}\n`)
  }
  seen.delete(undefined)
  const left = [...seen.values()].reduce((sum, count) => sum + Math.max(0, count - mostAlike), 0)
  if (left > 0 && verbose === 0) io.err(`kubehop: ${left} more warnings like these; -v prints them all\n`)
}

function tellIgnored(ignored: ReadonlyMap<string, number>, args: CommonArguments, io: Io): void {
  if (ignored.size === 0 || args.quiet) return
  const total = [...ignored.values()].reduce((sum, n) => sum + n, 0)
  io.err(
    `kubehop: ${total} ${total === 1 ? 'object' : 'objects'} of kinds that are not read: ${[...ignored].map(([kind, n]) => `${n} ${kind}`).join(', ')}\n`,
  )
}

/** Directories of changes, unless they are applied. */
function tellLeftOut(leftOut: readonly string[], args: CommonArguments, io: Io): void {
  if (args.quiet) return
  const plain = (path: string): string => path.replace(/^(\.\/)+/, '').replace(/[\\/]+$/, '')
  const applied = args.apply.map(plain)
  for (const folder of leftOut) {
    const own = plain(folder)
    if (applied.some((path) => path === own || path.startsWith(`${own}/`))) continue
    io.err(`kubehop: ${folder} was left out: it holds changes to what is beside it; --apply ${folder} makes them\n`)
  }
}

type Flags = { readonly settings: Partial<ClusterSettings> } | { readonly problem: string }

function settingFlags(args: CommonArguments): Flags {
  const pods = networks('--pod-network', args.podNetwork)
  if (pods && 'problem' in pods) return pods
  const services = networks('--service-network', args.serviceNetwork)
  if (services && 'problem' in services) return services
  if (args.kubeVersion !== undefined && !/^v?1\.\d+(\.|$)/.test(args.kubeVersion))
    return { problem: `--kube-version ${args.kubeVersion}: expected a version such as 1.34` }
  return {
    settings: {
      ...(pods ? { podNetworks: pods.prefixes } : {}),
      ...(services ? { serviceNetworks: services.prefixes } : {}),
      ...(args.proxyMode ? { proxyMode: args.proxyMode } : {}),
      ...(args.kubeVersion === undefined ? {} : { kubeVersion: args.kubeVersion.replace(/^v/, '') }),
    },
  }
}

function networks(
  flag: string,
  text: string | undefined,
): { readonly prefixes: readonly Prefix[] } | { readonly problem: string } | undefined {
  if (text === undefined) return undefined
  const parts = text.split(',').map((t) => t.trim())
  const prefixes = parts.flatMap((t) => (t.includes('/') ? (parsePrefix(t) ?? []) : []))
  return prefixes.length === parts.length
    ? { prefixes }
    : { problem: `${flag} ${text}: expected CIDR blocks such as 10.244.0.0/16` }
}
