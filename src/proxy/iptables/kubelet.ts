import type { IptablesEdit } from '../../artefact/iptables/edit.ts'
import type { Match, Rule, TableName } from '../../artefact/iptables/rule.ts'
import type { ProxySettings } from '../proxy-settings.ts'
import { isEnabled } from '../version.ts'
import { chain } from './chain-names.ts'
import { canaryEdits } from './jumps.ts'
import { comment } from './rule-parts.ts'
import { jumpTo, localnetGuard, markRule, postroutingRules } from './top-level.ts'

const dropMark = 0x8000

/**
 * kubelet's share of a node's rules (pkg/kubelet/kubelet_network_linux.go): a chain that tells which iptables is in use,
 * the guard of loopback addresses, canaries; and before KEP-3178 (1.28, or its gate) the marks that kube-proxy relied on.
 */
export function kubelet(settings: ProxySettings): readonly IptablesEdit[] {
  const { minor, featureGates } = settings
  const cleansUp = minor >= 28 || (minor >= 25 && isEnabled('IPTablesOwnershipCleanup', minor, featureGates))
  const hint: IptablesEdit[] = minor >= 24 ? [ensure('mangle', chain.kubeletHint)] : []
  return [
    ...hint,
    ...(cleansUp ? firewall(settings, []) : [...markDrop, ...firewall(settings, [dropMarked]), ...marks(settings)]),
    ...canaryEdits(chain.kubeletCanary),
  ].map(byKubelet)
}

const ensure = (table: TableName, name: string): IptablesEdit => ({ op: 'ensure-chain', table, chain: name })
const append = (table: TableName, name: string, rule: Rule): IptablesEdit => ({
  op: 'ensure-appended',
  table,
  chain: name,
  rule,
})
const prepend = (table: TableName, name: string, rule: Rule): IptablesEdit => ({
  op: 'ensure-prepended',
  table,
  chain: name,
  rule,
})

const markDrop: readonly IptablesEdit[] = [
  ensure('nat', chain.markDrop),
  append('nat', chain.markDrop, { ...markRule(dropMark), origin: { by: 'kubelet', note: 'drop mark' } }),
]

const isDropMarked: Match = { kind: 'mark', mark: { value: { value: dropMark, mask: dropMark } } }
const dropMarked: Rule = {
  matches: [comment('kubernetes firewall for dropping marked packets'), isDropMarked],
  target: { kind: 'drop' },
  origin: { by: 'kubelet', note: 'drop mark' },
}

/** The jumps come before the rule since 1.25, after it before; the outcome is the same. */
const firewall = ({ family }: ProxySettings, first: readonly Rule[]): readonly IptablesEdit[] => [
  ensure('filter', chain.firewall),
  prepend('filter', 'OUTPUT', jumpTo(chain.firewall, [], 'kubelet')),
  prepend('filter', 'INPUT', jumpTo(chain.firewall, [], 'kubelet')),
  ...first.map((rule) => append('filter', chain.firewall, rule)),
  ...(family === 'ipv4' ? [append('filter', chain.firewall, localnetGuard)] : []),
]

const marks = (settings: ProxySettings): readonly IptablesEdit[] => [
  ensure('nat', chain.markMasq),
  ensure('nat', chain.postrouting),
  append('nat', chain.markMasq, markRule(settings.masqueradeMark)),
  prepend('nat', 'POSTROUTING', jumpTo(chain.postrouting, [comment('kubernetes postrouting rules')], 'kubelet')),
  ...postroutingRules(settings).map((rule) => append('nat', chain.postrouting, rule)),
]

/** Rules that both write are one piece of data; here they are kubelet's. */
function byKubelet(edit: IptablesEdit): IptablesEdit {
  if (!('rule' in edit)) return edit
  return { ...edit, rule: { ...edit.rule, origin: { ...edit.rule.origin, by: 'kubelet' } } }
}
