import type { NetnsState } from '../../artefact/netns.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { type Visit, World } from '../../cluster/loop.ts'
import { type NetnsId, nodeNetns, podNetns } from '../../cluster/machine.ts'
import type { Emit } from '../../linux/emit.ts'
import type { LinuxEvent } from '../../linux/event.ts'
import type { Input, SendRequest } from '../../linux/kernel.ts'
import type { Netns } from '../../linux/netns.ts'
import { step } from '../../linux/step.ts'
import { ip } from '../../net/ip.ts'
import { tcpFlag } from '../../packet/packet.ts'
import { seededChance, seededRandom } from '../../trace/lots.ts'
import {
  client,
  isOnFirstNode,
  nodeCount,
  podCount,
  podIp,
  serviceIp,
  servicePort,
  targetPort,
} from './synthetic-cluster.ts'

/** New connections through one node of a synthetic cluster, as its client's packets arrive there. */
export interface NodeProbe {
  readonly state: NetnsState
  /** A connection to Service number `i`; the next source port each time. What the node does is told to `emit`. */
  readonly connect: (i: number, emit: Emit<LinuxEvent>) => void
  /** The same straight to a pod: forwarding, without a Service. */
  readonly forward: (i: number, emit: Emit<LinuxEvent>) => void
}

const node: NetnsId = nodeNetns('node-0')
const clientNetns: NetnsId = podNetns(client.namespace, client.name)
const silent: Emit<LinuxEvent> = () => undefined

export { silent }

/** `linear`: rule by rule. Neighbours are known: the probe talked to every other node and every pod of its own before. */
export function nodeProbe(cluster: Cluster, linear: boolean): NodeProbe {
  const world = new World(cluster.network(), { chance: seededChance(seededRandom(1)), linear, limit: 100_000 })
  for (let i = 0; i < podCount; i++) {
    if (isOnFirstNode(i)) world.send(node, syn(podIp(i), 80, 1024))
    else if (i < nodeCount) world.send(clientNetns, syn(podIp(i), 80, 1024))
  }
  const template = frameInto(world.send(clientNetns, syn(serviceIp(0), servicePort, 1024)))
  const ns = world.netns(node)
  if (!ns) throw new Error('the synthetic cluster has no node-0')
  let port = 1024
  const next = (): number => {
    port = port < 65_535 ? port + 1 : 1025
    return port
  }
  return {
    state: ns.state,
    connect: (i, emit) => enter(ns, template, serviceIp(i), servicePort, next(), emit),
    forward: (i, emit) => enter(ns, template, podIp(i % podCount), targetPort(i), next(), emit),
  }
}

type Receive = Extract<Input, { kind: 'receive' }>

const syn = (dst: string, dstPort: number, srcPort: number): SendRequest => ({
  src: undefined,
  dst: ip(dst),
  ttl: 64,
  tos: 0,
  df: true,
  owner: 'client',
  payload: { kind: 'tcp', srcPort, dstPort, seq: 1, ack: 0, flags: tcpFlag.syn, options: 20, data: 0 },
})

/** How the packet came into the node. */
function frameInto(visits: readonly Visit[]): Receive {
  for (const { netns, input } of visits) {
    if (netns === node && input.kind === 'receive' && input.frame.payload.kind === 'ip') return input
  }
  throw new Error('the packet did not reach the node')
}

function enter(
  ns: Netns,
  { kind, device, frame }: Receive,
  dst: string,
  dstPort: number,
  srcPort: number,
  emit: Emit<LinuxEvent>,
): void {
  if (frame.payload.kind !== 'ip' || frame.payload.packet.payload.kind !== 'tcp') return
  const { packet } = frame.payload
  const payload = { ...frame.payload.packet.payload, srcPort, dstPort }
  const sent = { ...frame, payload: { kind: 'ip', packet: { ...packet, dst: ip(dst), payload } } } as const
  step(ns, { kind, device, frame: sent }, emit)
}
