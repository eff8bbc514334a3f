import type { IpSet } from '../artefact/ipset.ts'
import type { IptablesEdit } from '../artefact/iptables/edit.ts'
import type { IpvsService } from '../artefact/ipvs.ts'
import type { ListeningSocket, NetnsAdditions } from '../artefact/netns.ts'
import type { NftCommand } from '../artefact/nft/command.ts'
import type { ClusterSettings } from '../kube/settings.ts'
import type { Ip } from '../net/ip.ts'
import { prefixFamily } from '../net/prefix.ts'
import { proxySockets } from '../proxy/health-check.ts'
import { kubeProxyIptables } from '../proxy/iptables/kube-proxy-iptables.ts'
import { kubelet } from '../proxy/iptables/kubelet.ts'
import { ipvsAddress, ipvsDevice, kubeProxyIpvs } from '../proxy/ipvs/kube-proxy-ipvs.ts'
import { kubeProxyNftables } from '../proxy/nftables/kube-proxy-nftables.ts'
import type { ServicePortPlan } from '../proxy/plan.ts'
import type { ProxySettings } from '../proxy/proxy-settings.ts'

/** What kubelet and the kube-proxy of one family install on a node. */
export interface NodeProxy {
  readonly edits: readonly IptablesEdit[]
  readonly nft: readonly NftCommand[]
  readonly sysctls: Readonly<Record<string, string>>
  readonly sockets: readonly ListeningSocket[]
  readonly ipsets: readonly IpSet[]
  readonly ipvs: readonly IpvsService[]
  /** Addresses for kube-ipvs0, in IPVS mode. */
  readonly bound: readonly Ip[] | undefined
}

/** The rendering that kube-proxy's mode asks for. */
export function nodeProxy(
  plans: readonly ServicePortPlan[],
  settings: ProxySettings,
  cluster: ClusterSettings,
): NodeProxy {
  const shared: NodeProxy = {
    edits: kubelet(settings),
    nft: [],
    sysctls: {},
    sockets: proxySockets(plans),
    ipsets: [],
    ipvs: [],
    bound: undefined,
  }
  switch (settings.mode) {
    case 'ipvs': {
      const { edits, sets, services, bound, sysctls } = kubeProxyIpvs(plans, settings)
      return { ...shared, edits: [...shared.edits, ...edits], sysctls, ipsets: sets, ipvs: services, bound }
    }
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

/** The kernel objects of IPVS mode, both families together; nothing in the other modes. */
export function ipvsAdditions(node: string, proxies: readonly NodeProxy[]): NetnsAdditions {
  if (proxies.every(({ bound }) => bound === undefined)) return {}
  return {
    links: [ipvsDevice(node)],
    addresses: proxies.flatMap(({ bound = [] }) => bound.map(ipvsAddress)),
    ipsets: proxies.flatMap(({ ipsets }) => ipsets),
    ipvs: proxies.flatMap(({ ipvs }) => ipvs),
  }
}
