import type { Family } from '../../../net/ip.ts'
import { all, type Marks } from './marks.ts'
import type { ParsedEnd, ParsedRule } from './parsed-rule.ts'
import { type FelixRule, jumpTo, markIsClear, markIsSet, nflog, setMark, setMaskedMark } from './rule.ts'
import { matchText, namedPortMatch, netMatch, portMatch, splitPorts } from './rule-match.ts'

/** What a policy's or profile's rules are written with. */
export interface PolicyContext {
  readonly family: Family
  readonly marks: Marks
  /** `DROP`, `REJECT`. */
  readonly denyAction: string
  readonly logPrefix: string
  readonly flowLogs: boolean
  readonly owner: PolicyOwner
  readonly direction: 'ingress' | 'egress'
}

/** Whose rules: for log prefixes and flow logs. */
export interface PolicyOwner {
  readonly type: 'policy' | 'profile'
  /** `knp/default/allow-client`, `kns.default`. */
  readonly id: string
  /** `np`, `gnp`, `knp`; empty for a profile. */
  readonly shortKind: string
  readonly namespace?: string
  readonly name: string
  readonly tier: string
}

/** All rules of a policy in one direction; what each does is said in felix/rules/policy.go. */
export function policyRules(rules: readonly ParsedRule[], comment: string, ctx: PolicyContext): readonly FelixRule[] {
  const written = rules.flatMap((rule, i) => oneRule(rule, i, ctx))
  while (written.at(-1)?.action === jumpTo('RETURN')) written.pop()
  const [first = {}, ...rest] = written
  return [{ ...first, comments: [comment, ...(first.comments ?? [])] }, ...rest]
}

export function oneRule(rule: ParsedRule, index: number, ctx: PolicyContext): readonly FelixRule[] {
  const mine = forFamily(rule, ctx.family)
  if (mine === undefined) return []
  const { blocks, rest } = splitBlocks(mine, ctx)
  const match = [matchText(rest, ctx.family), blocks.length > 0 ? markIsSet(ctx.marks.scratch0) : '']
    .filter((t) => t !== '')
    .join(' ')
  const prepared = blocks.map((b): FelixRule => ({ ...b, bookkeeping: true }))
  return [...prepared, ...actions(match, rule, index, ctx)].map((r) => ({
    ...r,
    ...(rule.comments ? { comments: rule.comments } : {}),
    ...(rule.origin ? { origin: rule.origin } : {}),
  }))
}

const anyNet: Readonly<Record<Family, string>> = { ipv4: '0.0.0.0/0', ipv6: '::/0' }
const isOf = (family: Family) => (net: string) => net.includes(':') === (family === 'ipv6')

/** Undefined: nothing of this family can match. Nets of the other one are left out. */
function forFamily(rule: ParsedRule, family: Family): ParsedRule | undefined {
  if (rule.ipVersion !== undefined && rule.ipVersion !== (family === 'ipv4' ? 4 : 6)) return undefined
  if (isIcmpOfOtherFamily(rule, family)) return undefined
  const src = endForFamily(rule.src, family)
  const dst = endForFamily(rule.dst, family)
  return src && dst && { ...rule, src, dst }
}

/** A type of ICMP is a number of one family: neither iptables nor ip6tables takes the other's protocol along with it. */
function isIcmpOfOtherFamily({ protocol, icmp, notIcmp }: ParsedRule, family: Family): boolean {
  const others: readonly (string | number | undefined)[] = family === 'ipv4' ? ['icmpv6', 58] : ['icmp', 1]
  return (icmp ?? notIcmp) !== undefined && others.includes(protocol)
}

function endForFamily(end: ParsedEnd, family: Family): ParsedEnd | undefined {
  const nets = end.nets.filter(isOf(family))
  const notNets = end.notNets.filter(isOf(family))
  if (notNets.includes(anyNet[family]) || (nets.length === 0 && end.nets.length > 0)) return undefined
  return { ...end, nets, notNets }
}

/** Alternatives that no single rule can say, each a list of matches. */
type Block = readonly string[]

