import type { Cluster } from '../cluster/cluster.ts'
import { addBit, emptySet } from '../policy/bitset.ts'
import type { PolicyCluster } from '../policy/cluster.ts'
import { type End, formatEnd } from '../policy/end.ts'
import { classify } from '../policy/end-class.ts'
import { portAt } from '../policy/port-sets.ts'
import { isEndProblem } from './end.ts'
import type { Destination, Judge } from './matrix.ts'
import type { MatrixEnd, MatrixGroup } from './matrix-groups.ts'
import type { MatrixPort } from './matrix-ports.ts'
import { nodeOf } from './policy-target.ts'
import { trace } from './run.ts'

export type Progress = (done: number, total: number) => void

interface Answer {
  readonly delivered: boolean
  readonly reason: string
}

/**
 * Answers by packets: each cell is traced through the emulated data plane, between one pod of each node and kind that
 * policies tell apart. `seed` draws what chance decides.
 */
export function dataplaneJudge(
  cluster: Cluster,
  policy: PolicyCluster,
  sources: readonly MatrixGroup[],
  destinations: readonly Destination[],
  options: { readonly seed: number; readonly progress: Progress },
): Judge {
  const members = [...sources, ...destinations].flatMap((g) => g.ends)
  const { atomOf, represent, size } = atomsByPlace(policy, members)
  const senders = new Set(sources.flatMap((g) => g.ends.map(atomOf)))
  const answers = new Map<string, Answer>()
  const ask = (from: number, to: number, port: MatrixPort): Answer => {
    const key = `${from} ${to} ${port.text}`
    const known = answers.get(key) ?? traced(cluster, represent(from), represent(to), port, options.seed)
    answers.set(key, known)
    return known
  }
  const pairs = pairsOf(sources, destinations, atomOf)
  pairs.forEach(({ from, to, port }, i) => {
    ask(from, to, port)
    options.progress(i + 1, pairs.length)
  })
  return {
    atomOf,
    open: (to, port) => {
      const set = emptySet(size)
      for (let from = 0; from < size; from++) if (senders.has(from) && ask(from, to, port).delivered) addBit(set, from)
      return set
    },
    reasons: (from, to, port) => [ask(from, to, port).reason],
  }
}

interface Pair {
  readonly from: number
  readonly to: number
  readonly port: MatrixPort
}

function pairsOf(
  sources: readonly MatrixGroup[],
  destinations: readonly Destination[],
  atomOf: Judge['atomOf'],
): readonly Pair[] {
  const from = [...new Set(sources.flatMap((g) => g.ends.map(atomOf)))]
  const to = new Map<string, Omit<Pair, 'from'>>()
  for (const d of destinations)
    for (const port of d.ports)
      for (const end of port.ends) to.set(`${atomOf(end)} ${port.text}`, { to: atomOf(end), port })
  return from.flatMap((a) => [...to.values()].map((t) => ({ from: a, ...t })))
}

/** Up to two members of each atom: a pod is not asked about itself. */
function atomsByPlace(
  { policies }: PolicyCluster,
  members: readonly MatrixEnd[],
): { readonly atomOf: Judge['atomOf']; readonly represent: (atom: number) => readonly End[]; readonly size: number } {
  const ends = [...new Set(members.map((m) => m.end))]
  const { classOf } = classify(policies, ends)
  const atoms = new Map<string, number>()
  const byEnd = new Map<End, number>()
  const representatives: End[][] = []
  for (const [i, end] of ends.entries()) {
    const key = end.kind === 'address' ? end.ip : `${classOf[i]} ${nodeOf(end)}`
    const atom = atoms.get(key) ?? representatives.push([]) - 1
    atoms.set(key, atom)
    byEnd.set(end, atom)
    const known = representatives[atom]
    if (known && known.length < 2) known.push(end)
  }
  return {
    atomOf: ({ end }) => byEnd.get(end) ?? 0,
    represent: (atom) => representatives[atom] ?? [],
    size: representatives.length,
  }
}

function traced(cluster: Cluster, from: readonly End[], to: readonly End[], port: MatrixPort, seed: number): Answer {
  const [a] = from
  const b = to.find((e) => e !== a) ?? to[0]
  if (!a || !b) return { delivered: false, reason: 'nobody' }
  const number = portAt(b, port.query)
  const result = trace(cluster, {
    from: endText(a),
    to: `${b.kind === 'address' && b.ip.includes(':') ? `[${b.ip}]` : endText(b)}${number === undefined ? '' : `:${number}`}`,
    namespace: 'default',
    protocol: port.query.protocol,
    seed,
  })
  if (isEndProblem(result)) return { delivered: false, reason: result.problem }
  const { verdict } = result
  return { delivered: verdict.result === 'delivered', reason: verdict.reason ?? verdict.result }
}

function endText(end: End): string {
  switch (end.kind) {
    case 'pod':
      return `pod/${end.pod.name}.${end.pod.namespace}`
    case 'node': {
      const [namespace = '', name] = formatEnd(end).split('/')
      return name === undefined ? `node/${end.node.name}` : `pod/${name}.${namespace}`
    }
    case 'address':
      return end.ip
  }
}
