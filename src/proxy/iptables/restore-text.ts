import type { MaskedValue, Match, Negatable, Rule, Target } from '../../artefact/iptables/rule.ts'
import { formatSocketAddress } from '../../net/port.ts'
import { formatPrefix, isHostPrefix, type Prefix } from '../../net/prefix.ts'
import type { ProxySettings } from '../proxy-settings.ts'
import { behaviourOf } from '../version.ts'
import { oneOf, probabilityText } from './probability.ts'
import type { ChainRule } from './rule-parts.ts'

/** How one kube-proxy spells the rules that it hands to iptables-restore. */
export interface RestoreDialect {
  /** `/32` and `/128` are written out: up to 1.22. */
  readonly hostLengths: boolean
  /** The masquerade mark: `0x00004000`. Upstream's test proxies say `0x4000`. */
  readonly mark: (value: number) => string
}

export const restoreDialect = ({ minor }: ProxySettings): RestoreDialect => ({
  hostLengths: behaviourOf(minor).before123,
  mark: (value) => `0x${value.toString(16).padStart(8, '0')}`,
})

/**
 * One line of restore input. kube-proxy has an order of its own: comment, then what says whom the rule is about, then
 * protocol, addresses and port together, then the rest. iptables-save prints the same rule in iptables' order.
 */
export function formatRestoreRule({ chain, rule }: ChainRule, dialect: RestoreDialect): string {
  let early = ''
  let packet = ''
  let late = ''
  let isPlaced = false
  for (const match of rule.matches) {
    if (match.kind === 'tcp' || match.kind === 'udp' || match.kind === 'sctp') {
      packet += ` -m ${match.kind} -p ${match.kind}${destination(rule, dialect)}${port(match)}`
      isPlaced = true
    } else if (isEarly(match)) early += matchText(match, dialect)
    else late += matchText(match, dialect)
  }
  const addresses = (isPlaced ? '' : destination(rule, dialect)) + source(rule, dialect)
  return `-A ${chain}${early}${packet}${addresses}${late}${targetText(rule.target, dialect)}`
}

const isEarly = (match: Match): boolean =>
  match.kind === 'comment' || match.kind === 'addrtype' || match.kind === 'recent'

const option = (name: string, { not }: Negatable<unknown>, value: string): string =>
  ` ${not ? '! ' : ''}${name} ${value}`

const address = (prefix: Prefix, withLength: boolean): string =>
  isHostPrefix(prefix) && !withLength ? prefix.address : formatPrefix(prefix)

/** A loopback address that is kept out is a constant of kube-proxy's, and the node's own ones never had a length. */
function destination({ destination, protocol }: Rule, { hostLengths }: RestoreDialect): string {
  if (destination === undefined) return ''
  const withLength = destination.not ?? (hostLengths && protocol !== undefined)
  return option('-d', destination, address(destination.value, withLength))
}

/** `::1/128` is a constant as well. */
function source({ source, inInterface }: Rule, { hostLengths }: RestoreDialect): string {
  const withLength = hostLengths || source?.value.address === '::1'
  return (
    (source ? option('-s', source, address(source.value, withLength)) : '') +
    (inInterface ? option('-i', inInterface, inInterface.value) : '')
  )
}

function port(match: Extract<Match, { kind: 'tcp' | 'udp' | 'sctp' }>): string {
  return match.dport ? option('--dport', match.dport, String(match.dport.value.from)) : ''
}

/** Names without blanks stand without quotes. */
const quoted = (text: string): string => (text.includes(' ') ? `"${text}"` : text)

const masked = ({ value, mask }: MaskedValue, { mark }: RestoreDialect): string => `${mark(value)}/${mark(mask)}`

/** The matches that kube-proxy writes; others never get here. */
function matchText(match: Match, dialect: RestoreDialect): string {
  switch (match.kind) {
    case 'comment':
      return ` -m comment --comment ${quoted(match.text)}`
    case 'addrtype':
      return ` -m addrtype${match.dstType ? ' --dst-type LOCAL' : ' --src-type LOCAL'}`
    case 'recent':
      return ` -m recent --name ${match.name}${
        match.op.value === 'set' ? ' --set' : ` --rcheck --seconds ${match.seconds} --reap`
      }`
    case 'conntrack':
      return ` -m conntrack${match.state ? option('--ctstate', match.state, match.state.value.join(',')) : ''}`
    case 'mark':
      return ` -m mark${option('--mark', match.mark, masked(match.mark.value, dialect))}`
    case 'statistic':
      return match.mode === 'random'
        ? ` -m statistic --mode random --probability ${probabilityText(oneOf(match.probability.value))}`
        : unwritten(match.kind)
    case 'nfacct':
      return ` -m nfacct --nfacct-name ${match.name}`
    default:
      return unwritten(match.kind)
  }
}

function targetText(target: Target | undefined, dialect: RestoreDialect): string {
  if (target === undefined) return ''
  switch (target.kind) {
    case 'jump':
      return ` -j ${target.chain}`
    case 'accept':
    case 'drop':
    case 'return':
    case 'reject':
      return ` -j ${target.kind.toUpperCase()}`
    case 'mark':
      return ` -j MARK --${target.xmark.mask === 0 ? 'xor' : 'or'}-mark ${dialect.mark(target.xmark.value)}`
    case 'masquerade':
      return ` -j MASQUERADE${target.randomFully ? ' --random-fully' : ''}`
    case 'dnat':
      return ` -j DNAT --to-destination ${formatSocketAddress(target.to.address?.from ?? '', target.to.ports?.from ?? 0)}`
    default:
      return unwritten(target.kind)
  }
}

function unwritten(kind: string): never {
  throw new Error(`kube-proxy writes no ${kind}`)
}
