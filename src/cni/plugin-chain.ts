import type { IptablesEdit } from '../artefact/iptables/edit.ts'
import { parseRule } from '../artefact/iptables/parse.ts'
import type { Rule } from '../artefact/iptables/rule.ts'
import { deviceName } from '../artefact/link.ts'
import { deviceKey } from '../artefact/sysctl.ts'
import type { Node } from '../kube/objects/node.ts'
import type { Pod } from '../kube/objects/pod.ts'
import { type Family, families, familyOf } from '../net/ip.ts'
import type { Prefix } from '../net/prefix.ts'
import { bridgeOnNode, podOrigin } from './bridge.ts'
import { type BridgeConf, bridgeConf } from './bridge-conf.ts'
import { type CniConf, pluginOf, textOf } from './cni-conf.ts'
import { ipMasqEdits } from './ipmasq.ts'
import { addMasqChecks, type MasqChecks, masqueradeTable } from './ipmasq-nftables.ts'
import type { JsonObject } from './json.ts'
import { dumpTable } from './knft-dump.ts'
import { addressPods, podRef } from './pod-addresses.ts'
import { type PodSetup, podNetns } from './pod-netns.ts'
import { noPodNetwork, type PodNetworkResult } from './pod-network.ts'
import { portMappings } from './port-mapping.ts'
import { type PortmapConf, portmapConf } from './portmap/conf.ts'
import { type PortmapAdd, portmapEdits } from './portmap/iptables.ts'
import { hostportTable } from './portmap/nftables.ts'
import { snatChainEdits } from './portmap/snat-chains.ts'
import type { NetworkProblem } from './problem.ts'
import { ptpNetns, ptpOnNode } from './ptp.ts'
import type { PodWiring } from './result.ts'
import { podDevice, type Sandbox } from './sandbox.ts'
import type { PodSockets } from './sockets.ts'
import { isAtLeast, type Version } from './version.ts'

/** One node's run of a plugin chain: the main plugin (`bridge`, `ptp`) with host-local, and portmap behind it. */
export interface PluginChain {
  readonly node: Node
  readonly pods: readonly Pod[]
  readonly cni: CniConf
  /** The main plugin's configuration. */
  readonly main: JsonObject
  readonly subnets: readonly Prefix[]
  readonly version: Version
  readonly sockets: PodSockets
}

/** ADD for every pod in order. */
export function runPluginChain(chain: PluginChain): PodNetworkResult {
  const type = textOf(chain.main, 'type') ?? 'bridge'
  const parsed = bridgeConf(chain.main)
  if ('error' in parsed) return noPodNetwork([problemOf(chain, type, parsed.error)])
  if (type !== 'bridge' && type !== 'ptp')
    return noPodNetwork([
      problemOf(chain, type, `the CNI plugin ${JSON.stringify(type)} is not modelled; use bridge or ptp`),
    ])
  const { sandboxes, problems } = addressPods(chain.node, chain.pods, chain.subnets)
  const portmap = runPortmap(chain, sandboxes)
  const masq = parsed.conf.ipMasq ? runIpMasq(chain, parsed.conf, sandboxes) : noRules
  const main = type === 'bridge' ? runBridge(chain, parsed.conf, sandboxes) : runPtp(chain, parsed.conf, sandboxes)
  return {
    additions: { ...main.additions, sysctls: { ...main.additions.sysctls, ...portmap.sysctls(parsed.conf, type) } },
    edits: byFamily((family) => [...masq.edits[family], ...portmap.edits[family]]),
    nftables: [...masq.nftables, ...portmap.nftables],
    pods: main.pods,
    problems: [...problems, ...portmap.problems],
  }
}

const byFamily = <T>(make: (family: Family) => T): Readonly<Record<Family, T>> => ({
  ipv4: make('ipv4'),
  ipv6: make('ipv6'),
})

interface Rules {
  readonly edits: Readonly<Record<Family, readonly IptablesEdit[]>>
  readonly nftables: readonly string[]
}
const noRules: Rules = { edits: { ipv4: [], ipv6: [] }, nftables: [] }

function runBridge(chain: PluginChain, conf: BridgeConf, sandboxes: readonly Sandbox[]) {
  const setup: PodSetup = {
    by: 'bridge',
    mtu: conf.mtu,
    routes: conf.routes,
    defaultGateway: conf.isDefaultGateway,
    version: chain.version,
  }
  return {
    additions: bridgeOnNode({ conf, version: chain.version }, sandboxes),
    pods: sandboxes.map((s) => wiring(s, podNetns(setup, s, chain.sockets(s.pod)))),
  }
}

