import type { Family } from '../../../net/ip.ts'
import { setName } from '../names.ts'
import type { IcmpMatch, ParsedEnd, ParsedRule } from './parsed-rule.ts'
import { inSet, notInSet } from './rule.ts'

/** Slots of one multiport match; a range takes two (xt_multiport, XT_MULTI_PORTS). */
const portSlots = 15

/** As few multiport matches as hold the ports, in their order. */
export function splitPorts(ports: readonly string[]): readonly (readonly string[])[] {
  const splits: string[][] = []
  let used = portSlots
  for (const port of ports) {
    const slots = port.includes(':') ? 2 : 1
    if (used + slots > portSlots) {
      splits.push([])
      used = 0
    }
    splits.at(-1)?.push(port)
    used += slots
  }
  return splits
}

type Side = 'src' | 'dst'

const netOption = { src: '--source', dst: '--destination' } as const
const portOption = { src: '--source-ports', dst: '--destination-ports' } as const

export const netMatch = (side: Side, net: string): string => `${netOption[side]} ${net}`
export const portMatch = (side: Side, ports: readonly string[]): string =>
  `-m multiport ${portOption[side]} ${ports.join(',')}`
export const namedPortMatch = (side: Side, family: Family, id: string): string =>
  inSet(setName(family, id), `${side},${side}`)

/** What one iptables rule can say of a policy rule, in Felix's order: the positive part, then the negated one. */
export function matchText(rule: ParsedRule, family: Family): string {
  return [
    rule.protocol === undefined ? '' : `-p ${rule.protocol}`,
    ...positive('src', rule.src, family),
    ...positive('dst', rule.dst, family),
    rule.icmp ? icmpText(rule.icmp, family, '') : '',
    rule.notProtocol === undefined ? '' : `! -p ${rule.notProtocol}`,
    ...negated('src', rule.src, family),
    ...negated('dst', rule.dst, family),
    rule.notIcmp ? icmpText(rule.notIcmp, family, '! ') : '',
  ]
    .filter((t) => t !== '')
    .join(' ')
}

const positive = (side: Side, end: ParsedEnd, family: Family): readonly string[] => [
  ...end.nets.map((net) => netMatch(side, net)),
  ...end.sets.map((id) => inSet(setName(family, id), side)),
  ...end.ipPortSets.map((id) => inSet(setName(family, id), `${side},${side}`)),
  ...splitPorts(end.ports).map((ports) => portMatch(side, ports)),
  ...end.namedPortSets.map((id) => namedPortMatch(side, family, id)),
]

const negated = (side: Side, end: ParsedEnd, family: Family): readonly string[] => [
  ...end.notNets.map((net) => `! ${netMatch(side, net)}`),
  ...end.notSets.map((id) => notInSet(setName(family, id), side)),
  ...splitPorts(end.notPorts).map((ports) => `-m multiport ! ${portOption[side]} ${ports.join(',')}`),
  ...end.notNamedPortSets.map((id) => notInSet(setName(family, id), `${side},${side}`)),
]

function icmpText({ type, code }: IcmpMatch, family: Family, not: string): string {
  const value = code === undefined ? `${type}` : `${type}/${code}`
  return family === 'ipv4' ? `-m icmp ${not}--icmp-type ${value}` : `-m icmp6 ${not}--icmpv6-type ${value}`
}
