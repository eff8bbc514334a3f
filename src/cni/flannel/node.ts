import type { NetnsAdditions } from '../../artefact/netns.ts'
import type { Pod } from '../../kube/objects/pod.ts'
import { type Family, families } from '../../net/ip.ts'
import { mergeAdditions } from '../additions.ts'
import { type CniConf, pluginOf } from '../cni-conf.ts'
import { docker0, dockerEdits, dockerNetns, dockerOnNode, lowestFree } from '../docker.ts'
import { byFamily, type FamilyRules, joinRules } from '../family-rules.ts'
import { lazy } from '../lazy.ts'
import { runPluginChain } from '../plugin-chain.ts'
import { addressPods } from '../pod-addresses.ts'
import { noPodNetwork, type PodNetworkResult } from '../pod-network.ts'
import type { NetworkProblem } from '../problem.ts'
import type { NodeNetwork } from '../result.ts'
import type { PodSockets } from '../sockets.ts'
import { isAtLeast, type Version } from '../version.ts'
import { wiring } from '../wiring.ts'
import { ownParts } from './backend/backend.ts'
import type { HostTables } from './command.ts'
import { delegateConf, flannelPluginInput } from './delegate.ts'
import { programPeers } from './events.ts'
import { ruleGeneration } from './generation.ts'
import { type MasqueradePlan, masqueradeEdits } from './masquerade.ts'
import { podNetworkOf } from './net-conf.ts'
import { nftChains } from './nftables.ts'
import { type FlannelPlan, type NodePlan, peersOf } from './plan.ts'
import { bridgeAddress, type SubnetEnv, subnetsOf } from './subnet-env.ts'

/** One node, each half worked out when it is first asked for: a trace visits few nodes, and their pods come from all. */
export interface RenderedNode {
  readonly overlay: () => Overlay
  readonly podNetwork: () => PodNetworkResult
  readonly network: () => NodeNetwork
}

/** flanneld's half: what the leases of the others have made of the node's tables. */
export interface Overlay {
  readonly tables: HostTables
  readonly problems: readonly NetworkProblem[]
}

/** What stands beside the plan: the pods of the node, and what the plugins need to know. */
export interface NodePods {
  readonly pods: () => readonly Pod[]
  readonly pluginsVersion: Version
  readonly sockets: PodSockets
}

export function renderNode(plan: FlannelPlan, self: NodePlan, given: NodePods): RenderedNode {
  const overlay = lazy(() => programPeers(self, peersOf(plan, self)))
  const podNetwork = lazy(() => renderPods(plan.cni, self, given))
  return { overlay, podNetwork, network: lazy(() => nodeNetwork(self, overlay().tables, podNetwork())) }
}

/** flanneld first, then docker or the plugins for each pod: the order in which a node starts. */
function nodeNetwork(self: NodePlan, tables: HostTables, podNetwork: PodNetworkResult): NodeNetwork {
  const { routes, neighbours, fdb } = tables
  const tunnel = self.backend.tunnel?.(tables)
  return {
    additions: mergeAdditions([self.backend.base, { routes, neighbours, fdb }, blackholes(self), podNetwork.additions]),
    ...joinRules([flannelRules(self), podNetwork]),
    tunnels: tunnel ? [tunnel] : [],
  }
}

/** One family's rules; undefined where the family is off. */
function masqueradePlan(self: NodePlan, family: Family): MasqueradePlan | undefined {
  const network = podNetworkOf(self.conf, family)?.network
  const subnet = self.lease.parts[family]?.subnet
  if (network === undefined || subnet === undefined) return undefined
  const { args, version } = self.daemon
  return {
    network,
    subnet,
    ipMasq: args.ipMasq,
    forwardRules: args.forwardRules,
    randomFully: !(args.randomFullyDisabled && isAtLeast(version, 'v0.27.4')),
    generation: ruleGeneration(version),
    origins: { network: self.networkOrigin(family), subnet: self.origin },
  }
}