function runPtp(chain: PluginChain, conf: BridgeConf, sandboxes: readonly Sandbox[]) {
  const setup: PodSetup = {
    by: 'ptp',
    mtu: conf.mtu,
    routes: conf.routes,
    defaultGateway: false,
    version: chain.version,
  }
  return {
    additions: ptpOnNode(conf.mtu, sandboxes),
    pods: sandboxes.map((s) => wiring(s, ptpNetns(setup, s, chain.sockets(s.pod)))),
  }
}

export const wiring = (sandbox: Sandbox, netns: PodWiring['netns']): PodWiring => ({
  pod: podRef(sandbox.pod),
  node: sandbox.node.metadata.name,
  netns,
  podDevice,
  hostDevice: sandbox.hostDevice,
})

function runIpMasq(chain: PluginChain, conf: BridgeConf, sandboxes: readonly Sandbox[]): Rules {
  if (conf.ipMasqBackend === 'nftables') {
    const checks = sandboxes.reduce<MasqChecks>((all, s) => {
      return addMasqChecks(all, { network: chain.cni.name, ifname: podDevice, containerId: s.id }, s.addresses)
    }, [])
    return { ...noRules, nftables: sandboxes.length > 0 ? [dumpTable(masqueradeTable(checks))] : [] }
  }
  const editsOf = (family: Family): readonly IptablesEdit[] =>
    sandboxes.flatMap((s) =>
      s.addresses
        .filter((a) => familyOf(a.ip) === family)
        .flatMap((address) =>
          ipMasqEdits({
            network: chain.cni.name,
            containerId: s.id,
            address,
            version: chain.version,
            origin: podOrigin(s, 'bridge'),
          }),
        ),
    )
  return { edits: byFamily(editsOf), nftables: [] }
}

interface PortmapRun extends Rules {
  readonly problems: readonly NetworkProblem[]
  /** route_localnet on the device that leads to the pod, so that localhost can be DNATed to it. */
  readonly sysctls: (conf: BridgeConf, type: 'bridge' | 'ptp') => Readonly<Record<string, string>>
}

function runPortmap(chain: PluginChain, sandboxes: readonly Sandbox[]): PortmapRun {
  const nothing = { ...noRules, problems: [], sysctls: () => ({}) }
  const plugin = pluginOf(chain.cni, 'portmap')
  const mapped = sandboxes.filter((s) => portMappings(s.pod).length > 0)
  if (plugin === undefined || mapped.length === 0) return nothing
  const parsed = portmapConf(plugin.options)
  if ('error' in parsed) return { ...nothing, problems: [problemOf(chain, 'portmap', parsed.error)] }
  const { conf } = parsed
  const adds = mapped.flatMap((s) => s.addresses.map((address) => portmapAdd(chain, conf, s, address)))
  const local = conf.snat ? mapped : []
  return {
    problems: [],
    sysctls: ({ bridge }, type) =>
      Object.fromEntries(
        local.map((s) => [
          deviceKey('ipv4', type === 'bridge' ? deviceName(bridge) : s.hostDevice, 'route_localnet'),
          '1',
        ]),
      ),
    ...portmapRules(conf, adds),
  }
}

function portmapRules(conf: PortmapConf, adds: readonly PortmapAdd[]): Rules {
  if (conf.backend === 'nftables') {
    const used = families.filter((family) => adds.some((add) => familyOf(add.address.ip) === family))
    return { ...noRules, nftables: used.map((family) => dumpTable(hostportTable(family, adds, conf))) }
  }
  const editsOf = (add: PortmapAdd) => (isAtLeast(add.version, 'v0.7.0') ? portmapEdits(add) : snatChainEdits(add))
  return {
    edits: byFamily((family) => adds.filter((add) => familyOf(add.address.ip) === family).flatMap(editsOf)),
    nftables: [],
  }
}

function portmapAdd(
  chain: PluginChain,
  conf: PortmapConf,
  sandbox: Sandbox,
  address: PortmapAdd['address'],
): PortmapAdd {
  const family = familyOf(address.ip)
  const conditions = conditionsOf(family === 'ipv4' ? conf.conditionsV4 : conf.conditionsV6, family)
  return {
    network: chain.cni.name,
    containerId: sandbox.id,
    address,
    mappings: portMappings(sandbox.pod),
    conf,
    version: chain.version,
    origin: podOrigin(sandbox, 'portmap'),
    ...(conditions ? { conditions } : {}),
  }
}

/** `["-d", "192.168.0.0/24"]`: what stands in an iptables rule. */
const conditionsOf = (words: readonly string[], family: Family): Rule | undefined =>
  words.length === 0 ? undefined : parseRule(words.join(' '), family).rules[0]

const problemOf = (chain: PluginChain, by: string, message: string): NetworkProblem => ({
  by,
  message: `${message}; the node's pods get no network`,
  object: { kind: 'ConfigMap', name: 'kube-flannel-cfg' },
  field: 'data["cni-conf.json"]',
  node: chain.node.metadata.name,
})
