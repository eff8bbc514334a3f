import { serviceName } from '../artefact/ipvs.ts'
import { formatRoute } from '../artefact/route-text.ts'
import type { ClusterEvent } from '../cluster/process.ts'
import type { RouteOutcome } from '../linux/event.ts'
import { formatSocketAddress } from '../net/port.ts'
import { formatPacket } from '../packet/format.ts'
import { packetLength } from '../packet/length.ts'
import type { IpPacket } from '../packet/packet.ts'
import type { ReasonCode } from '../trace/trace.ts'
import { formatOrigin } from './origin.ts'
import { natName, ruleEvidence, ruleOrigin } from './rule-text.ts'

/** One step, as text: what was decided, and beneath it the evidence. */
export interface StepText {
  /** The kind of decision, in a column of its own: `nat`, `fib`, `neigh`. */
  readonly label: string
  readonly text: string
  /** Printed verbatim, indented further. */
  readonly evidence?: readonly string[]
  readonly tone?: 'good' | 'bad' | 'change'
  /** From which level of detail on it is printed: 0 by default, 1 with -v, 2 with -vv. */
  readonly level: 0 | 1 | 2
}

/** `reason`: what a drop means in a cluster. */
export function stepText(event: ClusterEvent, decides: boolean, reason?: ReasonCode): StepText | undefined {
  switch (event.kind) {
    case 'receive':
      return {
        label: 'in',
        text: `${event.device}${event.addressed === 'host' ? '' : `, frame for ${event.addressed === 'otherhost' ? 'another station' : `a ${event.addressed} address`}`}`,
        level: 1,
      }
    case 'transmit':
      return { label: 'out', text: event.device, level: 1 }
    case 'mtu':
      return {
        label: 'mtu',
        text: `${event.length} bytes > ${event.mtu} of ${event.device}: ${event.outcome === 'too-big' ? 'too big, and DF is set' : 'fragmented'}`,
        level: 0,
        tone: 'change',
      }
    case 'bridge-learn':
      return { label: 'learn', text: `${event.mac} is behind ${event.port}`, level: 1 }
    case 'bridge-local':
      return {
        label: 'bridge',
        text: `from ${event.port}, addressed to ${event.bridge} itself: up to IP`,
        level: 0,
      }
    case 'bridge-forward': {
      const ports = event.to.length > 0 ? event.to.join(', ') : 'no port'
      const by = event.by === 'fdb' ? `${event.frame.dst} is known there` : `${event.frame.dst} is unknown: flooded`
      return { label: 'bridge', text: `${event.from ?? event.bridge} -> ${ports}  (${by})`, level: 0 }
    }
    case 'vxlan-fdb':
      return {
        label: 'fdb',
        text: event.entry ? `${event.mac} -> ${event.entry.dst ?? 'no remote'}` : `${event.mac}: no entry`,
        level: 0,
      }
    case 'encapsulate':
      return encapsulation(event)
    case 'decapsulate':
      return {
        label: 'decap',
        text: `${event.form}${event.vni === undefined ? '' : ` vni ${event.vni}`}  ${event.outer.src} -> ${event.outer.dst}, inside ${formatPacket(event.inner)}`,
        level: 0,
        tone: 'change',
      }
    case 'route':
      return {
        label: event.purpose === 'reroute' ? 'reroute' : 'fib',
        text: routeText(event.result),
        level: event.purpose === 'icmp' ? 1 : 0,
      }
    case 'route-candidates':
      return { label: 'fib', text: 'compared', evidence: event.candidates.map(formatRoute), level: 2 }
    case 'sysctl':
      return { label: 'sysctl', text: `${event.key} = ${event.value}: ${event.effect}`, level: 0 }
    case 'neighbour':
      return {
        label: 'neigh',
        text: `${event.ip} dev ${event.device} -> ${event.entry.mac}  ${event.entry.state}`,
        level: event.entry.state === 'permanent' ? 0 : 1,
      }
    case 'neighbour-wait':
      return { label: 'neigh', text: `${event.ip} dev ${event.device} is unknown: asking`, level: 1 }
    case 'neighbour-failed':
      return {
        label: 'neigh',
        text: `${event.ip} dev ${event.device}: no answer to ${event.probes} requests`,
        level: 0,
        tone: 'bad',
      }
    case 'neighbour-learned':
      return { label: 'neigh', text: `${event.ip} dev ${event.device} is ${event.mac}`, level: 1 }
    case 'arp':
      return {
        label: 'arp',
        text: `who has ${event.arp.targetIp}: ${event.answered === 'no' ? `not answered${event.because ? `, ${event.because}` : ''}` : `answered (${event.answered})`}`,
        level: 1,
      }
    case 'stage':
      return {
        label: event.stage,
        text: [event.chain ?? '', event.bridged ? 'bridged frame, lent to IP by br_netfilter' : ''].join(' ').trim(),
        level: 2,
      }
    case 'rule':
      return ruleStep(event, decides)
    case 'rule-miss':
      return { label: event.table, text: `${event.chain}:${event.index}  no: ${event.failed}`, level: 2 }
    case 'chain-end':
      return chainEnd(event)
    case 'choice':
      if (event.engine === 'nftables') {
        const text = `${event.chain}:${event.index} ${event.option} of ${event.options} (numgen)`
        return { label: 'random', text, level: 1 }
      }
      return {
        label: 'random',
        text: `${event.chain}:${event.index} ${event.taken ? 'taken' : 'passed over'} (probability ${(event.numerator / 2 ** 31).toFixed(5)})`,
        level: 1,
      }
    case 'mark':
      return {
        label: 'mark',
        text: `${hex(event.before)} -> ${hex(event.after)}`,
        level: decides && event.before !== event.after ? 0 : 1,
        tone: 'change',
      }
    case 'ipvs':
      return ipvsStep(event)
    case 'nat':
      return { label: 'rewrite', text: natText(event), level: 0, tone: 'change' }
    case 'verdict':
      return { label: 'hook', text: `${event.hook} ${event.verdict}`, level: 2 }
    case 'conntrack':
      return conntrackStep(event)
    case 'conntrack-confirm':
      return {
        label: 'conntrack',
        text: `#${event.connection} confirmed  ${tuple(event.original)}   reply ${tuple(event.reply)}`,
        level: 1,
      }
    case 'conntrack-clash':
      return { label: 'conntrack', text: `the entry ${tuple(event.tuple)} is taken`, level: 0, tone: 'bad' }
    case 'conntrack-destroy':
      return { label: 'conntrack', text: `#${event.connection} removed: ${event.why}`, level: 1 }
    case 'socket-send':
      return { label: 'sends', text: `${formatPacket(event.packet)}  (${event.owner})`, level: 1 }
    case 'socket-receive':
      return {
        label: 'socket',
        text: `${formatPacket(event.packet)}  ${event.listening ? 'listening: ' : ''}${event.owner}`,
        level: 0,
        tone: 'good',
      }
    case 'socket-none':
      return {
        label: 'socket',
        text: `nothing listens on ${destination(event.packet)}: ${socketAnswer(event.answer)}`,
        level: 0,
        tone: 'bad',
      }
    case 'socket-error':
      return { label: 'socket', text: `${event.errno} for ${event.owner}: ${event.why}`, level: 0, tone: 'bad' }
    case 'icmp-send':
      return {
        label: 'icmp',
        text: `${formatPacket(event.packet)}  (${event.why})${event.suppressed === undefined ? '' : `, not sent: ${event.suppressed}`}`,
        level: event.suppressed === undefined ? 0 : 1,
      }
    case 'passage':
      return { label: event.process, text: passageText(event), level: 0, tone: 'change' }
    case 'drop':
      return { label: 'drop', text: `${reason ?? event.reason}: ${event.detail}`, level: 0, tone: 'bad' }
  }
}

