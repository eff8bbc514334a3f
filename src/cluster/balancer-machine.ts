import { applyEdits } from '../artefact/iptables/apply.ts'
import { emptyRuleset } from '../artefact/iptables/rule.ts'
import { type DeviceName, deviceName, type Link } from '../artefact/link.ts'
import { type Address, addToNetns, type NetnsState } from '../artefact/netns.ts'
import type { Route, RoutingRule } from '../artefact/route.ts'
import { lazy } from '../cni/lazy.ts'
import { type Family, families, familyOf, type Ip } from '../net/ip.ts'
import { stableMac } from '../net/mac.ts'
import { anyPrefix, hostPrefix, prefixContains } from '../net/prefix.ts'
import type { Balancer, Target, Vip } from './balancer-plan.ts'
import { balancerRules, type MarkOf } from './balancer-rules.ts'
import { balancerNetns, type Machine } from './machine.ts'
import type { UnderlayPlan } from './underlay.ts'
import { card, defaultRoutes, loopbackOnly, onSegment, unicast } from './underlay-stations.ts'

/** A load balancer as a namespace: addresses, marks and routes that any Linux box could have. */
export function balancerMachine(balancer: Balancer, plan: UnderlayPlan): Machine {
  const state = lazy(() => balancerState(balancer, plan))
  return { id: balancerNetns(balancer.name), kind: 'load-balancer', name: balancer.name, state }
}

function balancerState(balancer: Balancer, plan: UnderlayPlan): NetnsState {
  const legs = legsOf(balancer, plan)
  const targets = distinctTargets(balancer.vips)
  const numberOf = new Map([...new Set(targets.map((t) => t.node))].map((node, i) => [node, i + 1] as const))
  const markOf: MarkOf = (node) => numberOf.get(node) ?? 0
  const rules = (family: Family) => applyEdits(emptyRuleset(family), balancerRules(balancer, family, markOf))
  const preserved = balancer.vips.filter((v) => v.mode === 'preserve')
  const proxied = balancer.vips.filter((v) => v.mode === 'proxy')
  const base = addToNetns(loopbackOnly, {
    links: [...legs.map((l) => l.link), ...(preserved.length > 0 ? [vipDevice] : [])],
    addresses: [
      ...legs.flatMap((l) => l.addresses),
      ...distinct(proxied.map((v) => v.ip)).map(
        (a): Address => ({ ...hostAddress(a), dev: deviceName('lo'), scope: 'global' }),
      ),
    ],
    routes: [
      ...(legs[0]
        ? defaultRoutes(
            legs[0].segment,
            plan,
            legs[0].link.name,
            legs[0].addresses.map((a) => a.ip),
          )
        : []),
      ...distinct(preserved.map((v) => v.ip)).map((a) => unicast(hostPrefix(a), vipDevice.name)),
      ...targets.flatMap((t) => routeTo(t, legs, tableOf(markOf(t.node)))),
    ],
    rules: families.flatMap((family) => rulesOf(targets, family, markOf)),
    sysctls: { ...forwarding, ...quiet(legs.map((l) => l.link.name)) },
  })
  return { ...base, iptables: { ipv4: rules('ipv4'), ipv6: rules('ipv6') } }
}

const forwarding = { 'net.ipv4.ip_forward': '1', 'net.ipv6.conf.all.forwarding': '1' }

/** In and out by one card is its trade: no redirects. It answers ARP for the VIPs, which no card of it has. */
const quiet = (devices: readonly DeviceName[]): NetnsState['sysctls'] =>
  Object.fromEntries([
    ['net.ipv4.conf.all.send_redirects', '0'],
    ...devices.flatMap((d) => [
      [`net.ipv4.conf.${d}.send_redirects`, '0'],
      [`net.ipv4.conf.${d}.proxy_arp`, '1'],
    ]),
  ])

/** Where VIPs that it only passes on are routed to while no node is chosen. */
const vipDevice: Link = {
  name: deviceName('vips'),
  mac: stableMac('load balancer vips'),
  mtu: 1500,
  up: true,
  kind: { kind: 'dummy' },
}

interface Leg {
  readonly segment: UnderlayPlan['segments'][number]
  readonly link: Link
  readonly addresses: readonly Address[]
}

function legsOf(balancer: Balancer, plan: UnderlayPlan): readonly Leg[] {
  return balancer.ports.flatMap((port, i): Leg[] => {
    const segment = plan.segments.find((s) => s.name === port.segment)
    if (!segment) return []
    const link = card(deviceName(`eth${i}`), `load balancer ${balancer.name} ${segment.name}`, segment.mtu)
    const addresses = port.addresses.map(
      (a): Address => ({ ...onSegment(a, segment), dev: link.name, scope: 'global' }),
    )
    return [{ segment, link, addresses }]
  })
}

const hostAddress = (a: Ip): { readonly ip: Ip; readonly length: number } => ({ ip: a, length: hostPrefix(a).length })
const distinct = <T>(values: readonly T[]): readonly T[] => [...new Set(values)]

/** Nodes in the order in which VIPs name them, each address once. */
const distinctTargets = (vips: readonly Vip[]): readonly Target[] => [
  ...new Map(vips.flatMap((v) => v.spread().targets).map((t) => [t.ip, t])).values(),
]

const firstTable = 100
const tableOf = (mark: number): string => String(firstTable + mark)

function rulesOf(targets: readonly Target[], family: Family, markOf: MarkOf): readonly RoutingRule[] {
  const marks = targets.filter((t) => familyOf(t.ip) === family).map((t) => markOf(t.node))
  return distinct(marks).map((mark) => ruleOf(mark, family))
}

const ruleOf = (mark: number, family: Family): RoutingRule => ({
  priority: firstTable + mark,
  family,
  fwmark: { value: mark, mask: 0xffffffff },
  action: { kind: 'lookup', table: tableOf(mark) },
})

function routeTo({ ip }: Target, legs: readonly Leg[], table: string): readonly Route[] {
  const leg = legs.find((l) => l.segment.prefixes.some((p) => prefixContains(p, ip)))
  return leg ? [{ ...unicast(anyPrefix(familyOf(ip)), leg.link.name, ip), table }] : []
}
