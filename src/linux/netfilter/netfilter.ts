import type { Match, Rule, Ruleset, Target } from '../../artefact/iptables/rule.ts'
import type { ConntrackEntry } from '../../artefact/netns.ts'
import { emptyNft, type NftRuleset } from '../../artefact/nft/ruleset.ts'
import type { Family } from '../../net/ip.ts'
import { packetFamily } from '../../packet/packet.ts'
import type { Clock } from '../chance.ts'
import { listConnections, seedConnections } from '../conntrack/entry.ts'
import { createConntrackTable } from '../conntrack/table.ts'
import { derivedOnce } from '../derived-once.ts'
import type { PreparedBase } from '../nftables/prepare.ts'
import { nftRuntime } from '../nftables/runtime.ts'
import type { Skb } from '../skb.ts'
import type { NetfilterContext, Registered } from './context.ts'
import { type Hook, type HookResult, type Stage, stagePriority, stagesAt } from './hook.ts'
import { prepareTable } from './prepare.ts'
import { runNftChain, runStage } from './stage.ts'
import type { Netfilter } from './state.ts'

export type { Netfilter } from './state.ts'

type Rulesets = Readonly<Record<Family, Ruleset>>

/** `conntrack`: connections that are known before the first packet. */
export function createNetfilter(
  rulesets: Rulesets,
  conntrack: readonly ConntrackEntry[],
  clock: Clock,
  nftables: NftRuleset = emptyNft,
): Netfilter {
  const nf: Netfilter = {
    tracking: { ipv4: false, ipv6: false },
    tables: { ipv4: new Map(), ipv6: new Map() },
    conntrack: createConntrackTable(),
    recent: new Map(),
    clock,
    nft: nftRuntime(emptyNft, () => clock.now()),
    sets: undefined,
  }
  replaceRulesets(nf, rulesets, nftables)
  seedConnections(nf.conntrack, conntrack, clock.now())
  return nf
}

/** Puts other rules in place. Connections and `recent` lists stay, and chains that are the same value keep their counters. */
export function replaceRulesets(nf: Netfilter, rulesets: Rulesets, nftables: NftRuleset = emptyNft): void {
  nf.nft = nftRuntime(nftables, () => nf.clock.now(), nf.nft)
  for (const family of ['ipv4', 'ipv6'] as const) {
    const { tables } = rulesets[family]
    const before = nf.tables[family]
    nf.tables[family] = new Map(
      tables.map((table) => [table.name, prepareTable(table, family, before.get(table.name))]),
    )
    nf.tracking[family] = needsConntrack(rulesets[family]) || nf.nft.tracks[family]
  }
}

/** Whether connections of this family are tracked here: then PREROUTING and OUTPUT see whole packets, no fragments. */
export const tracksConnections = (nf: Netfilter, family: Family): boolean => nf.tracking[family]

/** What `conntrack -L` lists now. */
export const connectionsOf = (nf: Netfilter): readonly ConntrackEntry[] => listConnections(nf.conntrack, nf.clock.now())

/**
 * NF_HOOK: everything that is registered at the hook, in order of priority, until something ends the packet. A further
 * pass over the same hook (a bridge, then IP) is another call.
 */
export function runHook(nf: Netfilter, hook: Hook, skb: Skb, ctx: NetfilterContext): HookResult {
  let current: HookResult = { verdict: 'accept', skb }
  let ran = false
  for (const entry of registeredAt(nf, hook, packetFamily(skb.packet), ctx)) {
    const stage = typeof entry === 'string' ? entry : undefined
    const result: HookResult | undefined =
      typeof entry === 'string'
        ? runStage(nf, hook, entry, current.skb, ctx)
        : 'run' in entry
          ? entry.run(current.skb)
          : runNftChain(nf, entry, hook, current.skb, ctx)
    if (result === undefined) continue
    ran = true
    const moved: boolean = hook === 'output' && stage === 'nat' && result.skb.packet.dst !== current.skb.packet.dst
    current = moved && ctx.reroute?.(result.skb) === false ? { verdict: 'drop', skb: result.skb } : result
    if (current.verdict !== 'accept') break
  }
  if (ran && current.verdict !== 'stolen') ctx.emit({ kind: 'verdict', hook, verdict: current.verdict })
  return current
}

type Entry = Stage | PreparedBase | Registered
const noneBesides: readonly Registered[] = []

/** All that is registered, by priority: of equal ones nftables' chains come first. Nat chains run inside the stage `nat`. */
function registeredAt(nf: Netfilter, hook: Hook, family: Family, ctx: NetfilterContext): readonly Entry[] {
  const bases = nf.nft.chains[family][hook].filter(({ base }) => base.type !== 'nat')
  const { besides = noneBesides } = ctx
  if (bases.length === 0 && besides.length === 0) return stagesAt[hook]
  const entries: readonly Entry[] = [...bases, ...stagesAt[hook], ...besides]
  const priorityOf = (e: Entry): number =>
    typeof e === 'string' ? stagePriority(e, hook) : 'run' in e ? e.priority : e.base.priority
  return entries.toSorted((a, b) => priorityOf(a) - priorityOf(b))
}

/** Whether a chain of type `route` stands at OUTPUT: then a packet that it changed is routed again. */
export const reroutesOutput = (nf: Netfilter, family: Family): boolean =>
  nf.nft.chains[family].output.some(({ base }) => base.type === 'route')

/** A namespace loads conntrack for a nat table, and for a rule that asks about connections. */
const needsConntrack = derivedOnce(({ tables }: Ruleset): boolean => {
  if (tables.some((table) => table.name === 'nat')) return true
  return tables.some((table) => table.chains.some((chain) => chain.rules.some(asksAboutConnections)))
})

const asksAboutConnections = ({ matches, target }: Rule): boolean =>
  matches.some(isConnectionMatch) || (target !== undefined && isConnectionTarget(target))

/** Modules that we do not know count by name: connlimit, connbytes, connlabel, helper, cluster. */
const isConnectionMatch = (match: Match): boolean =>
  match.kind === 'conntrack' ||
  match.kind === 'state' ||
  match.kind === 'connmark' ||
  (match.kind === 'unknown' && /^(conn|helper$|cluster$)/.test(match.module))

const isConnectionTarget = ({ kind }: Target): boolean => kind === 'connmark' || kind === 'ct'
