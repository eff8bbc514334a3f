import type { NftCommand } from '../../artefact/nft/command.ts'
import type { NftTable } from '../../artefact/nft/ruleset.ts'
import type { Prefix } from '../../net/prefix.ts'
import type { ServicePortPlan } from '../plan.ts'
import type { ProxySettings } from '../proxy-settings.ts'
import { nftRendering } from './rendering.ts'
import { serviceChains } from './service-chains.ts'
import { nftSets } from './sets.ts'
import { sharedChains } from './shared-chains.ts'
import { syncNft } from './sync.ts'

/** Table `kube-proxy` of one family, as it stands after a sync. Nothing outside it is touched. */
export function kubeProxyTable(
  plans: readonly ServicePortPlan[],
  settings: ProxySettings,
  serviceCIDRs: readonly Prefix[],
): NftTable {
  const r = nftRendering(settings, serviceCIDRs)
  return {
    family: r.ip,
    name: 'kube-proxy',
    comment: 'rules for kube-proxy',
    sets: nftSets(plans, r),
    chains: [...sharedChains(r), ...plans.flatMap((plan) => serviceChains(plan, r))],
  }
}

/** What one kube-proxy in nftables mode hands to nft when it starts. */
export const kubeProxyNftables = (
  plans: readonly ServicePortPlan[],
  settings: ProxySettings,
  serviceCIDRs: readonly Prefix[],
): readonly NftCommand[] => syncNft(kubeProxyTable(plans, settings, serviceCIDRs), undefined, 0).commands