function flannelRules(self: NodePlan): FamilyRules {
  const plans = byFamily((family) => masqueradePlan(self, family))
  if (self.conf.enableNftables && isAtLeast(self.daemon.version, 'v0.25.0')) {
    const chains = families.flatMap((family) => (plans[family] ? [nftChains(plans[family])] : []))
    return {
      edits: byFamily(() => []),
      nftables: chains.flatMap(({ postrtg, forward }) => [postrtg ?? [], forward ?? []].flat()),
    }
  }
  return { edits: byFamily((family) => (plans[family] ? masqueradeEdits(plans[family]) : [])), nftables: [] }
}

/**
 * `--ip-blackhole-route` (v0.27.1): without cni0, packets to the node's own podCIDR do not leave by the default route. The
 * metric puts it behind cni0's connected route: with metric 0 the kernel would keep it in front and cut local pods off.
 */
const blackholes = ({ daemon, lease, origin }: NodePlan): NetnsAdditions => ({
  routes:
    daemon.args.blackholeRoute && isAtLeast(daemon.version, 'v0.27.1')
      ? ownParts(lease).map(([, { subnet }]) => ({
          type: 'blackhole' as const,
          dst: subnet,
          table: 'main',
          proto: 'boot',
          scope: 'global' as const,
          metric: 1,
          origin,
        }))
      : [],
})

/** /run/flannel/subnet.env. */
export function subnetEnvOf({ conf, daemon, lease, backend }: NodePlan): SubnetEnv {
  const { ipv4, ipv6 } = lease.parts
  return {
    networks: ipv4 && conf.ipv4 ? [conf.ipv4.network] : [],
    ...(ipv4 ? { subnet: bridgeAddress(ipv4.subnet) } : {}),
    ipv6Networks: ipv6 && conf.ipv6 ? [conf.ipv6.network] : [],
    ...(ipv6 ? { ipv6Subnet: bridgeAddress(ipv6.subnet) } : {}),
    mtu: backend.mtu,
    ipMasq: daemon.args.ipMasq,
  }
}

function renderPods(cni: CniConf | undefined, self: NodePlan, given: NodePods): PodNetworkResult {
  const env = subnetEnvOf(self)
  if (self.podNetwork === 'docker0') return renderDocker(env, self, given)
  if (cni === undefined || self.podNetwork === 'none') return noPodNetwork([])
  const flannel = pluginOf(cni, 'flannel')
  const main = flannel
    ? delegateConf(flannelPluginInput(cni.name, undefined, flannel.options), env)
    : (cni.plugins[0]?.options ?? {})
  return runPluginChain({
    node: self.node,
    pods: given.pods(),
    cni,
    main,
    subnets: subnetsOf(env),
    version: given.pluginsVersion,
    sockets: given.sockets,
  })
}

/** docker reads subnet.env through mk-docker-opts.sh: its bridge has the IPv4 subnet, and no IPv6. */
function renderDocker(env: SubnetEnv, self: NodePlan, { pods, sockets }: NodePods): PodNetworkResult {
  const subnet = self.lease.parts.ipv4?.subnet
  if (env.subnet === undefined || subnet === undefined)
    return noPodNetwork([
      {
        by: 'docker',
        message: `${docker0} needs an IPv4 subnet, which flannel does not give`,
        node: self.node.metadata.name,
      },
    ])
  const setup = { bip: env.subnet, ipMasq: !env.ipMasq, mtu: env.mtu }
  const { sandboxes, problems } = addressPods(self.node, pods(), [subnet], lowestFree)
  return {
    additions: dockerOnNode(setup, self.node.metadata.name, sandboxes),
    edits: { ipv4: dockerEdits(setup, sandboxes), ipv6: [] },
    nftables: [],
    pods: sandboxes.map((s) => wiring(s, () => dockerNetns(setup, s, sockets(s.pod)))),
    problems,
  }
}
