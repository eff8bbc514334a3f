import { emptyRuleset } from '../../../src/artefact/iptables/rule.ts'
import { deviceName } from '../../../src/artefact/link.ts'
import type { NftRuleset } from '../../../src/artefact/nft/ruleset.ts'
import type { LinuxEvent } from '../../../src/linux/event.ts'
import type { NetfilterContext } from '../../../src/linux/netfilter/context.ts'
import type { Hook, HookResult } from '../../../src/linux/netfilter/hook.ts'
import { createNetfilter, type Netfilter, runHook } from '../../../src/linux/netfilter/netfilter.ts'
import { type Skb, skbOf } from '../../../src/linux/skb.ts'
import { ip } from '../../../src/net/ip.ts'
import { formatSocketAddress } from '../../../src/net/port.ts'
import { type IpPayload, tcpFlag } from '../../../src/packet/packet.ts'
import { nextScript, type ScriptedChance, scriptedChance } from '../../../src/trace/lots.ts'
import type { Flow, Outcome } from '../iptables/follow.ts'

/**
 * One new packet through the rules of a node, on the emulated netfilter: every way that its lots can fall. Endpoints come
 * in the order of the rules.
 */
export function followNft(flow: Flow, nftables: NftRuleset, localIPs: readonly string[]): Outcome {
  const outcomes: Outcome[] = []
  for (let script: readonly number[] | undefined = []; script; ) {
    const chance = scriptedChance(script, () => 0)
    outcomes.push(once(flow, nftables, localIPs, chance))
    script = nextScript(chance.lots)
  }
  const [first] = outcomes
  if (!first) throw new Error('no outcome')
  if (first.outcome !== 'dnat') return first
  const endpoints = outcomes.flatMap((o) => (o.outcome === 'dnat' ? o.endpoints : []))
  // Only the endpoint that is the sender is masqueraded alone; the flows ask of one endpoint then.
  return { ...first, endpoints }
}

function once(flow: Flow, nftables: NftRuleset, localIPs: readonly string[], chance: ScriptedChance): Outcome {
  const empty = { ipv4: emptyRuleset('ipv4'), ipv6: emptyRuleset('ipv6') }
  const clock = { now: () => 0 }
  const nf = createNetfilter(empty, [], clock, nftables)
  const isLocal = localIPs.includes(flow.from)
  const events: LinuxEvent[] = []
  const run = (hook: Hook, skb: Skb): HookResult => runHook(nf, hook, skb, context(nf, skb, localIPs, chance, events))
  const skb = skbOf({
    src: ip(flow.from),
    dst: ip(flow.destIP),
    ttl: 64,
    tos: 0,
    id: 0,
    df: true,
    payload: payloadOf(flow),
  })
  const out = { outDevice: deviceName('eth0') }
  const first = isLocal
    ? run('output', { ...skb, ...out })
    : run('prerouting', { ...skb, inDevice: deviceName('eth0') })
  const second =
    first.verdict !== 'accept' || isLocal
      ? first
      : localIPs.includes(first.skb.packet.dst)
        ? run('input', first.skb)
        : run('forward', { ...first.skb, ...out })
  if (second.verdict === 'reject' || second.verdict === 'drop') return { outcome: second.verdict }
  if (second.verdict !== 'accept') throw new Error(JSON.stringify(events.at(-1)))
  if (second.skb.packet.dst === flow.destIP) return { outcome: 'none' }
  const { dst, payload } = second.skb.packet
  run('postrouting', { ...second.skb, ...out })
  const masquerade = events.some((e) => e.kind === 'rule' && e.verdict === 'accept' && isMasquerade(e))
  return {
    outcome: 'dnat',
    endpoints: [formatSocketAddress(dst, 'dstPort' in payload ? payload.dstPort : 0)],
    masquerade,
  }
}

const isMasquerade = (e: Extract<LinuxEvent, { kind: 'rule' }>): boolean =>
  e.engine === 'nftables' && e.rule.statements.some((s) => s.kind === 'masquerade')

function payloadOf({ protocol, destPort: dstPort }: Flow): IpPayload {
  const ports = { srcPort: 40000, dstPort }
  switch (protocol) {
    case 'tcp':
      return { kind: 'tcp', ...ports, flags: tcpFlag.syn, seq: 0, ack: 0, options: 0, data: 0 }
    case 'udp':
      return { kind: 'udp', ...ports, data: 4 }
    case 'sctp':
      return { kind: 'sctp', ...ports, chunk: 'init', data: 0 }
  }
}

function context(
  nf: Netfilter,
  skb: Skb,
  localIPs: readonly string[],
  chance: ScriptedChance,
  events: LinuxEvent[],
): NetfilterContext {
  return {
    emit: (event) => events.push(event),
    chance,
    clock: nf.clock,
    everyRule: false,
    bridged: false,
    nexthop: skb.packet.dst,
    addressType: (address) => (localIPs.includes(address) ? 'LOCAL' : 'UNICAST'),
    sourceAddress: () => (skb.packet.src.includes(':') ? ip('2001:db8::1') : ip('192.168.0.2')),
    reversePath: () => true,
    sysctl: () => undefined,
  }
}
