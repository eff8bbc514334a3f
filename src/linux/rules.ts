import { kernelRules } from '../artefact/connected.ts'
import type { DeviceName } from '../artefact/link.ts'
import type { RoutingRule } from '../artefact/route.ts'
import type { Family, Ip } from '../net/ip.ts'
import { prefixContains } from '../net/prefix.ts'

/** What a look-up is about (struct flowi). `iif` of a locally made packet is the loopback device. */
export interface Flow {
  readonly src: Ip | undefined
  readonly dst: Ip
  readonly iif: DeviceName | undefined
  readonly oif?: DeviceName | undefined
  readonly mark: number
}

/** `ip rule` with the kernel's own: local, main and, for IPv4, default. A tie keeps the order of arrival. */
export function rulesOf(family: Family, added: readonly RoutingRule[]): readonly RoutingRule[] {
  const kernel: readonly RoutingRule[] = kernelRules(family)
  const more = added.filter((r) => r.family === family && !kernel.some((k) => sameRule(k, r)))
  return [...kernel, ...more].sort((a, b) => a.priority - b.priority)
}

const sameRule = (a: RoutingRule, b: RoutingRule): boolean =>
  a.priority === b.priority &&
  a.action.kind === 'lookup' &&
  b.action.kind === 'lookup' &&
  a.action.table === b.action.table &&
  !(b.from || b.to || b.iif || b.oif || b.fwmark || b.not)

/** fib_rule_match (net/core/fib_rules.c). */
export function ruleMatches(rule: RoutingRule, flow: Flow): boolean {
  const { from, to, iif, oif, fwmark } = rule
  const matches =
    (iif === undefined || iif === flow.iif) &&
    (oif === undefined || oif === flow.oif) &&
    (fwmark === undefined || ((fwmark.value ^ flow.mark) & fwmark.mask) === 0) &&
    (from === undefined || from.length === 0 || (flow.src !== undefined && prefixContains(from, flow.src))) &&
    (to === undefined || prefixContains(to, flow.dst))
  return rule.not ? !matches : matches
}
