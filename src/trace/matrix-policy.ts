import { wordsFor } from '../policy/bitset.ts'
import type { PolicyCluster } from '../policy/cluster.ts'
import { allows, type Decision, type DirectionDecision } from '../policy/decision.ts'
import type { End } from '../policy/end.ts'
import { evaluate } from '../policy/evaluate.ts'
import { selectsPod } from '../policy/match.ts'
import { type ClassMatrix, compileClasses } from '../policy/matrix.ts'
import { formatPolicyObject, type Policy } from '../policy/policy.ts'
import { type MatrixQuery, portAt } from '../policy/port-sets.ts'
import type { Judge } from './matrix.ts'
import type { MatrixEnd } from './matrix-groups.ts'
import { formatQuery } from './matrix-ports.ts'

/** Answers by what the policies mean. Atoms are classes of ends that no policy can tell apart. */
export function policyJudge({ policies }: PolicyCluster, members: readonly MatrixEnd[]): Judge {
  const ends = [...new Set(members.map((m) => m.end))]
  const { classOf, representatives, query } = compileClasses(policies, ends)
  const atoms = new Map(ends.map((end, i) => [end, classOf[i] ?? 0]))
  const answers = new Map<string, ClassMatrix>()
  const answerTo = (asked: MatrixQuery): ClassMatrix => {
    const key = formatQuery(asked)
    const known = answers.get(key) ?? query(asked)
    answers.set(key, known)
    return known
  }
  const words = wordsFor(representatives.length)
  const selecting = new Map<number, readonly Policy[]>()
  const policiesOf = (atom: number): readonly Policy[] => {
    const known = selecting.get(atom) ?? selectingPolicies(policies, representatives[atom])
    selecting.set(atom, known)
    return known
  }
  let last: { readonly text: string; readonly answer: ClassMatrix } | undefined
  return {
    atomOf: ({ end }) => atoms.get(end) ?? 0,
    open(to, port) {
      if (last?.text !== port.text) last = { text: port.text, answer: answerTo(port.query) }
      return last.answer.inbound.subarray(to * words, (to + 1) * words)
    },
    reasons(from, to, port) {
      const [a, b] = [representatives[from], representatives[to]]
      if (!a || !b) return []
      const asked = [...new Set([...policiesOf(from), ...policiesOf(to)])]
      return decisive(evaluate(asked, connectionOf(a, b, port.query)))
    },
  }
}

const selectingPolicies = (policies: readonly Policy[], end: End | undefined): readonly Policy[] =>
  end?.kind === 'pod' ? policies.filter((p) => selectsPod(p.subject, end.pod)) : []

/** Between two different pods, though both may be represented by one. */
function connectionOf(a: End, to: End, query: MatrixQuery): Parameters<typeof evaluate>[1] {
  const from: End = a.kind === 'pod' ? { ...a, pod: { ...a.pod, virtual: true } } : a
  const port = portAt(to, query)
  return { from, to, protocol: query.protocol, ...(port !== undefined && { port }) }
}

/** The policies that deny; where both directions allow, those that do. */
function decisive({ egress, ingress }: Decision): readonly string[] {
  const both = [egress, ingress]
  const denying = both.filter((d) => !allows(d))
  const named = (denying.length > 0 ? denying : both).flatMap(policiesIn)
  return [...new Set(named.map((p) => formatPolicyObject(p.object)))]
}

function policiesIn({ reason }: DirectionDecision): readonly Policy[] {
  switch (reason.kind) {
    case 'rules-allow':
      return reason.by.map(({ policy }) => policy)
    case 'rule-denies':
      return [reason.by.policy]
    case 'isolated':
      return reason.policies
    case 'no-subject':
    case 'own-address':
    case 'own-node':
    case 'not-isolated':
      return []
  }
}
