import type { Machine, MachineKind, NetnsId } from '../cluster/machine.ts'
import type { ClusterEvent } from '../cluster/process.ts'
import type { Hop, Leg, Place, Verdict } from './trace.ts'

/** The way of a packet over a map: what it passed, each once, and in which order. */
export interface Journey {
  /** In the order in which they were first passed. A node holds its pods. */
  readonly boxes: readonly Box[]
  readonly stops: readonly Stop[]
}

/** A machine, or a wire. */
export interface Box {
  readonly id: string
  readonly kind: Exclude<MachineKind, 'pod' | 'switch'> | 'wire'
  readonly name: string
  readonly stations: readonly Station[]
}

/** A place within a box. Ids are unique in the journey. */
export interface Station {
  readonly id: string
  readonly kind: StationKind
  /** Of a pod, device or process; of a machine whose inside is of no interest, its own. */
  readonly name: string
  /** The kernel's kind of the device: `veth`, `vxlan`. */
  readonly device?: string
}

/** `process`: the sockets of a node itself. `stack`: its hooks and routes. `machine`: a host, a router, a load balancer. */
export type StationKind = 'pod' | 'process' | 'port' | 'bridge' | 'stack' | 'tunnel' | 'card' | 'machine' | 'wire'

/** One hop, and the stations that the packet passed in it. */
export interface Stop {
  readonly direction: Leg['direction']
  readonly hop: Hop
  /** At least one, in order. */
  readonly stations: readonly string[]
  /** Here the connection failed. */
  readonly failed: boolean
}

export function journeyOf(
  legs: readonly Leg[],
  { result, place }: Verdict,
  machines: ReadonlyMap<NetnsId, Machine>,
): Journey {
  const map = new JourneyMap(machines)
  const failed = (hop: Hop): boolean =>
    result !== 'delivered' && place !== undefined && hop.n === place.hop && hop.netns === place.netns
  const stops = legs.flatMap(({ direction, hops }) =>
    hops.map((hop): Stop => ({ direction, hop, stations: map.stationsOf(hop), failed: failed(hop) })),
  )
  return { boxes: map.boxes(), stops }
}

class JourneyMap {
  readonly #machines: ReadonlyMap<NetnsId, Machine>
  readonly #boxes = new Map<string, Box & { readonly stations: Station[] }>()
  readonly #stations = new Map<string, Station>()

  constructor(machines: ReadonlyMap<NetnsId, Machine>) {
    this.#machines = machines
  }

  boxes(): readonly Box[] {
    return [...this.#boxes.values()]
  }

  stationsOf(hop: Hop): readonly string[] {
    const machine = this.#machines.get(hop.netns)
    if (!machine) return []
    const bridge = bridgeBehind(hop, machine)
    const here = (bridge === undefined ? this.#station(machine, hop.place) : this.#device(machine, bridge)).id
    if (machine.kind !== 'node') return [here]
    const passed = hop.steps.map(({ event }) => {
      const device = deviceOf(event)
      return device === undefined ? here : this.#device(machine, device).id
    })
    const all = passed.includes(here) ? passed : [here, ...passed]
    return all.filter((id, i) => id !== all[i - 1])
  }

  #station(machine: Machine, place: Place): Station {
    switch (place.kind) {
      case 'device':
        return this.#device(machine, place.device)
      case 'hook':
      case 'route':
        return this.#add(machine, 'stack', 'IP stack')
      case 'wire':
        return this.#add(machine, 'wire', place.segment)
      case 'machine':
        return this.#add(machine, stationKinds[place.machine], place.machine === 'node' ? 'processes' : place.name)
    }
  }

  #device(machine: Machine, name: string): Station {
    const link = machine.state().links.find((l) => l.name === name)
    const device = link?.kind.kind ?? 'physical'
    return this.#add(machine, kindOfDevice(device), name, device)
  }

  #add(machine: Machine, kind: StationKind, name: string, device?: string): Station {
    const id = `${machine.id} ${kind} ${name}`
    const known = this.#stations.get(id)
    if (known) return known
    const station: Station = { id, kind, name, ...(device === undefined ? {} : { device }) }
    this.#stations.set(id, station)
    this.#box(machine).stations.push(station)
    return station
  }

  #box(machine: Machine): { readonly stations: Station[] } {
    const owner = machine.kind === 'pod' && machine.node !== undefined ? machine.node : machine.name
    const kind = machine.kind === 'pod' ? 'node' : machine.kind === 'switch' ? 'wire' : machine.kind
    const id = `${kind} ${owner}`
    const box = this.#boxes.get(id) ?? { id, kind, name: owner, stations: [] }
    this.#boxes.set(id, box)
    return box
  }
}

/** The bridge whose frame a hook sees, lent by br_netfilter. */
function bridgeBehind({ place, steps }: Hop, machine: Machine): string | undefined {
  if (place.kind !== 'hook') return undefined
  const stage = steps.flatMap(({ event }) => (event.kind === 'stage' && event.bridged ? [event] : []))[0]
  if (!stage) return undefined
  const links = machine.state().links.filter((l) => l.name === stage.in || l.name === stage.out)
  return links.find((l) => l.kind.kind === 'bridge')?.name ?? links.find((l) => l.master !== undefined)?.master
}

const stationKinds = {
  pod: 'pod',
  node: 'process',
  host: 'machine',
  router: 'machine',
  'load-balancer': 'machine',
} as const satisfies Record<Extract<Place, { kind: 'machine' }>['machine'], StationKind>

function kindOfDevice(device: string): StationKind {
  switch (device) {
    case 'veth':
      return 'port'
    case 'bridge':
      return 'bridge'
    case 'vxlan':
    case 'ipip':
    case 'tun':
      return 'tunnel'
    case 'loopback':
    case 'dummy':
      return 'stack'
    default:
      return 'card'
  }
}

const deviceOf = (event: ClusterEvent): string | undefined =>
  event.kind === 'receive' || event.kind === 'transmit' ? event.device : undefined
