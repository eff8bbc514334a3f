import type { BuiltinChain } from '../../artefact/iptables/rule.ts'
import type { DeviceName } from '../../artefact/link.ts'
import { packetFamily } from '../../packet/packet.ts'
import { confirm } from '../conntrack/confirm.ts'
import { describeTuple } from '../conntrack/entry.ts'
import type { ConntrackEnvironment } from '../conntrack/environment.ts'
import { manipAt } from '../conntrack/nat-packet.ts'
import { closeByReset } from '../conntrack/tcp.ts'
import { track } from '../conntrack/track.ts'
import type { DropReason } from '../event.ts'
import type { PreparedBase } from '../nftables/prepare.ts'
import { walkNftChain } from '../nftables/walk.ts'
import type { Skb } from '../skb.ts'
import type { NetfilterContext } from './context.ts'
import { type Facts, factsOf } from './facts.ts'
import { type Hook, type HookResult, type Stage, stagePriority } from './hook.ts'
import { runNat } from './nat-stage.ts'
import type { Netfilter } from './state.ts'
import { type WalkResult, walkChain } from './walk.ts'

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
      return nf.tables[family].has('nat') || nf.nft.hasNat[family]
        ? runNat(nf, hook, skb, ctx, () => runNatChains(nf, hook, skb, ctx))
        : undefined
    case 'raw':
    case 'mangle':
    case 'filter':
    case 'security':
      return runTable(nf, hook, stage, skb, ctx)
  }
}

/** nf_nat_inet_fn: nat chains by priority, until one has settled the translation. */
function runNatChains(nf: Netfilter, hook: Hook, skb: Skb, ctx: NetfilterContext): HookResult | undefined {
  const bases = nf.nft.chains[packetFamily(skb.packet)][hook].filter(({ base }) => base.type === 'nat')
  const own = stagePriority('nat', hook)
  const chains: ((current: Skb) => HookResult | undefined)[] = [
    ...bases.filter(({ base }) => base.priority <= own).map((base) => (s: Skb) => runNftChain(nf, base, hook, s, ctx)),
    (s) => runTable(nf, hook, 'nat', s, ctx),
    ...bases.filter(({ base }) => base.priority > own).map((base) => (s: Skb) => runNftChain(nf, base, hook, s, ctx)),
  ]
  let last: HookResult | undefined
  for (const run of chains) {
    const result = run(last?.skb ?? skb)
    if (result === undefined) continue
    last = result
    if (result.verdict !== 'accept' || skb.connection?.natDone[manipAt(hook)]) return result
  }
  return last
}

/** One base chain of nftables. */
export function runNftChain(
  nf: Netfilter,
  base: PreparedBase,
  hook: Hook,
  skb: Skb,
  ctx: NetfilterContext,
): HookResult {
  const facts = factsOf(nf, hook, skb, ctx)
  tellStage(hook, 'nftables', skb, ctx, facts.in, facts.out, `${base.table.name} ${base.chain.name}`)
  return hookResult(nf, hook, facts, walkNftChain(base, facts))
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
  return hookResult(nf, hook, facts, walkChain(table, base, facts))
}

function hookResult(nf: Netfilter, hook: Hook, facts: Facts, result: WalkResult): HookResult {
  const { skb, ctx } = facts
  if (result.verdict === 'reject' && result.answer.kind === 'tcp-reset' && skb.connection) {
    closeByReset(skb.connection, conntrackEnvironment(nf, hook, ctx))
  }
  return result.verdict === 'reject'
    ? { verdict: 'reject', skb, answer: result.answer }
    : { verdict: result.verdict, skb }
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
  stage: Stage | 'nftables',
  skb: Skb,
  ctx: NetfilterContext,
  inDevice: DeviceName | undefined,
  outDevice: DeviceName | undefined,
  chain?: string,
): void {
  const { packet, mark } = skb
  const event = {
    kind: 'stage',
    hook,
    stage,
    packet,
    mark,
    in: inDevice,
    out: outDevice,
    bridged: ctx.bridged,
  } as const
  ctx.emit(chain === undefined ? event : { ...event, chain })
}
