import type { IptablesEdit } from '../../artefact/iptables/edit.ts'
import type { ServicePortPlan } from '../plan.ts'
import type { ProxySettings } from '../proxy-settings.ts'
import { servicePortKey } from '../service-port.ts'
import { isEnabled } from '../version.ts'
import { isServiceChain } from './chain-names.ts'
import { changedServices, serviceKey } from './changed-services.ts'
import { jumpEdits } from './jumps.ts'
import { markDropServiceRules } from './mark-drop-rules.ts'
import { nodePortJumps } from './node-ports.ts'
import { type Rendering, rendering, type ServiceRules } from './rendering.ts'
import { type RestoreLine, type RestoreTable, restoreEdits } from './restore.ts'
import type { ChainRule } from './rule-parts.ts'
import { serviceRules } from './service-rules.ts'
import { forwardRules, localnetGuardRules, masqueradeRules, topFilterChains, topNatChains } from './top-level.ts'
import { xlbServiceRules } from './xlb-rules.ts'

/** What a kube-proxy remembers of its last sync, and what is in the kernel since. */
export interface ProxierState {
  readonly plans: ReadonlyMap<string, ServicePortPlan>
  /** nat chains of services that are present. */
  readonly chains: ReadonlySet<string>
  /** What each service port was rendered to: a partial sync takes it as it was where nothing changed. */
  readonly rules: ReadonlyMap<string, ServiceRules>
  /** The settings that it was rendered with. With others the next sync is full, as a restarted kube-proxy's first is. */
  readonly settings: ProxySettings
  /** When stale chains were last looked for, in seconds. */
  readonly lastCleanup: number
}

export interface SyncOptions {
  /** After a failed sync, a lost canary or a change of the node's labels. */
  readonly full?: boolean
  /** Seconds; decides in large clusters whether stale chains are looked for. */
  readonly now?: number
  readonly syncPeriod?: number
}

export interface Sync {
  readonly kind: 'full' | 'partial'
  readonly tables: readonly RestoreTable[]
  /** Jump rules first, in a full sync; then what the restore does. */
  readonly edits: readonly IptablesEdit[]
  readonly state: ProxierState
}

const layouts = { xlb: xlbServiceRules, 'mark-drop': markDropServiceRules, firewall: serviceRules } as const

/**
 * One sync. Without a state, or without the gate MinimizeIPTablesRestore, it is full. A partial sync writes the shared
 * chains whole, but services' own chains only where the Service or its endpoints changed.
 */
export function syncIptables(
  plans: readonly ServicePortPlan[],
  settings: ProxySettings,
  before?: ProxierState,
  options: SyncOptions = {},
): Sync {
  const mayBePartial = isEnabled('MinimizeIPTablesRestore', settings.minor, settings.featureGates)
  const isPartial = before?.settings === settings && mayBePartial && !options.full
  const r = rendering(plans, settings)
  const written = renderServices(plans, r, isPartial ? before : undefined)
  const looksForStale =
    !r.large || (options.now ?? 0) - (before?.lastCleanup ?? Number.NEGATIVE_INFINITY) > (options.syncPeriod ?? 30)
  const stale = before && looksForStale ? staleChains(before.chains, written.inUse) : []
  const tables = [filterTable(written, r), natTable(written, stale, r)]
  const removed = new Set(stale)
  const present = [...(before?.chains ?? []), ...written.inUse].filter((name) => !removed.has(name))
  return {
    kind: isPartial ? 'partial' : 'full',
    tables,
    edits: [...(isPartial ? [] : jumpEdits(r)), ...restoreEdits(tables)],
    state: {
      plans: new Map(plans.map((plan) => [servicePortKey(plan.name, plan.protocol), plan])),
      chains: new Set(present),
      rules: written.rules,
      settings,
      lastCleanup: looksForStale ? (options.now ?? 0) : (before?.lastCleanup ?? Number.NEGATIVE_INFINITY),
    },
  }
}

interface Written {
  readonly filter: ChainRule[]
  readonly natChains: string[]
  readonly nat: ChainRule[]
  readonly inUse: Set<string>
  readonly rules: Map<string, ServiceRules>
}

function renderServices(plans: readonly ServicePortPlan[], r: Rendering, before: ProxierState | undefined): Written {
  const changed = before && changedServices(before.plans, plans)
  const written: Written = { filter: [], natChains: [], nat: [], inUse: new Set(), rules: new Map() }
  const render = layouts[r.behaviour.layout]
  for (const plan of plans) {
    const key = servicePortKey(plan.name, plan.protocol)
    const kept = changed?.has(serviceKey(plan)) === false ? before?.rules.get(key) : undefined
    const rules = kept ?? render(plan, r)
    write(written, rules, kept === undefined)
    for (const name of rules.chains) written.inUse.add(name)
    written.rules.set(key, rules)
  }
  return written
}

function write({ filter, natChains, nat }: Written, rules: ServiceRules, whole: boolean): void {
  for (const rule of rules.filter) filter.push(rule)
  if (whole) for (const name of rules.chains) natChains.push(name)
  for (const rule of rules.nat) if (whole || !isServiceChain(rule.chain)) nat.push(rule)
}

const staleChains = (present: ReadonlySet<string>, inUse: ReadonlySet<string>): readonly string[] =>
  [...present].filter((name) => isServiceChain(name) && !inUse.has(name)).sort()

const filterTable = (written: Written, r: Rendering): RestoreTable => ({
  table: 'filter',
  chains: topFilterChains(r),
  lines: [...localnetGuardRules(r), ...written.filter, ...forwardRules(r)],
})

function natTable(written: Written, stale: readonly string[], r: Rendering): RestoreTable {
  const deletions = stale.map((deleteChain): RestoreLine => ({ deleteChain }))
  return {
    table: 'nat',
    chains: [...topNatChains, ...written.natChains, ...stale],
    lines: [...masqueradeRules(r.settings), ...written.nat, ...deletions, ...nodePortJumps(r)],
  }
}
