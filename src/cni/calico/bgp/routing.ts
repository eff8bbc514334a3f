import { deviceName } from '../../../artefact/link.ts'
import type { Origin } from '../../../artefact/origin.ts'
import type { Route } from '../../../artefact/route.ts'
import { type Convergence, converge } from '../../../bgp/converge.ts'
import type { ConnectFailure, Network, Resolution } from '../../../bgp/network.ts'
import type { KernelRoute } from '../../../bgp/outcome.ts'
import type { Speaker } from '../../../bgp/speaker.ts'
import type { Family, Ip } from '../../../net/ip.ts'
import type { CalicoPlan } from '../plan.ts'
import { gatewayOf, isOnLink, speakersOf } from './speakers.ts'

/** Whether TCP gets from one node to a port of an address; undefined: it does. */
export type CanConnect = (node: string, address: Ip, port: number) => ConnectFailure | undefined

/** Routers that speak BGP as well, and what they see around them; `id` is a speaker's. */
export interface OtherSpeakers {
  readonly speakers: (family: Family) => readonly Speaker[]
  readonly linkTo: (id: string, address: Ip) => string | undefined
  readonly resolve: (id: string, nextHop: Ip) => Resolution | undefined
}

/** All speakers of one family after they have told each other everything. */
export function convergeCalico(
  plan: CalicoPlan,
  family: Family,
  canConnect: CanConnect = () => undefined,
  others?: OtherSpeakers,
): Convergence {
  const network: Network = {
    canConnect: (from, to, port) => canConnect(from.speaker.id, to.address, port),
    linkTo: (speaker, address) => {
      const node = plan.nodes.get(speaker.id)
      if (!node) return others?.linkTo(speaker.id, address)
      return isOnLink(node, address) ? node.uplink.device : undefined
    },
    resolve: (speaker, nextHop) => {
      const node = plan.nodes.get(speaker.id)
      if (!node) return others?.resolve(speaker.id, nextHop)
      const { device } = node.uplink
      if (isOnLink(node, nextHop)) return { device, metric: 0 }
      const gateway = gatewayOf(node, family)
      return gateway && { device, gateway }
    },
  }
  return converge([...speakersOf(plan, family), ...(others?.speakers(family) ?? [])], network)
}

/** What BIRD puts into one node's kernel. */
export const birdRoutes = (convergence: Convergence, node: string): readonly Route[] =>
  convergence.kernelRoutes(node).flatMap((route) => routeOf(route))

/** A kernel here takes one next hop; of several the first, as the hash of one flow would take one. */
function routeOf({ prefix, kind, nexthops, metric, protocols }: KernelRoute): readonly Route[] {
  const origin: Origin = { by: 'bird', note: protocols.join(', ') }
  const base = { dst: prefix, table: 'main', proto: 'bird', scope: 'global' as const, origin }
  if (kind !== 'unicast') return [{ ...base, type: kind }]
  const [nexthop] = nexthops
  if (!nexthop) return []
  return [
    {
      ...base,
      type: 'unicast',
      ...(nexthop.gateway === undefined ? {} : { via: nexthop.gateway }),
      dev: deviceName(nexthop.device),
      ...(metric === undefined ? {} : { metric }),
      ...(nexthop.onlink ? { onlink: true } : {}),
    },
  ]
}
