import { pathToFileURL } from 'node:url'
import { formatPath } from '../../kube/field-path.ts'
import { formatRef } from '../../kube/problem.ts'
import { lintCodes } from '../../trace/lint/codes.ts'
import type { Finding } from '../../trace/lint/finding.ts'

/** SARIF 2.1.0 (OASIS), as code scanning of forges takes it. `version`: of kubehop. */
export function formatSarif(findings: readonly Finding[], version: string): string {
  const rules = [...new Set(findings.map((f) => f.code))]
  const log = {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'kubehop',
            version,
            rules: rules.map((code) => ({
              id: code,
              shortDescription: { text: lintCodes[code].title },
              defaultConfiguration: { level: lintCodes[code].level },
            })),
          },
        },
        results: findings.map((f) => resultOf(f, rules.indexOf(f.code))),
        columnKind: 'utf16CodeUnits',
      },
    ],
  }
  return `${JSON.stringify(log, undefined, 2)}\n`
}

function resultOf({ code, level, message, fix, object, path, at }: Finding, ruleIndex: number): object {
  const field = path.length > 0 ? `: ${formatPath(path)}` : ''
  const about = object ? `${formatRef(object)}${field}: ` : ''
  const physical = at
    ? {
        physicalLocation: {
          artifactLocation: { uri: uriOf(at.file) },
          ...(at.line === undefined ? {} : { region: { startLine: at.line } }),
        },
      }
    : {}
  const logical = object
    ? { logicalLocations: [{ name: object.name, fullyQualifiedName: formatRef(object), kind: 'resource' }] }
    : {}
  return {
    ruleId: code,
    ruleIndex,
    level,
    message: { text: `${about}${message}${fix === undefined ? '' : `. Fix: ${fix}`}` },
    ...(at || object ? { locations: [{ ...physical, ...logical }] } : {}),
  }
}

/** Relative paths stay relative, so that the forge finds the file in its checkout. */
function uriOf(file: string): string {
  if (file.startsWith('/')) return pathToFileURL(file).href
  return file.replaceAll('\\', '/').replace(/^\.\//, '').split('/').map(encodeURIComponent).join('/')
}