type EventOf<K extends ClusterEvent['kind']> = Extract<ClusterEvent, { kind: K }>

function encapsulation({ outer, inner, overhead, form, vni }: EventOf<'encapsulate'>): StepText {
  const { payload } = outer
  const udp = payload.kind === 'udp' ? `vni ${vni ?? '?'}  udp ${source(outer)} -> ${destination(outer)}` : ''
  const text = form === 'vxlan' ? udp : `ipip ${outer.src} -> ${outer.dst}`
  return {
    label: 'encap',
    text: `${text}  ${packetLength(inner)} + ${overhead} = ${packetLength(outer)} bytes`,
    level: 0,
    tone: 'change',
  }
}

/** `flannel0 -> flanneld  ttl 63`: each line is one copy between the kernel and a process. */
export function passageText({ to, process, device, by, packet, peer, because }: EventOf<'passage'>): string {
  const kernelSide = by === 'tun' ? device : `socket${peer === undefined ? '' : `, peer ${peer}`}`
  const bytes =
    by === 'socket' && to === 'kernel' ? `  ${packetLength(packet)} + 28 = ${packetLength(packet) + 28} bytes` : ''
  const way = to === 'process' ? `kernel -> ${process}  from ${kernelSide}` : `${process} -> kernel  to ${kernelSide}`
  return `${way}  ttl ${packet.ttl}${bytes}${because === undefined ? '' : `  (${because})`}`
}

export function routeText(result: RouteOutcome): string {
  switch (result.kind) {
    case 'unicast':
      return `${formatRoute(result.route)}${result.route.origin ? `   (${formatOrigin(result.route.origin)})` : ''}`
    case 'local':
      return `local: delivered here, ${result.route.dst.address} dev ${result.device}`
    case 'broadcast':
    case 'multicast':
      return `${result.kind} dev ${result.device}`
    case 'blackhole':
    case 'unreachable':
    case 'prohibit':
      return formatRoute(result.route)
    case 'none':
      return 'no route'
  }
}

