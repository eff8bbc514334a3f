import { deviceName } from '../artefact/link.ts'
import type { LocalRoute, PeerGroup, Speaker } from '../bgp/speaker.ts'
import type { OtherSpeakers } from '../cni/calico/bgp/routing.ts'
import { type Family, familyOf, type Ip } from '../net/ip.ts'
import { prefixContains, prefixFamily } from '../net/prefix.ts'
import { routerNetns } from './machine.ts'
import type { Router, RouterBgp, UnderlayPlan } from './underlay.ts'

/** The routers of the underlay that speak BGP, top of rack and above; undefined where there is none. */
export function routerSpeakers(plan: UnderlayPlan): OtherSpeakers | undefined {
  const routers = plan.routers.flatMap((router) => (router.bgp ? [{ router, bgp: router.bgp }] : []))
  if (routers.length === 0) return undefined
  const byId = new Map(routers.map(({ router }) => [routerNetns(router.name) as string, router]))
  const linkTo = (id: string, address: Ip): string | undefined => {
    const router = byId.get(id)
    return router && deviceTowards(router, address, plan)
  }
  return {
    speakers: (family) => routers.flatMap(({ router, bgp }) => speakerOf(router, bgp, family, plan)),
    linkTo,
    resolve: (id, nextHop) => {
      const direct = linkTo(id, nextHop)
      if (direct !== undefined) return { device: direct, metric: 0 }
      const gateway = byId
        .get(id)
        ?.routes.filter((r) => prefixContains(r.to, nextHop))
        .toSorted((a, b) => b.to.length - a.to.length)[0]?.via
      const device = gateway && linkTo(id, gateway)
      return gateway === undefined || device === undefined ? undefined : { device, gateway }
    },
  }
}

/** Ports are named `eth0`, `eth1`, ... in their order. */
function deviceTowards(router: Router, address: Ip, { segments }: UnderlayPlan): string | undefined {
  const at = router.ports.findIndex(({ segment }) =>
    segments.find((s) => s.name === segment)?.prefixes.some((p) => prefixContains(p, address)),
  )
  return at < 0 ? undefined : deviceName(`eth${at}`)
}

function speakerOf(router: Router, bgp: RouterBgp, family: Family, plan: UnderlayPlan): readonly Speaker[] {
  const addresses = router.ports.flatMap((p) => p.addresses).filter((a) => familyOf(a) === family)
  if (addresses.length === 0) return []
  const id = routerNetns(router.name)
  return [
    {
      id,
      routerId: bgp.routerId,
      as: bgp.as,
      addresses,
      peers: peersOf(router, bgp, addresses, plan),
      routes: routesOf(router, family, plan),
      kernel: { mergePaths: true },
    },
  ]
}

/** A session leaves from the address on the neighbour's link; towards one behind other routers it is of many hops. */
function peersOf(
  router: Router,
  { neighbors }: RouterBgp,
  own: readonly Ip[],
  plan: UnderlayPlan,
): readonly PeerGroup[] {
  const mine = neighbors.filter((n) => familyOf(n.address) === familyOf(own[0] ?? n.address))
  return mine.map(({ address, as, reflectorClient, passive }): PeerGroup => {
    const source = sourceTowards(router, address, plan)
    return {
      settings: {
        ...(source === undefined ? { multihop: true } : { sourceAddress: source }),
        ...(reflectorClient ? { rrClient: true } : {}),
        ...(passive ? { passive: true } : {}),
      },
      neighbors: [{ name: `peer_${address.replace(/[.:]/g, '_')}`, address, as }],
    }
  })
}

function sourceTowards(router: Router, address: Ip, { segments }: UnderlayPlan): Ip | undefined {
  const prefixes = router.ports.flatMap(({ segment, addresses }) =>
    (segments.find((s) => s.name === segment)?.prefixes ?? []).map((prefix) => ({ prefix, addresses })),
  )
  const near = prefixes.find(({ prefix }) => prefixContains(prefix, address))
  return near?.addresses.find((a) => prefixContains(near.prefix, a))
}

function routesOf(router: Router, family: Family, plan: UnderlayPlan): readonly LocalRoute[] {
  const direct = router.ports.flatMap(({ segment }, i) =>
    (plan.segments.find((s) => s.name === segment)?.prefixes ?? []).map(
      (prefix): LocalRoute => ({ prefix, source: 'direct', target: { kind: 'device', device: deviceName(`eth${i}`) } }),
    ),
  )
  // They are in the kernel already.
  const routes = router.routes.flatMap(({ to, via }): LocalRoute[] => {
    const device = deviceTowards(router, via, plan)
    return device === undefined
      ? []
      : [{ prefix: to, source: 'kernel', target: { kind: 'gateway', gateway: via, device } }]
  })
  return [...direct, ...routes].filter((r) => prefixFamily(r.prefix) === family)
}
