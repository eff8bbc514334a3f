import { addToNetns } from '../artefact/netns.ts'
import type { ConnectFailure } from '../bgp/network.ts'
import { lazy } from '../cni/lazy.ts'
import type { ObjectReader } from '../kube/store.ts'
import type { Chance } from '../linux/chance.ts'
import type { DropEvent } from '../linux/event.ts'
import type { Ip } from '../net/ip.ts'
import { tcpFlag } from '../packet/packet.ts'
import { type Network, type Visit, World } from './loop.ts'
import { Cabling, type Machine, nodeNetns } from './machine.ts'
import { applyNodeStates } from './node-state.ts'
import type { UnderlayPlan } from './underlay.ts'
import { bareNode, underlayMachines } from './underlay-machines.ts'

type Reach = (node: string, address: Ip, port: number) => ConnectFailure | undefined

/**
 * Whether TCP gets from a node to a speaker, tried with packets: nodes without a pod network, and what the underlay and
 * NodeStates do. Nodes about which nothing is said behave as the others of their segment, so one of each is asked.
 */
export function speakerReach(objects: ObjectReader, underlay: UnderlayPlan): Reach {
  const networks = new Map<number, Network>()
  const networkAt = (port: number): Network => {
    const made = networks.get(port) ?? bareNetwork(objects, underlay, port)
    networks.set(port, made)
    return made
  }
  const known = new Map<string, ConnectFailure | undefined>()
  const special = new Set(objects.list('NodeState').map((s) => s.spec.node ?? s.metadata.name))
  const grounds = new Map<string, string>()
  for (const { name, nodes } of underlay.segments)
    for (const node of nodes) {
      const before = grounds.get(node.name)
      if (!special.has(node.name)) grounds.set(node.name, before === undefined ? name : `${before} ${name}`)
    }
  const groundOf = (node: string): string => grounds.get(node) ?? `node ${node}`
  const owners = lazy(
    () =>
      new Map(underlay.segments.flatMap((s) => s.nodes.flatMap((n) => n.addresses.map((a) => [a, n.name] as const)))),
  )
  return (node, address, to) => {
    const owner = owners().get(address)
    const key = `${groundOf(node)} > ${owner === undefined ? address : groundOf(owner)} ${to}`
    if (!known.has(key)) known.set(key, connect(networkAt(to), node, address, to))
    return known.get(key)
  }
}

function bareNetwork(objects: ObjectReader, underlay: UnderlayPlan, port: number): Network {
  const under = underlayMachines(underlay, [])
  const nodes = objects.list('Node').map(({ metadata: { name } }): Machine => {
    const state = lazy(() => {
      const bare = addToNetns(bareNode(name, underlay), {
        sockets: [{ protocol: 'tcp', address: undefined, port, owner: 'bird' }],
      })
      return applyNodeStates(bare, objects, name)
    })
    return { id: nodeNetns(name), kind: 'node', name, node: name, state }
  })
  return {
    machines: new Map([...nodes, ...under.machines].map((m) => [m.id, m])),
    cabling: new Cabling(under.wires),
  }
}

/** Nothing that decides over BGP is left to chance. */
const firstOfAll: Chance = { probably: () => false, pick: () => 0, noise: () => 0 }

function connect(network: Network, node: string, address: Ip, port: number): ConnectFailure | undefined {
  const world = new World(network, { chance: firstOfAll })
  const visits = world.send(nodeNetns(node), {
    src: undefined,
    dst: address,
    ttl: 64,
    tos: 0,
    df: true,
    owner: 'bird client',
    payload: { kind: 'tcp', srcPort: 40179, dstPort: port, flags: tcpFlag.syn, seq: 0, ack: 0, options: 20, data: 0 },
  })
  const outcome = visits.flatMap((v) => v.outputs.flatMap((o) => outcomeOf(o)))[0]
  if (outcome === 'open') return undefined
  const because = lastDrop(visits)
  if (outcome === 'refused') return { kind: 'refused', ...because }
  if (outcome === 'unreachable') return { kind: 'no route', ...because }
  return { kind: 'timeout', ...because }
}

function outcomeOf(output: Visit['outputs'][number]): readonly ('open' | 'refused' | 'unreachable')[] {
  if (output.kind === 'error' && output.owner === 'bird client') {
    return [output.errno === 'ECONNREFUSED' ? 'refused' : 'unreachable']
  }
  if (output.kind !== 'deliver' || output.owner !== 'bird client') return []
  const { payload } = output.packet
  return payload.kind === 'tcp' ? [payload.flags & tcpFlag.rst ? 'refused' : 'open'] : []
}

function lastDrop(visits: readonly Visit[]): { readonly because?: string } {
  const drops = visits.flatMap((visit) =>
    visit.events.flatMap((event) => (event.kind === 'drop' ? [{ visit, event: event as DropEvent }] : [])),
  )
  const found = drops.find(({ event }) => event.reason !== 'other-host')
  return found ? { because: `${found.visit.netns}: ${found.event.detail}` } : {}
}
