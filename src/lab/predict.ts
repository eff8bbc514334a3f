import type { TableName } from '../artefact/iptables/rule.ts'
import { type Network, type Visit, World } from '../cluster/loop.ts'
import type { NetnsId } from '../cluster/machine.ts'
import type { Hook } from '../linux/netfilter/hook.ts'
import { listConntrack } from '../linux/netns.ts'
import { zeroMac } from '../net/mac.ts'
import { type Frame, packetFamily, tcpFlag } from '../packet/packet.ts'
import { type Lot, nextScript, scriptedChance, seededRandom } from '../trace/lots.ts'
import { clientOwner } from '../trace/path.ts'
import { serve } from '../trace/run.ts'
import { matchedIn } from './matched.ts'
import { addLine, type Observation, silent } from './observation.ts'
import {
  end,
  endsLine,
  frameLine,
  isHousekeeping,
  isHousekeepingRun,
  type PortText,
  packetLine,
} from './packet-line.ts'
import type { Probe } from './probe.ts'

/** What kubehop says becomes of a probe, on one branch that chance may take. */
export interface Prediction {
  readonly observation: Observation
  readonly lots: readonly Lot[]
  readonly visits: readonly Visit[]
  /** Virtual time that passed, ms: unanswered neighbour requests take some. */
  readonly took: number
  /** More visits than the limit allows: the packet loops, and a real kernel would be busy for long. */
  readonly overrun: boolean
}

const mostBranches = 64

export function predict(network: Network, probe: Probe, port: PortText): readonly Prediction[] {
  const predictions: Prediction[] = []
  let script: readonly number[] | undefined = []
  while (script && predictions.length < mostBranches) {
    const prediction = predictBranch(network, probe, port, script)
    predictions.push(prediction)
    script = nextScript(prediction.lots)
  }
  return predictions
}

function predictBranch(network: Network, probe: Probe, port: PortText, script: readonly number[]): Prediction {
  const random = seededRandom(probe.asked.seed)
  const chance = scriptedChance(script, (n) => Math.min(n - 1, Math.floor(random() * n)))
  const world = new World(network, { chance, serve: answering, completeHandshake: true, limit: 2000 })
  const visits = world.send(probe.netns, probe.request)
  const observation: Observation = {
    outcome: outcomeOf(visits, probe),
    served: servedIn(visits, network, port),
    devices: devicesIn(visits, bridgesOf(network), port),
    ...chainsIn(visits, network, port),
    matched: matchedIn(visits),
    connections: connectionsIn(world, network, port),
  }
  return { observation, lots: chance.lots, visits, took: world.now(), overrun: world.overrun }
}

/** A server's UDP socket has the kernel's default: what is too big for the device is sent in fragments. */
const answering: typeof serve = (...asked) => {
  const answer = serve(...asked)
  return answer && { ...answer, fragmentTooBig: true }
}

function outcomeOf(visits: readonly Visit[], probe: Probe): string {
  for (const output of visits.flatMap((v) => v.outputs)) {
    if (output.kind === 'deliver' && output.owner === clientOwner && !output.listening) {
      const { payload } = output.packet
      if (payload.kind === 'tcp') return 'connected'
      return `answered with ${payload.kind === 'icmp' && 'data' in payload.message ? payload.message.data : 'data' in payload ? payload.data : 0} bytes`
    }
    if (output.kind === 'error' && output.owner === clientOwner) {
      const message = output.icmp?.payload.kind === 'icmp' ? output.icmp.payload.message : undefined
      if (message?.kind !== 'error') return `error ${output.errno}`
      return icmpOutcome(message.type, message.code, output.icmp?.src ?? '', output.errno, message.mtu)
    }
  }
  return probe.request.payload.kind === 'sctp' ? 'not comparable' : silent
}

/** `mtu` only where the message has one. */
export const icmpOutcome = (type: number, code: number, from: string, errno: string, mtu: number | undefined): string =>
  `icmp ${type}/${code} from ${from} (${errno})${mtu ? ` mtu ${mtu}` : ''}`

