import { serviceEnv } from '../../controllers/service-env.ts'
import { findResource, resourceNames } from '../../kube/kinds.ts'
import { nearestNames } from '../../kube/nearest-names.ts'
import type { KubeObject } from '../../kube/objects/meta.ts'
import type { Pod } from '../../kube/objects/pod.ts'
import type { ObjectReader } from '../../kube/store.ts'
import { SelectorSyntaxError } from '../../kube/store.ts'
import { stringifyYaml } from '../../kube/yaml.ts'
import { formatObjects } from '../../view/objects.ts'
import type { Command } from '../arguments.ts'
import type { ExitCode, Io } from '../io.ts'
import { loadInput } from '../load.ts'

type GetCommand = Extract<Command, { command: 'get' }>

const formats = ['wide', 'yaml', 'json', 'name', 'env'] as const
/** What kubectl means by `all`, as far as it is read here. */
const allKinds = [
  'Pod',
  'Service',
  'DaemonSet',
  'Deployment',
  'ReplicaSet',
  'ReplicationController',
  'StatefulSet',
  'Job',
  'CronJob',
]

export function runGet(args: GetCommand, io: Io): ExitCode {
  if (args.output !== undefined && !formats.some((f) => f === args.output)) {
    io.err(`kubehop: -o ${args.output}: expected one of ${formats.join(', ')}\n`)
    return 2
  }
  const wanted = parseResources(args.resources)
  if ('problem' in wanted) {
    io.err(`kubehop: ${wanted.problem}\n`)
    return 2
  }
  if (args.output === 'env' && wanted.kinds.some((k) => k.kind !== 'Pod')) {
    io.err('kubehop: -o env: only pods have an environment\n')
    return 2
  }
  const loaded = loadInput(args.filename, args, io)
  if (!loaded) return 2
  try {
    return print(
      wanted.kinds.map((k) => select(loaded.store, k, args)),
      loaded.store,
      args,
      io,
    )
  } catch (error) {
    if (!(error instanceof SelectorSyntaxError)) throw error
    io.err(`kubehop: ${error.message}\n`)
    return 2
  }
}

interface Wanted {
  readonly kind: string
  readonly namespaced: boolean
  readonly names: readonly string[]
}

/** `pods`, `pods web-1 web-2`, `pod/web-1 svc/web`, `pods,svc`, `all`. */
function parseResources(
  words: readonly string[],
): { readonly kinds: readonly Wanted[] } | { readonly problem: string } {
  const [first = '', ...names] = words
  if (words.some((w) => w.includes('/'))) {
    const kinds: Wanted[] = []
    for (const word of words) {
      const [kindText = '', name = ''] = word.split('/')
      const kind = resolveKind(kindText)
      if ('problem' in kind) return kind
      if (name === '') return { problem: `${word}: expected KIND/NAME` }
      kinds.push({ ...kind, names: [name] })
    }
    return { kinds }
  }
  const kinds: Wanted[] = []
  for (const text of first.split(',').flatMap((t) => (t === 'all' ? allKinds : [t]))) {
    const kind = resolveKind(text)
    if ('problem' in kind) return kind
    kinds.push({ ...kind, names })
  }
  return { kinds }
}

function resolveKind(
  text: string,
): { readonly kind: string; readonly namespaced: boolean } | { readonly problem: string } {
  const found = findResource(text)
  if (found) return { kind: found.kind, namespaced: found.namespaced }
  const near = nearestNames(text, resourceNames())
  return { problem: `no kind of object is called "${text}"${near.length > 0 ? `; nearest: ${near.join(', ')}` : ''}` }
}

interface Selected extends Wanted {
  readonly objects: readonly KubeObject[]
  readonly missing: readonly string[]
}

function select(store: ObjectReader, wanted: Wanted, args: GetCommand): Selected {
  const listed = store.listAll(wanted.kind, {
    ...(wanted.namespaced && !args.allNamespaces ? { namespace: args.namespace } : {}),
    ...(args.selector === undefined ? {} : { labelSelector: args.selector }),
    ...(args.fieldSelector === undefined ? {} : { fieldSelector: args.fieldSelector }),
  })
  const objects =
    wanted.names.length === 0 ? listed : wanted.names.flatMap((n) => listed.filter((o) => o.metadata.name === n))
  return { ...wanted, objects, missing: wanted.names.filter((n) => !listed.some((o) => o.metadata.name === n)) }
}

function print(selected: readonly Selected[], store: ObjectReader, args: GetCommand, io: Io): ExitCode {
  const objects = selected.flatMap((s) => s.objects)
  switch (args.output) {
    case 'json':
      io.out(`${JSON.stringify(listOf(objects, selected), undefined, 4)}\n`)
      break
    case 'yaml':
      io.out(stringifyYaml(listOf(objects, selected)))
      break
    case 'name':
      for (const o of objects) io.out(`${o.kind.toLowerCase()}/${o.metadata.name}\n`)
      break
    case 'env':
      io.out(environments(selected, store))
      break
    default:
      io.out(tables(selected, args))
  }
  for (const s of selected)
    for (const name of s.missing)
      io.err(
        `kubehop: no ${s.kind} "${name}"${s.namespaced && !args.allNamespaces ? ` in namespace "${args.namespace}"` : ''}\n`,
      )
  if (objects.length === 0 && selected.every((s) => s.missing.length === 0))
    io.err(`kubehop: nothing found${args.allNamespaces ? '' : ` in namespace "${args.namespace}"`}\n`)
  return selected.some((s) => s.missing.length > 0) ? 2 : 0
}

/** What `env` shows of Services in each pod; a comment names the pod where there are several. */
function environments(selected: readonly Selected[], store: ObjectReader): string {
  const pods = selected.flatMap((s) => s.objects as readonly Pod[])
  const variables = (pod: Pod): string =>
    serviceEnv(store, pod)
      .map((v) => `${v.name}=${v.value}\n`)
      .join('')
  return pods
    .map(
      (p) =>
        `${pods.length > 1 ? `# pod ${p.metadata.namespace ?? 'default'}/${p.metadata.name}\n` : ''}${variables(p)}`,
    )
    .join('\n')
}

function tables(selected: readonly Selected[], args: GetCommand): string {
  const full = selected.filter((s) => s.objects.length > 0)
  return full
    .map((s) =>
      formatObjects(s.kind, s.objects, {
        wide: args.output === 'wide',
        namespaceColumn: args.allNamespaces && s.namespaced,
        showLabels: args.showLabels,
        headers: !args.noHeaders,
      }),
    )
    .join('\n')
}

/** One object that was named stands alone; anything else is a List, as kubectl prints it. */
function listOf(objects: readonly KubeObject[], selected: readonly Selected[]): unknown {
  const [only] = objects
  const named = selected.length === 1 && selected[0]?.names.length === 1
  return named && only ? only : { apiVersion: 'v1', kind: 'List', items: objects }
}
