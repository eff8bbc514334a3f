import { parseRuleset } from '../../../src/artefact/iptables/parse.ts'
import { type AddressType, emptyRuleset, type Ruleset } from '../../../src/artefact/iptables/rule.ts'
import { deviceName } from '../../../src/artefact/link.ts'
import type { ConntrackEntry } from '../../../src/artefact/netns.ts'
import { parseNft } from '../../../src/artefact/nft/read.ts'
import type { NftRuleset } from '../../../src/artefact/nft/ruleset.ts'
import type { Chance } from '../../../src/linux/chance.ts'
import type { LinuxEvent } from '../../../src/linux/event.ts'
import type { NetfilterContext } from '../../../src/linux/netfilter/context.ts'
import { readCounters } from '../../../src/linux/netfilter/counters.ts'
import type { Hook, HookResult } from '../../../src/linux/netfilter/hook.ts'
import { connectionsOf, createNetfilter, type Netfilter, runHook } from '../../../src/linux/netfilter/netfilter.ts'
import { type Skb, skbOf } from '../../../src/linux/skb.ts'
import { type Family, familyOf, ip } from '../../../src/net/ip.ts'
import { type IpPacket, type IpPayload, tcpFlag } from '../../../src/packet/packet.ts'

export interface RigOptions {
  readonly v4?: string
  readonly v6?: string
  /** `nft list ruleset`, or a script. */
  readonly nft?: string
  readonly conntrack?: readonly ConntrackEntry[]
  readonly sysctls?: Readonly<Record<string, string>>
  readonly local?: readonly string[]
  /** Whether each lot is taken, in turn; false once they run out. */
  readonly lots?: readonly boolean[]
  readonly everyRule?: boolean
  /** Without the index of long chains. */
  readonly linear?: boolean
  /** Addresses by device, for MASQUERADE and REDIRECT. */
  readonly addresses?: Readonly<Record<string, string>>
}

/** One namespace's netfilter, with a virtual clock and a record of what it told. */
export interface Rig {
  readonly nf: Netfilter
  readonly events: LinuxEvent[]
  clock: number
  run(hook: Hook, skb: Skb): HookResult
  /** PREROUTING, FORWARD and POSTROUTING in one go; stops where the packet ends. */
  forward(packet: IpPacket, devices?: { in?: string; out?: string }): HookResult
  /** PREROUTING and INPUT. */
  deliver(packet: IpPacket): HookResult
  /** OUTPUT and POSTROUTING. */
  send(packet: IpPacket): HookResult
  /** `+2 nat PREROUTING#1`, in the order of the rules. */
  counters(family?: Family): readonly string[]
  /** `nat PREROUTING#1 2:120`: packets and bytes. */
  byteCounters(): readonly string[]
  /** `tcp SYN_SENT 10.0.0.1:1000>10.0.0.2:80 10.0.0.2:80>10.0.0.1:1000 UNREPLIED`. */
  connections(): readonly string[]
}

export function ruleset(text: string, family: Family): Ruleset {
  const parsed = parseRuleset(text, family)
  if (parsed.problems.length > 0) throw new Error(JSON.stringify(parsed.problems))
  return parsed.ruleset
}

export function nftRuleset(text: string): NftRuleset {
  const parsed = parseNft(text)
  if (parsed.problems.length > 0) throw new Error(JSON.stringify(parsed.problems))
  return parsed.ruleset
}

export function rig(options: RigOptions = {}): Rig {
  const events: LinuxEvent[] = []
  const lots = [...(options.lots ?? [])]
  const time = { now: 0 }
  let noise = 0
  const chance: Chance = {
    probably: () => lots.shift() ?? false,
    pick: () => 0,
    noise: (n) => {
      noise += 7919
      return noise % n
    },
  }
  const made: Rig = {
    nf: createNetfilter(
      {
        ipv4: options.v4 ? ruleset(options.v4, 'ipv4') : emptyRuleset('ipv4'),
        ipv6: options.v6 ? ruleset(options.v6, 'ipv6') : emptyRuleset('ipv6'),
      },
      options.conntrack ?? [],
      { now: () => time.now },
      options.nft === undefined ? undefined : nftRuleset(options.nft),
    ),
    events,
    get clock() {
      return time.now
    },
    set clock(ms) {
      time.now = ms
    },
    run: (hook, skb) => runHook(made.nf, hook, skb, context(made, options, chance, skb)),
    forward: (packet, { in: inDevice = 'eth0', out = 'eth1' } = {}) =>
      inTurn(
        made,
        [
          ['prerouting', (skb) => ({ ...skb, inDevice: device(inDevice) })],
          ['forward', (skb) => ({ ...skb, outDevice: device(out) })],
          ['postrouting', (skb) => skb],
        ],
        packet,
      ),
    deliver: (packet) =>
      inTurn(
        made,
        [
          ['prerouting', (skb) => ({ ...skb, inDevice: device('eth0') })],
          ['input', (skb) => skb],
        ],
        packet,
      ),
    send: (packet) =>
      inTurn(
        made,
        [
          ['output', (skb) => ({ ...skb, outDevice: device('eth1') })],
          ['postrouting', (skb) => skb],
        ],
        packet,
      ),
    counters: (family = 'ipv4') =>
      readCounters(made.nf, family).map((c) => `+${c.packets} ${c.table} ${c.chain}#${c.index}`),
    byteCounters: () =>
      readCounters(made.nf, 'ipv4').map((c) => `${c.table} ${c.chain}#${c.index} ${c.packets}:${c.bytes}`),
    connections: () => connectionsOf(made.nf).map(formatEntry),
  }
  return made
}

