import { deviceName } from '../artefact/link.ts'
import { deviceKey } from '../artefact/sysctl.ts'
import type { Node } from '../kube/objects/node.ts'
import type { Pod } from '../kube/objects/pod.ts'
import type { Prefix } from '../net/prefix.ts'
import { bridgeOnNode } from './bridge.ts'
import { type BridgeConf, bridgeConf } from './bridge-conf.ts'
import { type CniConf, textOf } from './cni-conf.ts'
import { joinRules, noRules } from './family-rules.ts'
import { ipMasqOfPods } from './ipmasq-pods.ts'
import type { JsonObject } from './json.ts'
import { addressPods } from './pod-addresses.ts'
import { type PodSetup, podNetns } from './pod-netns.ts'
import { noPodNetwork, type PodNetworkResult } from './pod-network.ts'
import { type Portmap, portmapOf, portmapOfPods, withHostPorts } from './portmap/pods.ts'
import type { NetworkProblem } from './problem.ts'
import { ptpNetns, ptpOnNode } from './ptp.ts'
import type { Sandbox } from './sandbox.ts'
import type { PodSockets } from './sockets.ts'
import type { Version } from './version.ts'
import { wiring } from './wiring.ts'

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
  const checked = checkChain(chain)
  if ('problem' in checked) return noPodNetwork([checked.problem])
  const { conf, portmap, type } = checked
  const { cni, version } = chain
  const { sandboxes, problems } = addressPods(chain.node, chain.pods, chain.subnets)
  const main = mainPlugins[type](chain, conf, sandboxes)
  return {
    additions: {
      ...main.additions,
      sysctls: { ...main.additions.sysctls, ...(portmap ? localnetSysctls(portmap, conf, type, sandboxes) : {}) },
    },
    ...joinRules([
      ipMasqOfPods(cni.name, conf, version, sandboxes),
      portmap ? portmapOfPods(cni.name, portmap, version, sandboxes) : noRules,
    ]),
    pods: main.pods,
    problems,
  }
}

type MainType = 'bridge' | 'ptp'

type Checked =
  | { readonly conf: BridgeConf; readonly portmap: Portmap | undefined; readonly type: MainType }
  | { readonly problem: NetworkProblem }

/** One refusal fails every ADD of the chain. */
function checkChain(chain: PluginChain): Checked {
  const type = textOf(chain.main, 'type') ?? 'bridge'
  if (type !== 'bridge' && type !== 'ptp')
    return problemOf(chain, type, `the CNI plugin ${JSON.stringify(type)} is not modelled; use bridge or ptp`)
  const main = bridgeConf(chain.main)
  if ('error' in main) return problemOf(chain, type, main.error)
  const portmap = portmapOf(chain.cni)
  return 'error' in portmap ? problemOf(chain, 'portmap', portmap.error) : { ...main, ...portmap, type }
}

const mainPlugins = { bridge: runBridge, ptp: runPtp } as const

function runBridge(chain: PluginChain, conf: BridgeConf, sandboxes: readonly Sandbox[]) {
  const { version } = chain
  const { mtu, routes, isDefaultGateway: defaultGateway } = conf
  const setup: PodSetup = { by: 'bridge', mtu, routes, defaultGateway, version }
  return {
    additions: bridgeOnNode({ conf, version }, sandboxes),
    pods: sandboxes.map((s) => wiring(s, () => podNetns(setup, s, chain.sockets(s.pod)))),
  }
}

function runPtp(chain: PluginChain, { mtu, routes }: BridgeConf, sandboxes: readonly Sandbox[]) {
  const setup: PodSetup = { by: 'ptp', mtu, routes, defaultGateway: false, version: chain.version }
  return {
    additions: ptpOnNode(mtu, sandboxes),
    pods: sandboxes.map((s) => wiring(s, () => ptpNetns(setup, s, chain.sockets(s.pod)))),
  }
}

/** portmap with snat: route_localnet on the device that leads to the pod, so that localhost can be DNATed to it. */
const localnetSysctls = ({ conf }: Portmap, { bridge }: BridgeConf, type: MainType, sandboxes: readonly Sandbox[]) =>
  Object.fromEntries(
    (conf.snat ? withHostPorts(sandboxes) : []).map((s) => {
      const device = type === 'bridge' ? deviceName(bridge) : s.hostDevice
      return [deviceKey('ipv4', device, 'route_localnet'), '1']
    }),
  )

const problemOf = (chain: PluginChain, by: string, message: string): { readonly problem: NetworkProblem } => ({
  problem: {
    by,
    message: `${message}; the pods get no network`,
    object: { kind: 'ConfigMap', name: 'kube-flannel-cfg' },
    field: 'data["cni-conf.json"]',
    node: chain.node.metadata.name,
  },
})
