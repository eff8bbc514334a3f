import type { Visit } from '../cluster/loop.ts'
import type { Machine, NetnsId } from '../cluster/machine.ts'
import type { ClusterEvent } from '../cluster/process.ts'
import type { Frame, IpPacket, IpPayload } from '../packet/packet.ts'
import type { Hop, Leg, Place, Step } from './trace.ts'

/** Puts the events of a journey in order of place: request, then reply, each a list of hops. */
export function tellStory(path: readonly Visit[], machines: ReadonlyMap<NetnsId, Machine>): readonly Leg[] {
  const teller = new Teller()
  path.forEach((visit, i) => {
    const machine = machines.get(visit.netns)
    if (machine) teller.visit(visit, machine, i === 0)
  })
  return teller.legs()
}

interface OpenHop {
  readonly netns: NetnsId
  readonly machine: Machine
  readonly place: Place
  packetIn: IpPacket | undefined
  packetOut: IpPacket | undefined
  readonly steps: Step[]
}

class Teller {
  readonly #forward: OpenHop[] = []
  readonly #reply: OpenHop[] = []
  #direction: 'forward' | 'reply' = 'forward'
  #resolved: ClusterEvent[] = []

  visit(visit: Visit, machine: Machine, first: boolean): void {
    const carried = isCarried(visit.input)
    if (!first && visit.input.kind === 'send' && !carried) this.#turn()
    const teller = new VisitTeller(visit, machine, carried ? this.#openTunnel(visit.netns) : undefined)
    const released = releasesTunnelPacket(visit)
    const links = machine.kind === 'node' ? machine.state().links : []
    const masters = new Map(
      links.flatMap((l) => (l.master === undefined ? [] : [[l.name as string, l.master as string] as const])),
    )
    const kinds = new Map(links.map((l) => [l.name as string, l.kind.kind as string] as const))
    for (const { event, outer, place } of teller.placed({ masters, kinds })) {
      if (place === 'resolving') {
        this.#resolved.push(event)
        continue
      }
      if (
        this.#direction === 'forward' &&
        event.kind === 'icmp-send' &&
        event.suppressed === undefined &&
        !isRedirect(event.packet)
      )
        this.#turn()
      const tunnel =
        released && (event.kind === 'transmit' || event.kind === 'neighbour')
          ? this.#openTunnel(visit.netns)
          : undefined
      this.#add(machine, visit.netns, tunnel ?? place, event, outer || tunnel !== undefined)
      if (endsRequest(event)) this.#turn()
    }
  }

  legs(): readonly Leg[] {
    let n = 0
    const number = (hop: OpenHop): Hop => ({
      n: hop.place.kind === 'wire' ? undefined : ++n,
      netns: hop.netns,
      node: hop.machine.node,
      place: hop.place,
      packetIn: hop.packetIn,
      packetOut: hop.packetOut,
      steps: hop.steps,
    })
    const forward: Leg = { direction: 'forward', hops: this.#forward.map(number) }
    return this.#reply.length === 0 ? [forward] : [forward, { direction: 'reply', hops: this.#reply.map(number) }]
  }

  /** Where the packet was put into the tunnel whose outer packet leaves now, perhaps after it waited for a neighbour. */
  #openTunnel(netns: NetnsId): Place | undefined {
    const hops = this.#direction === 'forward' ? this.#forward : this.#reply
    const last = hops[hops.length - 1]
    return last?.netns === netns && last.steps.some((s) => entersTunnel(s.event)) ? last.place : undefined
  }

  #turn(): void {
    this.#direction = 'reply'
  }

  #add(machine: Machine, netns: NetnsId, place: Place, event: ClusterEvent, outer: boolean): void {
    // A drop belongs to the packet that was dropped, even when its ICMP error is already on the way.
    const hops =
      event.kind === 'drop' && this.#reply.length === 0
        ? this.#forward
        : this.#direction === 'forward'
          ? this.#forward
          : this.#reply
    const last = hops[hops.length - 1]
    const hop =
      last && last.netns === netns && samePlace(last.place, place) ? last : this.#open(hops, machine, netns, place)
    const packet = outer ? undefined : packetOf(event)
    if (packet) {
      hop.packetIn ??= beforeOf(event) ?? packet
      hop.packetOut = packet
    }
    const resolved = this.#resolved
    this.#resolved = []
    hop.steps.push({ event, ...(outer ? { outer: true as const } : {}), ...(resolved.length > 0 ? { resolved } : {}) })
  }

  #open(hops: OpenHop[], machine: Machine, netns: NetnsId, place: Place): OpenHop {
    const hop: OpenHop = { netns, machine, place, packetIn: undefined, packetOut: undefined, steps: [] }
    hops.push(hop)
    return hop
  }
}

interface Links {
  readonly masters: ReadonlyMap<string, string>
  readonly kinds: ReadonlyMap<string, string>
}

