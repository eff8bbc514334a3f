import { type Checked, holds } from '../../trace/check.ts'
import { escapeHtml } from '../escape-html.ts'

/** JUnit's XML as CI servers read it: a suite for each document, a case for each connection. Nothing is timed. */
export function formatJunit(results: readonly Checked[]): string {
  const suites = [...new Set(results.map((r) => r.expectation))].map((expectation) => {
    const own = results.filter((r) => r.expectation === expectation)
    const cases = own.map((r) => testCase(r, suiteName(r))).join('\n')
    const [first] = own
    return `  <testsuite ${attributes({ name: first ? suiteName(first) : '', ...counts(own), time: 0 })}>\n${cases}\n  </testsuite>`
  })
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites ${attributes({ name: 'kubehop', ...counts(results), time: 0 })}>\n${suites.map((s) => `${s}\n`).join('')}</testsuites>\n`
}

const suiteName = ({ expectation: { metadata } }: Checked): string =>
  metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`

const counts = (
  results: readonly Checked[],
): { readonly tests: number; readonly failures: number; readonly errors: 0 } => ({
  tests: results.length,
  failures: results.filter((r) => !holds(r)).length,
  errors: 0,
})

function testCase(result: Checked, suite: string): string {
  const { name, at, expected, differences, trace } = result
  const place = at ? { file: at.file, ...(at.line === undefined ? {} : { line: at.line }) } : {}
  const head = attributes({ name, classname: suite, ...place, time: 0 })
  if (holds(result)) return `    <testcase ${head}/>`
  const failure = attributes({ message: differences.join('; '), type: trace ? 'difference' : 'unusable' })
  const text = [`${expected.from} -> ${expected.to}`, ...differences].join('\n')
  return `    <testcase ${head}>\n      <failure ${failure}>${escapeHtml(text)}</failure>\n    </testcase>`
}

const attributes = (values: Readonly<Record<string, string | number>>): string =>
  Object.entries(values)
    .map(([key, value]) => `${key}="${escapeHtml(String(value)).replaceAll('\n', '&#10;').replaceAll('\t', '&#9;')}"`)
    .join(' ')