function inTurn(r: Rig, steps: readonly (readonly [Hook, (skb: Skb) => Skb])[], packet: IpPacket): HookResult {
  let result: HookResult = { verdict: 'accept', skb: skbOf(packet) }
  for (const [hook, prepare] of steps) {
    result = r.run(hook, prepare(result.skb))
    if (result.verdict !== 'accept') break
  }
  return result
}

function context(r: Rig, options: RigOptions, chance: Chance, skb: Skb): NetfilterContext {
  const local = new Set(['127.0.0.1', '::1', ...(options.local ?? [])])
  const addresses = options.addresses ?? { eth0: '192.0.2.1', eth1: '198.51.100.1' }
  return {
    emit: (event) => r.events.push(event),
    chance,
    clock: { now: () => r.clock },
    everyRule: options.everyRule ?? false,
    linear: options.linear ?? false,
    bridged: false,
    nexthop: skb.packet.dst,
    addressType: (address): AddressType => (local.has(address) ? 'LOCAL' : 'UNICAST'),
    sourceAddress: (device, nexthop) => {
      const text = addresses[familyOf(nexthop) === 'ipv6' ? `${device}/6` : device]
      return text === undefined ? undefined : ip(text)
    },
    reversePath: () => true,
    sysctl: (key) => options.sysctls?.[key],
  }
}

export const device = deviceName

export const packet = (src: string, dst: string, payload: IpPayload): IpPacket => ({
  src: ip(src),
  dst: ip(dst),
  ttl: 64,
  tos: 0,
  id: 0,
  df: true,
  payload,
})

/** `10.0.0.1:1000`, `[fd00::1]:1000`. */
function endOf(text: string): { readonly ip: string; readonly port: number } {
  const colon = text.lastIndexOf(':')
  return { ip: text.slice(0, colon).replace(/[[\]]/g, ''), port: Number(text.slice(colon + 1)) }
}

export function udp(from: string, to: string): IpPacket {
  const [a, b] = [endOf(from), endOf(to)]
  return packet(a.ip, b.ip, { kind: 'udp', srcPort: a.port, dstPort: b.port, data: 4 })
}

/** Flags as tcpdump writes them: S, S., ., F., R, P. */
export function tcp(
  from: string,
  to: string,
  flags: string,
  more: { seq?: number; ack?: number; data?: number } = {},
): IpPacket {
  const [a, b] = [endOf(from), endOf(to)]
  const bits = [...flags].reduce((sum, letter) => sum | (flagBits[letter] ?? 0), 0)
  const { seq = 0, ack = 0, data = 0 } = more
  return packet(a.ip, b.ip, { kind: 'tcp', srcPort: a.port, dstPort: b.port, flags: bits, seq, ack, options: 0, data })
}

const flagBits: Readonly<Record<string, number>> = {
  S: tcpFlag.syn,
  F: tcpFlag.fin,
  R: tcpFlag.rst,
  P: tcpFlag.psh,
  '.': tcpFlag.ack,
}

export const echo = (
  src: string,
  dst: string,
  id: number,
  kind: 'echo-request' | 'echo-reply' = 'echo-request',
): IpPacket => packet(src, dst, { kind: 'icmp', message: { kind, id, seq: 1, data: 8 } })

export const icmpError = (src: string, dst: string, quoted: IpPacket, type = 3, code = 3): IpPacket =>
  packet(src, dst, { kind: 'icmp', message: { kind: 'error', type, code, quoted } })

/** The answer of a server that has the packet in hand. */
export function answerTo(p: IpPacket): IpPacket {
  const { payload } = p
  const back = { ...p, src: p.dst, dst: p.src }
  if (payload.kind === 'icmp' && payload.message.kind === 'echo-request') {
    return { ...back, payload: { ...payload, message: { ...payload.message, kind: 'echo-reply' } } }
  }
  if (payload.kind !== 'tcp' && payload.kind !== 'udp' && payload.kind !== 'sctp') return back
  const ends = { srcPort: payload.dstPort, dstPort: payload.srcPort }
  if (payload.kind !== 'tcp') return { ...back, payload: { ...payload, ...ends } }
  const answer = { flags: tcpFlag.syn | tcpFlag.ack, seq: 5000, ack: (payload.seq + 1) >>> 0 }
  return { ...back, payload: { ...payload, ...ends, ...answer } }
}

/** `10.0.0.1:1000 > 10.0.0.2:80`; an echo shows its id as the port. */
export function flow(p: IpPacket): string {
  const { payload } = p
  if (payload.kind === 'icmp') {
    const { message } = payload
    if (message.kind === 'error') return `${p.src} > ${p.dst} about ${flow(message.quoted)}`
    return `${p.src} > ${p.dst} id ${'id' in message ? message.id : '-'}`
  }
  return 'srcPort' in payload ? `${p.src}:${payload.srcPort} > ${p.dst}:${payload.dstPort}` : `${p.src} > ${p.dst}`
}

function formatEntry(c: ConntrackEntry): string {
  const tuple = (t: ConntrackEntry['original']): string => `${t.src}:${t.srcPort}>${t.dst}:${t.dstPort}`
  return [c.protocol, c.state, tuple(c.original), tuple(c.reply), ...c.status]
    .filter((part) => part !== undefined)
    .join(' ')
}

/** The rules that matched, as `table CHAIN#n verdict`. */
export const matched = (r: Rig): readonly string[] =>
  r.events.flatMap((e) => (e.kind === 'rule' ? [`${e.table} ${e.chain}#${e.index} ${e.verdict}`] : []))

/** The states that conntrack gave, one for each packet. */
export const states = (r: Rig): readonly string[] => r.events.flatMap((e) => (e.kind === 'conntrack' ? [e.state] : []))
