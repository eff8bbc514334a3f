import type { Branch, Trace } from './trace.ts'

/** One cluster seen in one way: kube-proxy in one of its modes. */
export interface Variant {
  readonly name: string
  readonly trace: Trace
}

/** What two ways of carrying the same packet may differ in. */
export type Aspect = 'verdict' | 'reaches' | 'source seen' | 'peer seen'
const aspects: readonly Aspect[] = ['verdict', 'reaches', 'source seen', 'peer seen']

export interface Difference {
  readonly aspect: Aspect
  /** Each answer, and who gives it, in the order of the variants. */
  readonly answers: readonly { readonly answer: string; readonly by: readonly string[] }[]
}

/** Where the variants answer differently, over all branches; empty where they agree. */
export function compareTraces(variants: readonly Variant[]): readonly Difference[] {
  return aspects.flatMap((aspect) => {
    const answers = new Map<string, string[]>()
    for (const { name, trace } of variants) {
      const answer = answerOf(aspect, trace)
      answers.set(answer, [...(answers.get(answer) ?? []), name])
    }
    if (answers.size < 2) return []
    return [{ aspect, answers: [...answers].map(([answer, by]) => ({ answer, by })) }]
  })
}

/** Ports that chance draws are left out: only addresses are compared. */
export function answerOf(aspect: Aspect, { branches }: Trace): string {
  const said = branches.map((branch) => ofBranch(aspect, branch))
  return [...new Set(said)].sort().join('; ')
}

function ofBranch(aspect: Aspect, { verdict, reached, peerSeen }: Branch): string {
  switch (aspect) {
    case 'verdict':
      return verdict.reason === undefined ? verdict.result : `${verdict.result} (${verdict.reason})`
    case 'reaches':
      return reached ? `${reached.kind} ${reached.name} ${reached.address}:${reached.port ?? ''}` : 'nobody'
    case 'source seen':
      return reached ? reached.source.ip : 'none'
    case 'peer seen':
      return peerSeen ? peerSeen.ip : 'none'
  }
}
