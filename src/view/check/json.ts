import { type Checked, holds } from '../../trace/check.ts'
import { verdictJson } from '../json.ts'

/** Keys stay; what is not known is null. `verdict` is that of a trace, as `trace.schema.json` describes it. */
export function formatCheckJson(results: readonly Checked[]): string {
  const failed = results.filter((r) => !holds(r)).length
  const json = {
    apiVersion: 'kubehop/v1',
    kind: 'Check',
    total: results.length,
    failed,
    results: results.map((r) => ({
      name: r.name,
      expectation: { namespace: r.expectation.metadata.namespace ?? null, name: r.expectation.metadata.name },
      file: r.at?.file ?? null,
      line: r.at?.line ?? null,
      from: r.expected.from,
      to: r.expected.to,
      holds: holds(r),
      differences: r.differences,
      verdict: r.trace ? verdictJson(r.trace.verdict) : null,
    })),
  }
  return `${JSON.stringify(json, undefined, 2)}\n`
}
