import type { IpPacket } from '../../packet/packet.ts'
import type { Connection, Direction } from '../conntrack/connection.ts'
import { manipAt, translate, translateError } from '../conntrack/nat-packet.ts'
import { bindUnchanged } from '../conntrack/nat-setup.ts'
import type { NetfilterEvent } from '../event.ts'
import type { Skb } from '../skb.ts'
import type { NetfilterContext } from './context.ts'
import type { Hook, HookResult } from './hook.ts'
import { natEnvironment } from './nat-target.ts'
import type { Netfilter } from './state.ts'

type NatReason = Extract<NetfilterEvent, { kind: 'nat' }>['why']

/**
 * nf_nat_inet_fn: the nat chain runs for the first packet of a connection alone, once for each manip; what it leaves
 * undecided is bound as it is. Every packet is then rewritten by the connection's mapping.
 */
export function runNat(
  nf: Netfilter,
  hook: Hook,
  skb: Skb,
  ctx: NetfilterContext,
  runChain: () => HookResult | undefined,
): HookResult | undefined {
  const { connection, ctinfo } = skb
  if (!connection || !ctinfo || !('direction' in ctinfo)) return undefined
  const { direction, state } = ctinfo
  if (state === 'RELATED' && skb.packet.payload.kind === 'icmp') {
    return translateIcmpError(hook, skb, connection, direction, ctx)
  }
  const manip = manipAt(hook)
  if (state === 'ESTABLISHED' || connection.natDone[manip]) {
    if (leavesElsewhere(hook, connection, direction, skb)) return killed(nf, hook, skb, connection, ctx)
    return rewritten(hook, skb, connection, direction, ctx, direction === 'reply' ? 'reply' : 'established')
  }
  const walked = runChain()
  if (walked && walked.verdict !== 'accept') return walked
  if (!connection.natDone[manip]) bindUnchanged(connection, manip, natEnvironment({ nf, ctx }))
  return rewritten(hook, walked?.skb ?? skb, connection, direction, ctx, 'new')
}

function rewritten(
  hook: Hook,
  skb: Skb,
  connection: Connection,
  direction: Direction,
  ctx: NetfilterContext,
  why: NatReason,
): HookResult {
  return replaced(hook, skb, translate(skb.packet, connection, direction, manipAt(hook)), connection, ctx, why)
}

function translateIcmpError(
  hook: Hook,
  skb: Skb,
  connection: Connection,
  direction: Direction,
  ctx: NetfilterContext,
): HookResult {
  const after = translateError(skb.packet, connection, direction, manipAt(hook))
  if (after) return replaced(hook, skb, after, connection, ctx, 'icmp-error')
  const detail = 'an ICMP redirect about a connection that NAT translates, or has not settled, is dropped'
  ctx.emit({ kind: 'drop', reason: 'nat-failed', packet: skb.packet, hook, table: 'nat', detail })
  return { verdict: 'drop', skb }
}

function replaced(
  hook: Hook,
  skb: Skb,
  after: IpPacket,
  connection: Connection,
  ctx: NetfilterContext,
  why: NatReason,
): HookResult {
  const before = skb.packet
  if (after === before) return { verdict: 'accept', skb }
  ctx.emit({ kind: 'nat', hook, manip: manipAt(hook), before, after, why, connection: connection.id })
  return { verdict: 'accept', skb: { ...skb, packet: after } }
}

/** nf_nat_oif_changed: a masqueraded connection whose way out has changed carries the wrong source. */
const leavesElsewhere = (hook: Hook, c: Connection, direction: Direction, skb: Skb): boolean =>
  hook === 'postrouting' &&
  direction === 'original' &&
  c.masqueradeDevice !== undefined &&
  skb.outDevice !== undefined &&
  c.masqueradeDevice !== skb.outDevice

function killed(nf: Netfilter, hook: Hook, skb: Skb, connection: Connection, ctx: NetfilterContext): HookResult {
  nf.conntrack.remove(connection)
  const why = `masqueraded for ${connection.masqueradeDevice}, now leaving by ${skb.outDevice}`
  ctx.emit({ kind: 'conntrack-destroy', connection: connection.id, why })
  ctx.emit({
    kind: 'drop',
    reason: 'nat-failed',
    packet: skb.packet,
    hook,
    table: 'nat',
    detail: `the connection is ${why}`,
  })
  return { verdict: 'drop', skb }
}
