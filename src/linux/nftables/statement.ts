import type { NftFamily } from '../../artefact/nft/ruleset.ts'
import { formatStatement, type NftStatement } from '../../artefact/nft/statement.ts'
import type { NftElement, NftVerdict } from '../../artefact/nft/value.ts'
import type { Facts } from '../netfilter/facts.ts'
import type { NatTarget } from '../netfilter/nat-target.ts'
import { condition } from './condition.ts'
import { bitsOf, evaluation, type NftScope } from './evaluate.ts'
import { lookupFor } from './lookup.ts'
import { natOf } from './nat.ts'

/** What a statement makes of the packet in hand. */
export type Outcome =
  | { readonly kind: 'next' }
  /** The rule is left. */
  | { readonly kind: 'miss' }
  /** `element`: the one of a verdict map that said so. */
  | { readonly kind: 'verdict'; readonly verdict: NftVerdict; readonly element?: NftElement }
  /** In the words of `--reject-with`. */
  | { readonly kind: 'reject'; readonly answer: string }
  | { readonly kind: 'nat'; readonly target: NatTarget }
  | { readonly kind: 'undecided'; readonly why: string }

export interface PreparedStatement {
  run(f: Facts): Outcome
  /** Why the packet in hand fails it. */
  miss(): string
  /** It leaves something behind: a mark, an element. */
  readonly changes?: true
}

const next: Outcome = { kind: 'next' }
const miss: Outcome = { kind: 'miss' }

export function prepareStatement(s: NftStatement, scope: NftScope, family: NftFamily): PreparedStatement {
  const failed = { miss: () => `${formatStatement(s, 'list')} does not hold` }
  switch (s.kind) {
    case 'match': {
      const holds = condition(s, scope)
      return { ...failed, run: (f) => (holds(f) ? next : miss) }
    }
    case 'exists': {
      const value = evaluation(s.left, scope)
      return { ...failed, run: (f) => (((value(f)?.[0] ?? '') !== '') === s.exists ? next : miss) }
    }
    case 'vmap':
      return { ...failed, run: verdictMap(s, scope) }
    case 'assign':
      return { ...failed, run: assignment(s, scope), changes: true }
    case 'verdict': {
      const outcome: Outcome = { kind: 'verdict', verdict: s.verdict }
      return { ...failed, run: () => (s.verdict.kind === 'continue' ? next : outcome) }
    }
    case 'reject':
      return { ...failed, run: (f) => rejection(s.with, family, f) }
    case 'nat':
    case 'masquerade':
    case 'redirect': {
      const target = natOf(s, scope)
      return {
        ...failed,
        run: (f) => {
          const found = target(f)
          return found ? { kind: 'nat', target: found } : miss
        },
      }
    }
    case 'set-change':
      return { ...failed, run: setChange(s, scope), changes: true }
    case 'limit':
      return { ...failed, run: limit(s) }
    case 'notrack':
      return { ...failed, run: untrack, changes: true }
    case 'counter':
    case 'note':
      return { ...failed, run: () => next }
    case 'other':
      return { ...failed, run: () => ({ kind: 'undecided', why: `"${s.text}" cannot be carried out here` }) }
  }
}

function verdictMap(s: Extract<NftStatement, { kind: 'vmap' }>, scope: NftScope): (f: Facts) => Outcome {
  const key = evaluation(s.key, scope)
  const find = lookupFor(s.map, scope)
  return (f) => {
    const value = key(f)
    const element = value && find(value, f.ctx.clock.now())
    if (!element?.verdict) return miss
    return element.verdict.kind === 'continue' ? next : { kind: 'verdict', verdict: element.verdict, element }
  }
}

function assignment(s: Extract<NftStatement, { kind: 'assign' }>, scope: NftScope): (f: Facts) => Outcome {
  const value = bitsOf(s.value, scope)
  return (f) => {
    const after = value(f)
    if (after === undefined) return miss
    const { connection, mark: before } = f.skb
    if (s.field === 'ct mark') {
      if (connection) connection.mark = after
      return next
    }
    f.skb = { ...f.skb, mark: after }
    f.ctx.emit({ kind: 'mark', before, after })
    return next
  }
}

/** nft_dynset_eval. A full set leaves the rule. */
function setChange(s: Extract<NftStatement, { kind: 'set-change' }>, scope: NftScope): (f: Facts) => Outcome {
  const key = evaluation(s.key, scope)
  return (f) => {
    const set = scope.sets(s.set)
    const value = key(f)
    if (!set || value === undefined) return miss
    if (s.op === 'delete') set.remove(value)
    else if (!set.put(value, f.ctx.clock.now(), s.timeout, s.op === 'update')) return miss
    return next
  }
}

const seconds: Readonly<Record<string, number>> = { second: 1, minute: 60, hour: 3600, day: 86_400, week: 604_800 }

/** nft_limit_eval: a bucket of `burst` packets that fills at the rate, in virtual time. */
function limit({ rate, unit, burst, over }: Extract<NftStatement, { kind: 'limit' }>): (f: Facts) => Outcome {
  const cost = ((seconds[unit] ?? 1) * 1000) / Math.max(1, rate)
  const most = cost * Math.max(1, burst)
  let credit = most
  let last: number | undefined
  return ({ ctx }) => {
    const now = ctx.clock.now()
    credit = Math.min(most, credit + (now - (last ?? now)))
    last = now
    const within = credit >= cost
    if (within) credit -= cost
    return within === over ? miss : next
  }
}

/** A packet that has its connection already keeps it. */
function untrack(f: Facts): Outcome {
  if (!f.skb.connection && f.skb.ctinfo?.state !== 'UNTRACKED') f.skb = { ...f.skb, ctinfo: { state: 'UNTRACKED' } }
  return next
}

/** icmpx codes in both families (include/uapi/linux/netfilter/nf_tables.h, NFT_REJECT_ICMPX_*). */
const either: Readonly<Record<string, readonly [ipv4: string, ipv6: string]>> = {
  'no-route': ['icmp-net-unreachable', 'icmp6-no-route'],
  'port-unreachable': ['icmp-port-unreachable', 'icmp6-port-unreachable'],
  'host-unreachable': ['icmp-host-unreachable', 'icmp6-addr-unreachable'],
  'admin-prohibited': ['icmp-admin-prohibited', 'icmp6-adm-prohibited'],
}

function rejection(type: string | undefined, family: NftFamily, f: Facts): Outcome {
  const [kind, code = ''] = (type ?? 'icmpx port-unreachable').split(' ')
  if (kind === 'tcp') return f.payload?.kind === 'tcp' ? { kind: 'reject', answer: 'tcp-reset' } : miss
  if (kind === 'icmpx') {
    const [ipv4, ipv6] = either[code] ?? ['', '']
    return { kind: 'reject', answer: f.family === 'ipv4' ? ipv4 : ipv6 }
  }
  const isIpv6 = kind === 'icmpv6'
  if (family === 'inet' && isIpv6 !== (f.family === 'ipv6')) return miss
  const name = isIpv6 ? code.replace(/^admin-/, 'adm-') : code.replace(/^prot-/, 'proto-')
  return { kind: 'reject', answer: `${isIpv6 ? 'icmp6' : 'icmp'}-${name}` }
}
