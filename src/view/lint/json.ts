import { formatPath } from '../../kube/field-path.ts'
import type { Finding } from '../../trace/lint/finding.ts'

/** The findings as JSON. Keys stay; what is not known is null. */
export function formatLintJson(findings: readonly Finding[]): string {
  const json = {
    apiVersion: 'kubehop/v1',
    kind: 'Lint',
    findings: findings.map((f) => ({
      code: f.code,
      level: f.level,
      object: f.object ?? null,
      field: f.path.length > 0 ? formatPath(f.path) : null,
      file: f.at?.file ?? null,
      line: f.at?.line ?? null,
      message: f.message,
      fix: f.fix ?? null,
    })),
  }
  return `${JSON.stringify(json, undefined, 2)}\n`
}