interface PlacedEvent {
  readonly event: ClusterEvent
  readonly outer: boolean
  readonly place: Place | 'resolving'
}

/** Says of each event of one visit where it happened. */
class VisitTeller {
  readonly #visit: Visit
  readonly #machine: Machine
  #place: Place
  #outer = false
  #resolving = false
  /** br_netfilter has the packet: what is looked up now serves the bridge. */
  #bridged = false

  /** `tunnel`: where the packet entered the tunnel whose datagram is sent here. */
  constructor(visit: Visit, machine: Machine, tunnel: Place | undefined) {
    this.#visit = visit
    this.#machine = machine
    this.#place = tunnel ?? machinePlace(machine)
    this.#outer = tunnel !== undefined
  }

  *placed(links: Links): Iterable<PlacedEvent> {
    const { events } = this.#visit
    const besides = resolvingBefore(this.#visit)
    for (const [i, event] of events.entries()) {
      this.#resolving = i < besides || this.#isResolving(event)
      if (this.#resolving) {
        yield { event, outer: false, place: 'resolving' }
        continue
      }
      const tunnel = event.kind === 'receive' ? tunnelBehind(events, i) : undefined
      if (tunnel !== undefined) this.#outer = true
      if (event.kind === 'stage') this.#bridged = event.bridged
      if (event.kind === 'bridge-local' || event.kind === 'bridge-forward') this.#bridged = false
      if (this.#machine.kind === 'node') {
        this.#place =
          tunnel !== undefined && event.kind === 'receive'
            ? tunnelPlace(tunnel, event.device, links)
            : this.#placeOf(event, links)
      }
      yield { event, outer: this.#outer && !leavesTunnel(event), place: this.#place }
      if (event.kind === 'encapsulate') this.#outer = true
      if (leavesTunnel(event)) this.#outer = false
    }
  }

  /** ARP and NDP run beside the story; what a hook says about an NDP packet goes with it. */
  #isResolving(event: ClusterEvent): boolean {
    switch (event.kind) {
      case 'receive':
      case 'transmit':
        return event.frame !== undefined && isResolution(event.frame)
      case 'bridge-local':
      case 'bridge-forward':
        return isResolution(event.frame)
      case 'arp':
      case 'neighbour-learned':
      case 'neighbour-wait':
        return true
      case 'stage':
        return isNdp(event.packet)
      case 'bridge-learn':
        return true
      case 'sysctl':
      case 'rule':
      case 'rule-miss':
      case 'chain-end':
      case 'verdict':
      case 'conntrack':
      case 'conntrack-confirm':
        return this.#resolving
      case 'route':
        return this.#resolving && event.purpose !== 'output'
      default:
        return false
    }
  }

  #placeOf(event: ClusterEvent, { masters, kinds }: Links): Place {
    const device = (name: string): Place => {
      const portOf = masters.get(name)
      const deviceKind = kinds.get(name) ?? 'physical'
      return { kind: 'device', device: name, deviceKind, ...(portOf === undefined ? {} : { portOf }) }
    }
    // While a tunnel's outer packet is under way, all of it is one place: the tunnel.
    if (this.#outer && event.kind !== 'receive') return this.#place
    switch (event.kind) {
      case 'receive':
        return this.#place.kind === 'device' &&
          event.packet === undefined &&
          masters.get(this.#place.device) === event.device
          ? this.#place
          : device(event.device)
      case 'transmit': {
        const here = this.#place.kind === 'device' ? this.#place.device : undefined
        return here !== undefined && (here === event.device || masters.get(event.device) === here)
          ? this.#place
          : device(event.device)
      }
      case 'bridge-local':
      case 'bridge-forward':
        return device(event.bridge)
      case 'neighbour':
      case 'neighbour-failed':
      case 'vxlan-fdb':
      case 'encapsulate':
      case 'mtu':
        return device(event.device)
      case 'decapsulate':
        return this.#place
      case 'passage':
        return device(event.device)
      case 'stage':
        return { kind: 'hook', hook: event.hook }
      case 'conntrack':
        return { kind: 'hook', hook: event.hook }
      case 'route':
        return (event.purpose === 'input' || event.purpose === 'forward') && !this.#bridged
          ? { kind: 'route' }
          : this.#place
      case 'socket-send':
      case 'socket-receive':
      case 'socket-none':
      case 'socket-error':
        return machinePlace(this.#machine)
      case 'icmp-send':
        return machinePlace(this.#machine)
      default:
        return this.#place
    }
  }
}

function machinePlace(machine: Machine): Place {
  const name = machine.namespace === undefined ? machine.name : `${machine.namespace}/${machine.name}`
  return machine.kind === 'switch'
    ? { kind: 'wire', segment: machine.name }
    : { kind: 'machine', machine: machine.kind, name }
}

/** After this event the packet in hand is an answer. */
const endsRequest = (event: ClusterEvent): boolean =>
  (event.kind === 'socket-receive' && event.listening && carriedBy(event.packet.payload) === undefined) ||
  event.kind === 'socket-none'

/** The tunnel device that a later decapsulation takes this receipt's packet out of. */
function tunnelBehind(events: readonly ClusterEvent[], at: number): string | undefined {
  const next = events.slice(at + 1).find((e) => leavesTunnel(e) || e.kind === 'receive')
  return next && leavesTunnel(next) ? next.device : undefined
}

const tunnelPlace = (device: string, from: string, { kinds }: Links): Place => ({
  kind: 'device',
  device,
  deviceKind: kinds.get(device) ?? 'vxlan',
  from,
})

/**
 * How many events of the visit come before any of the traced packet: all, where a question or an answer about a neighbour
 * came in, up to the packet that waited for it.
 */
function resolvingBefore({ input, events }: Visit): number {
  if (input.kind !== 'receive' || !isResolution(input.frame)) return 0
  const released = events.findIndex((e) => e.kind === 'transmit' && e.frame !== undefined && !isResolution(e.frame))
  if (released < 0) return events.length
  const before = events[released - 1]
  return before?.kind === 'neighbour' ? released - 1 : released
}

const isResolution = (frame: Frame): boolean => frame.payload.kind === 'arp' || isNdp(frame.payload.packet)
/** An outer packet that waited for a neighbour leaves, in another visit than the one that made it. */
const releasesTunnelPacket = ({ events }: Visit): boolean =>
  events.some((e) => e.kind === 'transmit' && e.frame !== undefined && carriesTunnel(e.frame)) &&
  !events.some((e) => e.kind === 'encapsulate')

const carriesTunnel = ({ payload }: Frame): boolean =>
  payload.kind === 'ip' &&
  (payload.packet.payload.kind === 'ipip' ||
    (payload.packet.payload.kind === 'udp' && payload.packet.payload.vxlan !== undefined) ||
    carriedBy(payload.packet.payload) !== undefined)

/** The packet that a process sends as the payload of a datagram. */
const carriedBy = (payload: IpPayload): IpPacket | undefined => (payload.kind === 'udp' ? payload.tunnelled : undefined)

const isCarried = (input: Visit['input']): boolean =>
  input.kind === 'send' && carriedBy(input.request.payload) !== undefined

type Passage = Extract<ClusterEvent, { kind: 'passage' }>

/** Into a tunnel by the kernel's device, or by a process that sends the packet on as a datagram. */
const entersTunnel = (event: ClusterEvent): boolean =>
  event.kind === 'encapsulate' || (event.kind === 'passage' && event.by === 'socket' && event.to === 'kernel')

const leavesTunnel = (event: ClusterEvent): event is Passage | Extract<ClusterEvent, { kind: 'decapsulate' }> =>
  event.kind === 'decapsulate' || (event.kind === 'passage' && event.by === 'socket' && event.to === 'process')

/** A router that tells of a shorter way sends the packet on all the same. */
const isRedirect = ({ payload }: IpPacket): boolean => payload.kind === 'icmp' && payload.message.kind === 'redirect'

const isNdp = (packet: IpPacket): boolean =>
  packet.payload.kind === 'icmp' &&
  (packet.payload.message.kind === 'neighbour-solicitation' ||
    packet.payload.message.kind === 'neighbour-advertisement')

function samePlace(a: Place, b: Place): boolean {
  switch (a.kind) {
    case 'machine':
      return b.kind === 'machine' && a.name === b.name
    case 'device':
      return b.kind === 'device' && a.device === b.device
    case 'hook':
      return b.kind === 'hook' && a.hook === b.hook
    case 'route':
      return b.kind === 'route'
    case 'wire':
      return b.kind === 'wire' && a.segment === b.segment
  }
}

/** The packet as it is after the event. */
function packetOf(event: ClusterEvent): IpPacket | undefined {
  switch (event.kind) {
    case 'receive':
    case 'transmit':
      return event.packet ?? (event.frame?.payload.kind === 'ip' ? event.frame.payload.packet : undefined)
    case 'stage':
    case 'socket-send':
    case 'socket-receive':
    case 'socket-none':
    case 'passage':
      return event.packet
    case 'icmp-send':
      return isRedirect(event.packet) ? undefined : event.packet
    case 'nat':
      return event.after
    case 'encapsulate':
    case 'decapsulate':
      return event.inner
    case 'bridge-local':
    case 'bridge-forward':
      return event.frame.payload.kind === 'ip' ? event.frame.payload.packet : undefined
    default:
      return undefined
  }
}

const beforeOf = (event: ClusterEvent): IpPacket | undefined => (event.kind === 'nat' ? event.before : undefined)
