import type { TableName } from '../../artefact/iptables/rule.ts'

/** A rule as flanneld hands it to `iptables-restore --noflush --wait`: chain and arguments without `-A`. */
export interface RestoreRule {
  readonly table: TableName
  readonly chain: string
  readonly text: string
}

/** Lines per table, in order. A table without lines is absent. */
export type RestorePlan = Readonly<Partial<Record<TableName, readonly string[]>>>

/** pkg/trafficmngr/iptables: a rule that exists is deleted and appended again, so that the set ends up in order. */
export const applyPlan = (rules: readonly RestoreRule[], exists: (rule: RestoreRule) => boolean): RestorePlan =>
  byTable(rules, (r) => [...(exists(r) ? [`-D ${r.chain} ${r.text}`] : []), `-A ${r.chain} ${r.text}`])

/** The periodic check: silent while every rule exists, else all of them again. The jumps then move to the end. */
export const resyncPlan = (rules: readonly RestoreRule[], exists: (rule: RestoreRule) => boolean): RestorePlan =>
  rules.every(exists) ? {} : applyPlan(rules, exists)

/** In creation order. */
export const teardownPlan = (rules: readonly RestoreRule[]): RestorePlan =>
  byTable(rules, (r) => [`-D ${r.chain} ${r.text}`])

function byTable(rules: readonly RestoreRule[], lines: (rule: RestoreRule) => readonly string[]): RestorePlan {
  const plan: Partial<Record<TableName, readonly string[]>> = {}
  for (const r of rules) plan[r.table] = [...(plan[r.table] ?? []), ...lines(r)]
  return plan
}