/** TCP: a process is reached when the handshake is complete. UDP: when it has the datagram. */
function servedIn(visits: readonly Visit[], { machines }: Network, port: PortText): readonly string[] {
  return visits.flatMap((visit) =>
    visit.events.flatMap((event) => {
      if (event.kind !== 'socket-receive' || event.owner === clientOwner) return []
      // What carries packets is on the way, not its end.
      if (machines.get(visit.netns)?.processes?.some((p) => p.owner === event.owner)) return []
      const { packet, listening } = event
      const { payload } = packet
      const tcp = payload.kind === 'tcp' && !listening && (payload.flags & (tcpFlag.rst | tcpFlag.ack)) === tcpFlag.ack
      if (!tcp && !(payload.kind === 'udp' && listening)) return []
      return [servedLine(visit.netns, [packet.dst, payload.dstPort], [packet.src, payload.srcPort], port)]
    }),
  )
}

type Side = readonly [ip: string, port: number]
export const servedLine = (netns: string, local: Side, peer: Side, port: PortText): string =>
  `${netns} ${end(local[0], port(local[1]))} from ${end(peer[0], port(peer[1]))}`

const directions = {
  host: 'in',
  broadcast: 'in (broadcast)',
  multicast: 'in (multicast)',
  otherhost: 'in (other host)',
}

/** `NETNS DEVICE` of every bridge. */
export const bridgesOf = ({ machines }: Network): ReadonlySet<string> =>
  new Set(
    [...machines.values()].flatMap((m) =>
      m.state().links.flatMap((l) => (l.kind.kind === 'bridge' ? [`${m.id} ${l.name}`] : [])),
    ),
  )

function devicesIn(visits: readonly Visit[], bridges: ReadonlySet<string>, port: PortText): Observation['devices'] {
  const lines = new Map<NetnsId, string[]>()
  for (const { netns, events } of visits) {
    for (const event of events) {
      if (event.kind !== 'receive' && event.kind !== 'transmit') continue
      const { frame, packet, device } = event
      if (isHousekeeping(frame, packet)) continue
      const direction = event.kind === 'transmit' ? 'out' : directions[event.addressed]
      addLine(
        lines,
        netns,
        deviceLine(device, direction, unsigned(frame, direction, bridges.has(`${netns} ${device}`)), packet, port),
      )
    }
  }
  return lines
}

/**
 * A frame whose address was rewritten on a bridge leaves the bridge device with the bridge's MAC, and has its own again at
 * the port: what a recorder sees of it depends on when it copies. Without its source there.
 */
export const unsigned = (frame: Frame | undefined, direction: string, bridge: boolean): Frame | undefined =>
  frame && bridge && direction === 'out' ? { ...frame, src: zeroMac } : frame

export function deviceLine(
  device: string,
  direction: string,
  frame: Parameters<typeof frameLine>[0] | undefined,
  packet: Parameters<typeof packetLine>[0] | undefined,
  port: PortText,
): string {
  // The loopback device's frame has addresses of zeros only.
  const inside = device === 'lo' && frame?.payload.kind === 'ip' ? frame.payload.packet : packet
  const text = inside ? packetLine(inside, port) : frame ? frameLine(frame, port) : ''
  return `${device} ${direction} ${text}`
}

/** A base chain that is being run. */
interface Run {
  readonly netns: NetnsId
  readonly head: string
  readonly rules: string[]
  verdict: string
  /** The first that the trace tells of it is the rule that rejects. */
  isLate?: boolean
}

/** Chains that the loaded rules have: the others are no chains on a real kernel. */
function chainsIn(
  visits: readonly Visit[],
  network: Network,
  port: PortText,
): Required<Pick<Observation, 'chains' | 'late'>> {
  const lines = new Map<NetnsId, string[]>()
  const late = new Set<string>()
  for (const { netns, events } of visits) {
    for (const run of runsIn(netns, events, network, port)) {
      if (isHousekeepingRun(run.head)) continue
      addLine(lines, netns, runLine(run))
      if (run.isLate) late.add(runLine(run))
    }
  }
  return { chains: lines, late }
}

