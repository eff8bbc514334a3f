import { formatPath } from '../../kube/field-path.ts'
import { formatPlace, formatRef } from '../../kube/problem.ts'
import type { Finding } from '../../trace/lint/finding.ts'
import { paintFor } from '../paint.ts'
import type { TextOptions } from '../text.ts'

/** One finding in a line that editors follow, what to change beneath it; then how many there are. */
export function formatLint(findings: readonly Finding[], { colour }: Pick<TextOptions, 'colour'>): string {
  const paint = paintFor(colour)
  const lines = findings.flatMap((f) => [
    `${[placeText(f), paint.object(subjectText(f))].filter((t) => t !== '').join(': ')}`,
    `    ${f.level === 'error' ? paint.bad('error') : paint.change('warning')} ${paint.place(f.code)}  ${f.message}`,
    ...(f.fix === undefined ? [] : [`    ${paint.good('fix')} ${f.fix}`]),
  ])
  const count = (level: Finding['level']): number => findings.filter((f) => f.level === level).length
  const total =
    findings.length === 0
      ? 'no findings'
      : `${counted(count('error'), 'error')}, ${counted(count('warning'), 'warning')}`
  return `${[...lines, total].join('\n')}\n`
}

const counted = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? '' : 's'}`

const placeText = ({ at }: Finding): string => (at ? formatPlace(at) : '')

const subjectText = ({ object, path }: Finding): string =>
  [object ? formatRef(object) : '', path.length > 0 ? formatPath(path) : ''].filter((t) => t !== '').join(' ')
