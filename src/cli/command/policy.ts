import { planUnderlay } from '../../cluster/underlay.ts'
import type { Labels } from '../../kube/objects/meta.ts'
import type { Protocol } from '../../net/port.ts'
import { policyCluster } from '../../policy/cluster.ts'
import { isEndProblem } from '../../trace/end.ts'
import { askPolicy, type PolicyQuestion } from '../../trace/policy-question.ts'
import type { VirtualPodText } from '../../trace/policy-source.ts'
import { formatPolicyJson } from '../../view/policy-json.ts'
import { formatPolicyAnswer } from '../../view/policy-text.ts'
import type { Command } from '../arguments.ts'
import type { ExitCode, Io } from '../io.ts'
import { loadInput } from '../load.ts'
import { textOptions } from '../terminal.ts'

type PolicyCommand = Extract<Command, { command: 'policy' }>

export function runPolicy(args: PolicyCommand, io: Io): ExitCode {
  const question = questionOf(args)
  if (typeof question === 'string') {
    io.err(`kubehop: ${question}\n`)
    return 2
  }
  const loaded = loadInput(args.filename, args, io)
  if (!loaded) return 2
  const { store, settings } = loaded
  const underlay = planUnderlay(store.list('Node'), store.list('Underlay')[0])
  const answer = askPolicy({ objects: store, settings, underlay }, policyCluster(store), question)
  if (isEndProblem(answer)) {
    io.err(`kubehop: ${answer.problem}\n`)
    return 2
  }
  io.out(
    args.output === 'json' ? formatPolicyJson(answer, store) : formatPolicyAnswer(answer, store, textOptions(args, io)),
  )
  return answer.verdict === 'allowed' ? 0 : 1
}

/** The question, or what is wrong with it. */
function questionOf(args: PolicyCommand): PolicyQuestion | string {
  if (args.output !== undefined && args.output !== 'text' && args.output !== 'json')
    return `-o ${args.output}: expected text or json`
  const protocol = args.protocol?.toLowerCase()
  if (protocol !== undefined && !isProtocol(protocol))
    return `--protocol ${args.protocol}: expected tcp, udp, sctp or icmp`
  const { toPort } = args
  if (toPort !== undefined && !(Number.isInteger(toPort) && toPort >= 0 && toPort <= 65535))
    return `--to-port ${toPort}: expected a number from 0 to 65535`
  const from = virtualText(args.fromLabels, args.fromNamespace, '--from-labels', args.namespace)
  const to = virtualText(args.toLabels, args.toNamespace, '--to-labels', args.namespace)
  if (typeof from === 'string') return from
  if (typeof to === 'string') return to
  if (toPort !== undefined && !to)
    return `--to-port ${toPort}: only beside --to-labels; write the port of TO after a colon`
  const wanted = 2 - (from ? 1 : 0) - (to ? 1 : 0)
  if (args.ends.length !== wanted) return `policy takes ${wantedEnds(from, to)}, got ${args.ends.length || 'nothing'}`
  const [first = '', last = first] = args.ends
  return {
    ...{ from: from ?? first, to: to ?? last, namespace: args.namespace },
    ...(protocol !== undefined && { protocol }),
    ...(toPort !== undefined && { toPort }),
  }
}

const isProtocol = (text: string): text is Protocol => ['tcp', 'udp', 'sctp', 'icmp', 'icmpv6'].includes(text)

function wantedEnds(from: VirtualPodText | undefined, to: VirtualPodText | undefined): string {
  if (from && to) return 'no end beside --from-labels and --to-labels'
  if (from) return 'one end, TO, beside --from-labels'
  return to ? 'one end, FROM, beside --to-labels' : 'two ends, FROM and TO'
}

/** A pod that does not exist, where one of its options is given; or what is wrong with its labels. */
function virtualText(
  labels: string | undefined,
  podNamespace: string | undefined,
  option: string,
  namespace: string,
): VirtualPodText | string | undefined {
  if (labels === undefined && podNamespace === undefined) return undefined
  const parsed = parseLabels(labels ?? '')
  if (!parsed) return `${option} ${labels}: expected labels such as app=web,tier=front`
  return { labels: parsed, namespace: podNamespace ?? namespace }
}

function parseLabels(text: string): Labels | undefined {
  const parts = text.split(',').filter((t) => t.trim() !== '')
  const pairs = parts.map((t) => /^\s*([^=\s]+)\s*=\s*([^=\s]*)\s*$/.exec(t))
  if (pairs.some((m) => !m)) return undefined
  return Object.fromEntries(pairs.map((m) => [m?.[1] ?? '', m?.[2] ?? '']))
}
