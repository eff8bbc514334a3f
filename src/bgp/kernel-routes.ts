import { compareIps } from '../net/ip.ts'
import type { Prefix } from '../net/prefix.ts'
import { bestOf, type Candidate, mergeable } from './best-path.ts'
import { acceptAll } from './filter.ts'
import type { KernelNexthop, KernelRoute } from './outcome.ts'
import { type FilterRoute, runFilter } from './run-filter.ts'
import type { KernelProtocol } from './speaker.ts'

/** What the kernel protocol makes of one prefix: paths that came from the kernel or the devices stay out. */
export function kernelRoute(
  prefix: Prefix,
  candidates: readonly Candidate[],
  kernel: KernelProtocol,
  protocolOf: (source: number) => string,
): KernelRoute | undefined {
  const best = bestOf(candidates)
  if (!best || best.route.source === 'direct' || best.route.source === 'kernel') return undefined
  const paths = kernel.mergePaths ? mergeable(best, candidates) : [best]
  const accepted = paths
    .map((path) => ({ path, draft: draftOf(prefix, path) }))
    .filter(({ draft }) => runFilter(kernel.exportFilter ?? acceptAll, draft))
  const first = accepted.find(({ path }) => path === best)
  if (!first) return undefined
  const nexthops = accepted.flatMap(({ path, draft }) => nexthopsOf(path, draft.tunnel))
  const merged = accepted.map(({ path }) => path).sort((a, b) => a.source - b.source)
  return {
    prefix,
    kind: nexthops.length > 0 ? 'unicast' : best.route.target?.kind === 'blackhole' ? 'blackhole' : 'unreachable',
    nexthops: distinct(nexthops),
    ...(first.draft.metric !== undefined && { metric: first.draft.metric }),
    protocols: [best, ...merged.filter((path) => path !== best)].map((path) => protocolOf(path.source)),
  }
}

function nexthopsOf({ route, bgp }: Candidate, tunnel: string | undefined): readonly KernelNexthop[] {
  const { target } = route
  if (target?.kind === 'device') return [{ device: target.device, onlink: false }]
  if (target?.kind === 'gateway') return [{ device: target.device, gateway: target.gateway, onlink: false }]
  if (!bgp?.resolution) return []
  if (tunnel) return [{ device: tunnel, gateway: bgp.attributes.nextHop, onlink: true }]
  const { device, gateway = bgp.attributes.nextHop } = bgp.resolution
  return [{ device, gateway, onlink: false }]
}

/** Paths through the same neighbour are one next hop. */
function distinct(nexthops: readonly KernelNexthop[]): readonly KernelNexthop[] {
  const byKey = new Map(nexthops.map((n) => [`${n.gateway} ${n.device}`, n]))
  return [...byKey.values()].sort((a, b) => (a.gateway && b.gateway ? compareIps(a.gateway, b.gateway) : 0))
}

const draftOf = (prefix: Prefix, { route, bgp }: Candidate): FilterRoute => ({
  prefix,
  source: route.source,
  device: route.target && 'device' in route.target ? route.target.device : bgp?.resolution?.device,
  preference: route.preference,
  metric: route.metric,
  tunnel: route.tunnel,
  localPref: route.attributes?.localPref,
  med: route.attributes?.med,
  nextHop: route.attributes?.nextHop,
  asPath: route.attributes?.asPath ?? [],
  communities: route.attributes?.communities ?? [],
  setNextHop: false,
  setMed: false,
})
