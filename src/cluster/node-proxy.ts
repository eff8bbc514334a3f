import type { IptablesEdit } from '../artefact/iptables/edit.ts'
import type { ListeningSocket } from '../artefact/netns.ts'
import type { NftCommand } from '../artefact/nft/command.ts'
import type { ClusterSettings } from '../kube/settings.ts'
import { prefixFamily } from '../net/prefix.ts'
import { proxySockets } from '../proxy/health-check.ts'
import { kubeProxyIptables } from '../proxy/iptables/kube-proxy-iptables.ts'
import { kubelet } from '../proxy/iptables/kubelet.ts'
import { kubeProxyNftables } from '../proxy/nftables/kube-proxy-nftables.ts'
import type { ServicePortPlan } from '../proxy/plan.ts'
import type { ProxySettings } from '../proxy/proxy-settings.ts'

/** What kubelet and the kube-proxy of one family install on a node. */
export interface NodeProxy {
  readonly edits: readonly IptablesEdit[]
  readonly nft: readonly NftCommand[]
  readonly sysctls: Readonly<Record<string, string>>
  readonly sockets: readonly ListeningSocket[]
}

/** The rendering that kube-proxy's mode asks for. */
export function nodeProxy(
  plans: readonly ServicePortPlan[],
  settings: ProxySettings,
  cluster: ClusterSettings,
): NodeProxy {
  const shared = { edits: kubelet(settings), nft: [], sysctls: {}, sockets: proxySockets(plans) }
  switch (settings.mode) {
    case 'ipvs':
    case 'iptables': {
      const { edits, sysctls } = kubeProxyIptables(plans, settings)
      return { ...shared, edits: [...shared.edits, ...edits], sysctls }
    }
    case 'nftables':
      return { ...shared, nft: kubeProxyNftables(plans, settings, serviceCIDRs(settings, cluster)) }
  }
}

/** kube-proxy learns them from ServiceCIDR objects, which every cluster has since 1.33 (KEP-1880). */
const serviceCIDRs = ({ minor, family }: ProxySettings, { serviceNetworks }: ClusterSettings) =>
  minor >= 33 ? serviceNetworks.filter((p) => prefixFamily(p) === family) : []