/** What one iptables rule cannot say goes into blocks that leave their answer in scratch marks. */
function splitBlocks(
  rule: ParsedRule,
  { family, marks }: PolicyContext,
): { readonly blocks: readonly FelixRule[]; readonly rest: ParsedRule } {
  const ports = { src: portBlock('src', rule, family), dst: portBlock('dst', rule, family) }
  const nets = { src: netBlock('src', rule.src.nets), dst: netBlock('dst', rule.dst.nets) }
  const not = { src: negatedBlock('src', rule.src), dst: negatedBlock('dst', rule.dst) }
  const positives = [ports.src, ports.dst, nets.src, nets.dst].filter((b) => b !== undefined)
  const negatives = [not.src, not.dst].filter((b) => b !== undefined)
  const remains = (side: 'src' | 'dst'): ParsedEnd => ({
    ...rule[side],
    ...(ports[side] ? { ports: [], namedPortSets: [] } : {}),
    ...(nets[side] ? { nets: [] } : {}),
    ...(not[side] ? { notNets: [] } : {}),
  })
  return {
    blocks: blockRules(positives, negatives, marks),
    rest: { ...rule, src: remains('src'), dst: remains('dst') },
  }
}

function portBlock(side: 'src' | 'dst', rule: ParsedRule, family: Family): Block | undefined {
  const { ports, namedPortSets } = rule[side]
  const splits = splitPorts(ports)
  if (splits.length + namedPortSets.length <= 1) return undefined
  return [
    ...splits.map((split) => `-p ${rule.protocol} ${portMatch(side, split)}`),
    ...namedPortSets.map((id) => namedPortMatch(side, family, id)),
  ]
}

const netBlock = (side: 'src' | 'dst', nets: readonly string[]): Block | undefined =>
  nets.length > 1 ? nets.map((net) => netMatch(side, net)) : undefined

/** One address match per side fits a rule; several positive ones are a block already. */
function negatedBlock(side: 'src' | 'dst', { nets, notNets }: ParsedEnd): Block | undefined {
  const kept = nets.length === 1 ? 1 : 0
  return notNets.length > 0 && kept + notNets.length > 1 ? notNets.map((net) => netMatch(side, net)) : undefined
}

/**
 * scratch0: all blocks so far match; scratch1: this one does. Felix does not clear scratch1 between blocks, so that from the
 * third positive block on none can fail; that is followed.
 */
function blockRules(positives: readonly Block[], negatives: readonly Block[], m: Marks): readonly FelixRule[] {
  if (positives.length + negatives.length === 0) return []
  const start = setMaskedMark(positives.length > 0 ? 0 : m.scratch0, all(m.scratch0, m.scratch1))
  const clear = `--jump MARK --set-mark 0/0x${m.scratch0.toString(16)}`
  return [
    { action: start },
    ...positives.flatMap((block, i): FelixRule[] => {
      const action = setMark(i === 0 ? m.scratch0 : m.scratch1)
      const rules = block.map((match) => ({ match, action }))
      return i === 0 ? rules : [...rules, { match: markIsClear(m.scratch1), action: clear }]
    }),
    ...negatives.flatMap((block) => block.map((match) => ({ match, action: clear }))),
  ]
}

function actions(match: string, rule: ParsedRule, index: number, ctx: PolicyContext): readonly FelixRule[] {
  const { marks } = ctx
  switch (rule.action) {
    case 'allow':
      return marked(match, marks.accept, 'A', index, jumpTo('RETURN'), ctx)
    case 'pass':
      return marked(match, marks.pass, 'P', index, jumpTo('RETURN'), ctx)
    case 'deny':
      return marks.drop === undefined
        ? [{ match, action: jumpTo(ctx.denyAction) }]
        : marked(match, marks.drop, 'D', index, jumpTo(ctx.denyAction), ctx)
    case 'log':
      return [{ match, action: `--jump LOG --log-prefix "${logText(ctx)}: " --log-level 5` }]
  }
}

function marked(
  match: string,
  mark: number,
  letter: 'A' | 'D' | 'P',
  index: number,
  then: string,
  { flowLogs, owner, direction }: PolicyContext,
): readonly FelixRule[] {
  const [group, way] = direction === 'ingress' ? ([1, 'I'] as const) : ([2, 'E'] as const)
  const prefix = `${letter}${owner.type === 'policy' ? 'P' : 'R'}${way}${index}|${owner.id}`
  return [
    { match, action: setMark(mark) },
    ...(flowLogs ? [{ match: markIsSet(mark), action: nflog(group, prefix) }] : []),
    { match: markIsSet(mark), action: then },
  ]
}

/** `%t` tier, `%k` kind, `%p` policy with its namespace, `%n` name. */
function logText({ logPrefix, owner }: PolicyContext): string {
  const { tier, shortKind, name, namespace } = owner
  const full = namespace === undefined ? name : `${namespace}/${name}`
  const values: Readonly<Record<string, string>> = { t: tier, k: shortKind, p: full, n: name }
  return logPrefix.replace(/%([tkpn])/g, (_, letter: string) => values[letter] ?? '')
}
