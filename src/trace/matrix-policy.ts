import { wordsFor } from '../policy/bitset.ts'
import type { PolicyCluster } from '../policy/cluster.ts'
import type { End } from '../policy/end.ts'
import { remembered } from '../policy/label-index.ts'
import { type ClassMatrix, type CompiledClasses, compileClasses } from '../policy/matrix.ts'
import { formatPolicyObject, type Policy } from '../policy/policy.ts'
import type { MatrixQuery } from '../policy/port-sets.ts'
import type { Judge } from './matrix.ts'
import type { MatrixEnd } from './matrix-groups.ts'
import { formatQuery } from './matrix-ports.ts'

/** Answers by what the policies mean. Atoms are classes of ends that no policy can tell apart. */
export function policyJudge({ policies }: PolicyCluster, members: readonly MatrixEnd[]): Judge {
  const ends = [...new Set(members.map((m) => m.end))]
  const classes = compileClasses(policies, ends)
  const atoms = new Map(ends.map((end, i) => [identityOf(end), classes.classOf[i] ?? 0]))
  const answers = new Map<string, PortAnswer>()
  const words = wordsFor(classes.representatives.length)
  let last: { readonly text: string; readonly answer: PortAnswer } | undefined
  const answerTo = (text: string, query: MatrixQuery): PortAnswer => {
    if (last?.text === text) return last.answer
    const answer = remembered(answers, formatQuery(query), () => portAnswer(classes, query))
    last = { text, answer }
    return answer
  }
  return {
    atomOf: ({ end }) => atoms.get(identityOf(end)) ?? 0,
    open: (to, port) => answerTo(port.text, port.query).matrix.inbound.subarray(to * words, (to + 1) * words),
    reasons: (from, to, port) => answerTo(port.text, port.query).reasons(from, to),
  }
}

/** Ends that are no objects are made anew for each pair of axes. */
const identityOf = (end: End): End | string => (end.kind === 'address' ? end.ip : end)

interface PortAnswer {
  readonly matrix: ClassMatrix
  reasons(from: number, to: number): readonly string[]
}

/** The policies that deny; where both directions allow, those that do. */
function portAnswer(classes: CompiledClasses, query: MatrixQuery): PortAnswer {
  const egress = classes.deciders('egress', query)
  const ingress = classes.deciders('ingress', query)
  const names = new Map<Policy, string>()
  const nameOf = (policy: Policy): string => remembered(names, policy, () => formatPolicyObject(policy.object))
  return {
    matrix: classes.query(query),
    reasons(from, to) {
      const [out, into] = [egress(from, to), ingress(to, from)]
      const deciding = out.allows === into.allows ? [...out.by, ...into.by] : out.allows ? into.by : out.by
      return [...new Set(deciding.map(nameOf))]
    },
  }
}
