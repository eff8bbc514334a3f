import type { BuiltinChain } from '../../artefact/iptables/rule.ts'
import type { DeviceName } from '../../artefact/link.ts'
import { packetFamily } from '../../packet/packet.ts'
import { confirm } from '../conntrack/confirm.ts'
import { describeTuple } from '../conntrack/entry.ts'
import type { ConntrackEnvironment } from '../conntrack/environment.ts'
import { closeByReset } from '../conntrack/tcp.ts'
import { track } from '../conntrack/track.ts'
import type { DropReason } from '../event.ts'
import type { Skb } from '../skb.ts'
import type { NetfilterContext } from './context.ts'
import { factsOf } from './facts.ts'
import type { Hook, HookResult, Stage } from './hook.ts'
import { runNat } from './nat-stage.ts'
import type { Netfilter } from './state.ts'
import { walkChain } from './walk.ts'

/** The chain that a hook runs in each table. */
const chainAt: Readonly<Record<Hook, BuiltinChain>> = {
  prerouting: 'PREROUTING',
  input: 'INPUT',
  forward: 'FORWARD',
  output: 'OUTPUT',
  postrouting: 'POSTROUTING',
}

/** One registered function of a hook. Undefined: nothing is registered, as for a table that does not exist. */
export function runStage(
  nf: Netfilter,
  hook: Hook,
  stage: Stage,
  skb: Skb,
  ctx: NetfilterContext,
): HookResult | undefined {
  const family = packetFamily(skb.packet)
  switch (stage) {
    case 'conntrack':
      return nf.tracking[family] ? runTracking(nf, hook, skb, ctx) : undefined
    case 'confirm':
      return nf.tracking[family] ? runConfirm(nf, hook, skb, ctx) : undefined
    case 'nat':
      return nf.tables[family].has('nat')
        ? runNat(nf, hook, skb, ctx, () => runTable(nf, hook, 'nat', skb, ctx))
        : undefined
    case 'raw':
    case 'mangle':
    case 'filter':
    case 'security':
      return runTable(nf, hook, stage, skb, ctx)
  }
}

function runTable(
  nf: Netfilter,
  hook: Hook,
  stage: Exclude<Stage, 'conntrack' | 'confirm'>,
  skb: Skb,
  ctx: NetfilterContext,
): HookResult | undefined {
  const table = nf.tables[packetFamily(skb.packet)].get(stage)
  const base = table?.chain(chainAt[hook])
  if (!table || !base) return undefined
  const facts = factsOf(nf, hook, skb, ctx)
  tellStage(hook, stage, skb, ctx, facts.in, facts.out)
  const result = walkChain(table, base, facts)
  if (result.verdict === 'reject' && result.answer.kind === 'tcp-reset' && skb.connection) {
    closeByReset(skb.connection, conntrackEnvironment(nf, hook, ctx))
  }
  return result.verdict === 'reject'
    ? { verdict: 'reject', skb: facts.skb, answer: result.answer }
    : { verdict: result.verdict, skb: facts.skb }
}

function runTracking(nf: Netfilter, hook: Hook, skb: Skb, ctx: NetfilterContext): HookResult {
  tellStage(hook, 'conntrack', skb, ctx, skb.inDevice, skb.outDevice)
  const result = track(skb, conntrackEnvironment(nf, hook, ctx))
  if (result.kind === 'tracked') return { verdict: 'accept', skb: result.skb }
  return dropped(hook, skb, ctx, 'ct-table-full', `the connection table is full: ${result.max} entries, none to evict`)
}

function runConfirm(nf: Netfilter, hook: Hook, skb: Skb, ctx: NetfilterContext): HookResult {
  const result = confirm(skb, conntrackEnvironment(nf, hook, ctx))
  if (result.kind === 'accept') return { verdict: 'accept', skb: result.skb }
  const taken = `${describeTuple(result.tuple)} belongs to connection ${result.winner.id} already`
  return dropped(hook, skb, ctx, 'nat-no-port', `no two connections may expect the same packets: ${taken}`)
}

export const conntrackEnvironment = (nf: Netfilter, hook: Hook, ctx: NetfilterContext): ConntrackEnvironment => ({
  table: nf.conntrack,
  hook,
  now: ctx.clock.now(),
  sysctl: (key) => ctx.sysctl(key),
  emit: ctx.emit,
})

export function dropped(hook: Hook, skb: Skb, ctx: NetfilterContext, reason: DropReason, detail: string): HookResult {
  ctx.emit({ kind: 'drop', reason, packet: skb.packet, hook, detail })
  return { verdict: 'drop', skb }
}

function tellStage(
  hook: Hook,
  stage: Stage,
  skb: Skb,
  ctx: NetfilterContext,
  inDevice: DeviceName | undefined,
  outDevice: DeviceName | undefined,
): void {
  const { packet, mark } = skb
  ctx.emit({ kind: 'stage', hook, stage, packet, mark, in: inDevice, out: outDevice, bridged: ctx.bridged })
}
