import { emptyRuleset, type Ruleset } from '../../../src/artefact/iptables/rule.ts'
import { deviceName } from '../../../src/artefact/link.ts'
import type { Chance } from '../../../src/linux/chance.ts'
import type { NetfilterContext } from '../../../src/linux/netfilter/context.ts'
import type { Hook, HookResult } from '../../../src/linux/netfilter/hook.ts'
import { createNetfilter, runHook } from '../../../src/linux/netfilter/netfilter.ts'
import { skbOf } from '../../../src/linux/skb.ts'
import { ip } from '../../../src/net/ip.ts'
import { formatSocketAddress, type TransportProtocol } from '../../../src/net/port.ts'
import { type IpPacket, type IpPayload, tcpFlag } from '../../../src/packet/packet.ts'
import type { ProxySettings } from '../../../src/proxy/proxy-settings.ts'

/** A new connection from an address: from the node itself if the address is the node's, else from outside. */
export interface Flow {
  readonly from: string
  readonly protocol: TransportProtocol
  readonly destIP: string
  readonly destPort: number
}

export type Outcome =
  /** Every endpoint that may be chosen, in the order of the rules. */
  | { readonly outcome: 'dnat'; readonly endpoints: readonly string[]; readonly masquerade: boolean }
  | { readonly outcome: 'reject' | 'drop' }
  /** A filter rule let it in; or no rule was about it. */
  | { readonly outcome: 'accept' | 'none' }

/** What the rules of a node do with a packet, over every way that the lots may fall. */
export function follow(flow: Flow, ruleset: Ruleset, settings: ProxySettings): Outcome {
  const outcomes: Outcome[] = []
  const pending: boolean[][] = [[]]
  for (let lots = pending.shift(); lots; lots = pending.shift()) {
    const { outcome, drawn } = followOnce(flow, ruleset, settings, lots)
    outcomes.push(outcome)
    // Lots beyond those given were taken: the other way of each is still to be followed.
    for (let i = lots.length; i < drawn; i++)
      pending.push([...lots, ...new Array<boolean>(i - lots.length).fill(true), false])
  }
  return merged(outcomes)
}

function merged(outcomes: readonly Outcome[]): Outcome {
  const [first] = outcomes
  if (first === undefined) throw new Error('nothing was followed')
  const endpoints = outcomes.flatMap((o) => (o.outcome === 'dnat' ? o.endpoints : []))
  return first.outcome === 'dnat' ? { ...first, endpoints } : first
}

function followOnce(flow: Flow, ruleset: Ruleset, settings: ProxySettings, lots: readonly boolean[]) {
  let drawn = 0
  let isAccepted = false
  const noSuch = { ipv4: emptyRuleset('ipv4'), ipv6: emptyRuleset('ipv6') }
  const clock = { now: () => 0 }
  const nf = createNetfilter({ ...noSuch, [ruleset.family]: ruleset }, [], clock)
  const chance: Chance = { probably: () => lots[drawn++] ?? true, pick: () => 0, noise: () => 0 }
  const local = new Set<string>(settings.localIPs)
  const context: NetfilterContext = {
    emit: (event) => {
      if (event.kind === 'rule' && event.table === 'filter' && event.verdict === 'accept') isAccepted = true
    },
    chance,
    clock,
    everyRule: false,
    bridged: false,
    nexthop: undefined,
    addressType: (address) => (local.has(address) ? 'LOCAL' : 'UNICAST'),
    sourceAddress: () => settings.nodeIP,
    reversePath: () => true,
    sysctl: () => undefined,
  }
  const packet = packetOf(flow)
  const hooks = hooksOf(local.has(flow.from), local.has(flow.destIP))
  let result: HookResult = { verdict: 'accept', skb: skbOf(packet) }
  for (const hook of hooks) {
    const devices =
      hook === 'prerouting'
        ? { inDevice: deviceName('eth0') }
        : hook === 'input'
          ? {}
          : { outDevice: deviceName('eth1') }
    result = runHook(nf, hook, { ...result.skb, ...devices }, context)
    if (result.verdict !== 'accept' || isTranslated(result, packet)) break
  }
  return { outcome: outcomeOf(result, packet, settings, isAccepted), drawn }
}

/** The way of a packet that nothing translates. A node that calls its own address receives it by loopback. */
function hooksOf(fromNode: boolean, toNode: boolean): readonly Hook[] {
  if (fromNode) return toNode ? ['output', 'input'] : ['output']
  return ['prerouting', toNode ? 'input' : 'forward']
}

const isTranslated = ({ skb }: HookResult, before: IpPacket): boolean => endOf(skb.packet) !== endOf(before)

function outcomeOf(result: HookResult, before: IpPacket, settings: ProxySettings, isAccepted: boolean): Outcome {
  if (result.verdict === 'drop' || result.verdict === 'reject') return { outcome: result.verdict }
  if (result.verdict === 'undecided') throw new Error('a rule was not understood')
  if (!isTranslated(result, before)) return { outcome: isAccepted ? 'accept' : 'none' }
  const masquerade = (result.skb.mark & settings.masqueradeMark) !== 0
  return { outcome: 'dnat', endpoints: [endOf(result.skb.packet)], masquerade }
}

const endOf = ({ dst, payload }: IpPacket): string =>
  formatSocketAddress(dst, 'dstPort' in payload ? payload.dstPort : 0)

const packetOf = ({ from, destIP, ...flow }: Flow): IpPacket => ({
  src: ip(from),
  dst: ip(destIP),
  ttl: 64,
  tos: 0,
  id: 0,
  df: true,
  payload: payloadOf(flow.protocol, flow.destPort),
})

function payloadOf(kind: TransportProtocol, dstPort: number): IpPayload {
  const ports = { srcPort: 40000, dstPort, data: 0 } as const
  switch (kind) {
    case 'tcp':
      return { kind, ...ports, flags: tcpFlag.syn, seq: 1, ack: 0, options: 20 }
    case 'udp':
      return { kind, ...ports }
    case 'sctp':
      return { kind, ...ports, chunk: 'init' }
  }
}
