import { type Checked, holds } from '../../trace/check.ts'

/** Workflow commands of GitHub Actions: an annotation at the line of each expectation that does not hold, then how many. */
export function formatGithub(results: readonly Checked[]): string {
  const failed = results.filter((r) => !holds(r))
  const lines = failed.map(({ at, name, expected, differences }) => {
    const place = at ? [`file=${property(at.file)}`, ...(at.line === undefined ? [] : [`line=${at.line}`])] : []
    const text = [`${expected.from} -> ${expected.to}`, ...differences].join('\n')
    return `::error ${[...place, `title=${property(name)}`].join(',')}::${data(text)}`
  })
  return `${[...lines, `${results.length - failed.length} hold, ${failed.length} fail`].join('\n')}\n`
}

/** As the runner unescapes it (actions/toolkit, command.ts). */
const data = (text: string): string => text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
const property = (text: string): string => data(text).replaceAll(':', '%3A').replaceAll(',', '%2C')