export const runLine = ({
  head,
  rules,
  verdict,
}: {
  head: string
  rules: readonly string[]
  verdict: string
}): string => `${head} :: ${rules.length > 0 ? `${rules.join(' ')} ` : ''}=> ${verdict}`

function runsIn(netns: NetnsId, events: Visit['events'], network: Network, port: PortText): readonly Run[] {
  const { iptables } = network.machines.get(netns)?.state() ?? {}
  const runs: Run[] = []
  let current: Run | undefined
  for (const event of events) {
    if (event.kind === 'stage' && event.stage === 'nftables') {
      const { hook, chain = '', packet } = event
      const name = `nft ${chain}`
      current = {
        netns,
        head: chainHead(name, hook, event.in, event.out, endsLine(packet, port)),
        rules: [],
        verdict: 'accept',
      }
      runs.push(current)
    } else if (event.kind === 'stage') {
      const { hook, stage, packet } = event
      const chain = hook.toUpperCase()
      const table = iptables?.[packetFamily(packet)].tables.find((t) => t.name === (stage as TableName))
      current = undefined
      if (!table?.chains.some((c) => c.name === chain)) continue
      const name = iptablesChain(packetFamily(packet) === 'ipv6' ? 'ip6' : 'ip', stage, chain)
      const head = chainHead(name, hook, event.in, event.out, endsLine(packet, port))
      current = { netns, head, rules: [], verdict: 'accept' }
      runs.push(current)
    } else if (event.kind === 'rule' && current) {
      if (event.verdict === 'reject' && current.rules.length === 0) current.isLate = true
      current.rules.push(`${event.chain}#${event.index}`)
      if (event.verdict === 'drop' || event.verdict === 'reject') current.verdict = 'drop'
    } else if (event.kind === 'chain-end' && current && event.outcome === 'policy-drop') current.verdict = 'drop'
  }
  return runs
}

/** The kernel does not tell the incoming device at POSTROUTING. */
export function chainHead(
  name: string,
  hook: Hook,
  from: string | undefined,
  to: string | undefined,
  packet: string,
): string {
  const arrival = hook === 'postrouting' || hook === 'output' ? '' : ` in ${from ?? '-'}`
  const departure = hook === 'prerouting' || hook === 'input' ? '' : ` out ${to ?? '-'}`
  return `${name}${arrival}${departure} ${packet}`
}

/** `nat PREROUTING`, `ip6 nat PREROUTING`. */
export const iptablesChain = (family: string, table: string, chain: string): string =>
  `${family === 'ip6' ? 'ip6 ' : ''}${table} ${chain}`

function connectionsIn(world: World, network: Network, port: PortText): Observation['connections'] {
  const lines = new Map<NetnsId, string[]>()
  for (const id of network.machines.keys()) {
    const netns = world.visits.some((v) => v.netns === id) ? world.netns(id) : undefined
    for (const c of netns ? listConntrack(netns) : []) {
      addLine(lines, id, connectionLine(c.protocol, c.original, c.reply, c.status.includes('UNREPLIED'), port))
    }
  }
  return new Map([...lines].map(([id, mine]) => [id, mine.toSorted()]))
}

interface TupleText {
  readonly src: string
  readonly dst: string
  readonly srcPort: number
  readonly dstPort: number
}

export function connectionLine(
  protocol: string,
  original: TupleText,
  reply: TupleText,
  unreplied: boolean,
  port: PortText,
): string {
  const icmp = protocol.startsWith('icmp')
  const said = (t: TupleText): string =>
    icmp
      ? `${t.src} > ${t.dst} id ${port(t.srcPort)}`
      : `${end(t.src, port(t.srcPort))} > ${end(t.dst, port(t.dstPort))}`
  return `${protocol} ${said(original)} / ${said(reply)}${unreplied ? ' [UNREPLIED]' : ''}`
}
