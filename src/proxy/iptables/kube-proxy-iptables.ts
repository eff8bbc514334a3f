import type { IptablesEdit } from '../../artefact/iptables/edit.ts'
import type { ServicePortPlan } from '../plan.ts'
import type { ProxySettings } from '../proxy-settings.ts'
import { formatRestore } from './restore.ts'
import { type RestoreDialect, restoreDialect } from './restore-text.ts'
import { syncIptables } from './sync.ts'

/** What one kube-proxy in iptables mode installs on its node: the edits of a full sync, and the sysctls it sets. */
export interface KubeProxyIptables {
  readonly edits: readonly IptablesEdit[]
  readonly sysctls: Readonly<Record<string, string>>
}

export const kubeProxyIptables = (plans: readonly ServicePortPlan[], settings: ProxySettings): KubeProxyIptables => ({
  edits: syncIptables(plans, settings).edits,
  sysctls: sysctls(settings),
})

/** The input of `iptables-restore --noflush --counters` in a full sync. */
export const restoreInput = (
  plans: readonly ServicePortPlan[],
  settings: ProxySettings,
  dialect: RestoreDialect = restoreDialect(settings),
): string => formatRestore(syncIptables(plans, settings).tables, dialect)

/** `route_localnet` lets node ports be used on 127.0.0.1; the conntrack timeouts are kube-proxy's defaults. */
export const sysctls = (settings: ProxySettings): Readonly<Record<string, string>> => ({
  ...(settings.family === 'ipv4' && settings.localhostNodePorts && { 'net.ipv4.conf.all.route_localnet': '1' }),
  'net.netfilter.nf_conntrack_tcp_timeout_established': '86400',
  'net.netfilter.nf_conntrack_tcp_timeout_close_wait': '3600',
})