function ruleStep(event: EventOf<'rule'>, decides: boolean): StepText {
  const { table, chain, index, examined, verdict } = event
  const from = ruleOrigin(event)
  const origin = from ? `  ${formatOrigin(from)}` : ''
  const count = examined > 1 ? `   ${examined} rules examined` : ''
  const tone = verdict === 'drop' || verdict === 'reject' || verdict === 'undecided' ? { tone: 'bad' as const } : {}
  // How a built-in chain comes to an agent's chain is the same for every packet.
  const isEntry = verdict === 'jump' && isBuiltinChain(chain)
  return {
    label: table,
    text: `${chain}:${index}${ruleVerdict(event)}${origin}${count}`,
    evidence: ruleEvidence(event),
    level: decides && !isEntry ? 0 : 1,
    ...tone,
  }
}

const isBuiltinChain = (chain: string): boolean => /^[A-Z]+$/.test(chain)

/** What the rule did, where it ended the walk: `DNAT` and `MASQUERADE` say more than the accept that they imply. */
function ruleVerdict(event: EventOf<'rule'>): string {
  switch (event.verdict) {
    case 'accept':
      return `  ${natName(event)?.toUpperCase() ?? 'accept'}`
    case 'drop':
    case 'reject':
    case 'undecided':
      return `  ${event.verdict}`
    case 'jump':
    case 'goto':
    case 'return':
    case 'continue':
      return ''
  }
}

function ipvsStep({ service, server, outcome }: EventOf<'ipvs'>): StepText {
  const origin = service.origin ? `  ${formatOrigin(service.origin)}` : ''
  const name = `${serviceName(service)} ${service.scheduler}`
  if (!server) return { label: 'ipvs', text: `${name}: no real server${origin}`, level: 0, tone: 'bad' }
  const how = outcome === 'scheduled' ? '' : outcome === 'persistent' ? ', as before (persistence)' : ', as before'
  return {
    label: 'ipvs',
    text: `${name} -> ${formatSocketAddress(server.address, server.port)}${how}${origin}`,
    level: 0,
  }
}

function chainEnd(event: EventOf<'chain-end'>): StepText {
  const end =
    event.outcome === 'return' ? 'returns' : event.outcome === 'policy-accept' ? 'policy ACCEPT' : 'policy DROP'
  const bad = event.outcome === 'policy-drop'
  return {
    label: event.table,
    text: `${event.chain}  ${end}, ${event.examined} rules examined, none decided`,
    level: bad ? 0 : 1,
    ...(bad ? { tone: 'bad' as const } : {}),
  }
}

function conntrackStep(event: EventOf<'conntrack'>): StepText {
  const reply = event.direction === 'reply' ? ' (reply)' : ''
  const id = event.connection === undefined ? '' : `  #${event.connection}`
  const why = event.why === undefined ? '' : `: ${event.why}`
  const bad = event.state === 'INVALID'
  return {
    label: 'conntrack',
    text: `${event.state}${reply}${id}${why}`,
    level: 0,
    ...(bad ? { tone: 'bad' as const } : {}),
  }
}

/** `dst 10.96.45.67:80 -> 10.244.2.8:8080  (DNAT)`: rewrites look alike everywhere. */
export function natText({ before, after, manip, why }: EventOf<'nat'>): string {
  const side = (packet: IpPacket): string => (manip === 'src' ? source(packet) : destination(packet))
  const forward = manip === 'src' ? 'SNAT' : 'DNAT'
  const inverse = manip === 'src' ? 'un-DNAT' : 'un-SNAT'
  const name =
    why === 'new'
      ? forward
      : why === 'established'
        ? `${forward} as before`
        : why === 'reply'
          ? inverse
          : `${inverse} of an ICMP error`
  return `${manip} ${side(before)} -> ${side(after)}  (${name})`
}

export function source(packet: IpPacket): string {
  const { payload } = packet
  return payload.kind === 'tcp' || payload.kind === 'udp' || payload.kind === 'sctp'
    ? formatSocketAddress(packet.src, payload.srcPort)
    : packet.src
}

export function destination(packet: IpPacket): string {
  const { payload } = packet
  return payload.kind === 'tcp' || payload.kind === 'udp' || payload.kind === 'sctp'
    ? formatSocketAddress(packet.dst, payload.dstPort)
    : packet.dst
}

const tuple = (t: {
  readonly src: string
  readonly dst: string
  readonly srcPort: number
  readonly dstPort: number
}): string => `${formatSocketAddress(t.src, t.srcPort)} -> ${formatSocketAddress(t.dst, t.dstPort)}`

function socketAnswer(answer: EventOf<'socket-none'>['answer']): string {
  switch (answer) {
    case 'rst':
      return 'answered with RST'
    case 'port-unreachable':
      return 'answered with ICMP port unreachable'
    case 'abort':
      return 'answered with ABORT'
    case 'none':
      return 'no answer'
  }
}

const hex = (n: number): string => `0x${n.toString(16)}`
