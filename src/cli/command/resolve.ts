import type { RecordType } from '../../dns/records.ts'
import { mayBeOutside, type Resolution, resolve } from '../../dns/resolve.ts'
import type { Pod } from '../../kube/objects/pod.ts'
import type { ObjectReader } from '../../kube/store.ts'
import { type EndProblem, findPod, findWorkloadPods, isEndProblem, parseEnd } from '../../trace/end.ts'
import { formatResolution, formatResolutionJson } from '../../view/resolution.ts'
import type { Command } from '../arguments.ts'
import type { ExitCode, Io } from '../io.ts'
import { loadInput } from '../load.ts'

type ResolveCommand = Extract<Command, { command: 'resolve' }>

export function runResolve(args: ResolveCommand, io: Io): ExitCode {
  const wrong = wrongArgument(args)
  if (wrong !== undefined) {
    io.err(`kubehop: ${wrong}\n`)
    return 2
  }
  const loaded = loadInput(args.filename, args, io)
  if (!loaded) return 2
  const pod = args.from === undefined ? undefined : podOf(loaded.store, args.from, args.namespace)
  if (pod && isEndProblem(pod)) {
    io.err(`kubehop: ${pod.problem}\n`)
    return 2
  }
  const resolution = resolve(loaded.store, loaded.settings, {
    name: args.name,
    ...(pod === undefined ? {} : { from: pod }),
    ...(args.type === undefined ? {} : { type: args.type.toUpperCase() as RecordType }),
  })
  const by = pod && `pod ${pod.metadata.namespace ?? 'default'}/${pod.metadata.name}`
  const format = args.output === 'json' ? formatResolutionJson : formatResolution
  io.out(format(resolution, { name: args.name, by }))
  return isFound(resolution) ? 0 : 1
}

/** Names of the world are taken to exist. */
const isFound = ({ outcome, answeredName = '' }: Resolution): boolean =>
  outcome === 'found' || (outcome === 'external' && mayBeOutside(answeredName))

function podOf(objects: ObjectReader, text: string, namespace: string): Pod | EndProblem {
  const end = parseEnd(text)
  if (isEndProblem(end)) return end
  switch (end.kind) {
    case 'pod':
      return findPod(objects, end.name, namespace)
    case 'workload': {
      const pods = findWorkloadPods(objects, end.workload ?? 'Deployment', end.name, namespace)
      return isEndProblem(pods) ? pods : (pods[0] ?? { problem: `${text} has no pod` })
    }
    default:
      return { problem: `--from ${text}: expected pod/NAME or a workload such as deploy/NAME` }
  }
}

const types: readonly RecordType[] = ['A', 'AAAA', 'SRV', 'CNAME']
const formats: readonly string[] = ['text', 'json']

function wrongArgument({ name, type, output }: ResolveCommand): string | undefined {
  if (type !== undefined && !types.some((t) => t === type.toUpperCase()))
    return `--type ${type}: expected one of ${types.join(', ')}`
  if (output !== undefined && !formats.includes(output)) return `-o ${output}: expected one of ${formats.join(', ')}`
  // RFC 1035 2.3.4; underscores as in `_http._tcp`. IPv6 addresses are names that need no DNS.
  if (!/^[a-z0-9_:]([a-z0-9_.:-]*[a-z0-9_:])?\.?$/i.test(name) || name.length > 254) return `"${name}" is no DNS name`
  return undefined
}
