import type { Difference, Variant } from '../trace/compare.ts'

/** Where kube-proxy's modes answer differently; one line where they do not. */
export function formatComparison(variants: readonly Variant[], differences: readonly Difference[]): string {
  const names = variants.map(({ name }) => name)
  const [first] = variants
  const question = first ? questionText(first) : ''
  if (differences.length === 0) return `same       ${question}   in ${names.join(', ')}\n`
  const width = Math.max(...differences.flatMap((d) => d.answers.map(({ by }) => by.join(', ').length)))
  const lines = differences.flatMap(({ aspect, answers }) =>
    answers.map(
      ({ answer, by }, i) => `${(i === 0 ? aspect : '').padEnd(12)} ${by.join(', ').padEnd(width)}  ${answer}`,
    ),
  )
  return [`different  ${question}`, ...lines].map((line) => `${line}\n`).join('')
}

function questionText({ trace: { question } }: Variant): string {
  const { from, to } = question
  const name = (end: typeof from): string =>
    `${end.kind.toLowerCase()} ${end.namespace === undefined ? '' : `${end.namespace}/`}${end.name}`
  return `${name(from)} -> ${name(to)}${to.port === undefined ? '' : `:${to.port}`}`
}

/** The same for programs. */
export const formatComparisonJson = (variants: readonly Variant[], differences: readonly Difference[]): string =>
  `${JSON.stringify({ modes: variants.map(({ name }) => name), same: differences.length === 0, differences }, undefined, 2)}\n`
