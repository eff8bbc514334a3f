import type { Cluster } from '../cluster/cluster.ts'
import { normalName } from '../dns/resolv-conf.ts'
import { mayBeOutside, type Resolution, resolve } from '../dns/resolve.ts'
import { nearestNames } from '../kube/nearest-names.ts'
import type { Pod } from '../kube/objects/pod.ts'
import { type Ip, ip } from '../net/ip.ts'
import type { EndProblem } from './end.ts'

export interface NameAnswer {
  readonly addresses: readonly Ip[]
  /** The absolute name that was answered. */
  readonly name: string
  /** The Service that the name is of. */
  readonly service: { readonly namespace: string; readonly name: string } | undefined
  /** Only a resolver outside of the cluster could tell: the outside host stands for it. */
  readonly outside: boolean
}

/** A DNS name as the pod's resolver would look it up; from outside of a pod, as an absolute name. */
export function lookUpName(
  cluster: Pick<Cluster, 'objects' | 'settings' | 'underlay'>,
  name: string,
  from: Pod | undefined,
): NameAnswer | EndProblem {
  const { objects, settings, underlay } = cluster
  const known = balancerNamed(cluster, name) ?? (normalName(name) === 'localhost' ? loopback : undefined)
  if (known) return { addresses: known, name, service: undefined, outside: false }
  const found = resolve(objects, settings, { name, ...(from === undefined ? {} : { from }) })
  switch (found.outcome) {
    case 'found': {
      const answered = found.answeredName ?? name
      return {
        addresses: found.addresses,
        name: answered,
        service: serviceOf(answered, settings.clusterDomain),
        outside: false,
      }
    }
    case 'external': {
      const answered = found.answeredName ?? name
      const missing = found.records.length > 0 ? undefined : missingService(cluster, name)
      if (missing !== undefined) return { problem: missing }
      if (!mayBeOutside(answered)) return unresolved(name, 'NXDOMAIN', found)
      return { addresses: underlay.hosts[0]?.addresses ?? [], name: answered, service: undefined, outside: true }
    }
    case 'nodata':
      return unresolved(name, 'it has no address', found)
    case 'nxdomain':
      return unresolved(name, 'NXDOMAIN', found)
  }
}

const loopback: readonly Ip[] = [ip('127.0.0.1'), ip('::1')]

/** A load balancer that its Services' status names. */
function balancerNamed({ underlay }: Pick<Cluster, 'underlay'>, name: string): readonly Ip[] | undefined {
  const vips = underlay.balancers.flatMap((b) => b.vips).filter((v) => v.hostname === normalName(name))
  return vips.length > 0 ? vips.map((v) => v.ip) : undefined
}

/**
 * A relative name that reads as a Service's, though the input has no such Service. The cluster's DNS would ask the world, which
 * hardly knows it: to call the packet delivered there would hide a slip. A final dot says that the world is meant.
 */
function missingService(
  { objects, settings }: Pick<Cluster, 'objects' | 'settings'>,
  name: string,
): string | undefined {
  const labels = normalName(name).split('.')
  const svc = labels.indexOf('svc')
  const [service, namespace] = svc < 0 && labels.length === 2 ? labels : svc < 2 ? [] : labels.slice(svc - 2, svc)
  if (name.endsWith('.') || service === undefined || namespace === undefined) return undefined
  const services = objects
    .list('Service')
    .map(({ metadata }) => [metadata.name, metadata.namespace ?? 'default'] as const)
  const known = services.some(([n, ns]) => n === service || ns === namespace)
  if (svc < 0 && !known && name !== 'kubernetes.default') return undefined
  const full = (n: string, ns: string): string => `${n}.${ns}`
  const names = services.map(([n, ns]) => full(n, ns))
  const own = full(service, namespace)
  const near = nearestNames(own, names)
  const hint = near.length > 0 ? `; nearest: ${near.join(', ')}` : ''
  const why = names.includes(own)
    ? `the service's name is ${own}.svc.${settings.clusterDomain}`
    : `no service "${service}" in namespace "${namespace}"${hint}`
  return `${name} does not resolve: ${why}; a name of the world ends in a dot: ${name}.`
}

function unresolved(name: string, why: string, { attempts }: Resolution): EndProblem {
  const tried = [...new Set(attempts.map((a) => a.name))]
  return { problem: `${name} does not resolve (${why}); tried ${tried.join(', ')}` }
}

/** `web.shop.svc.cluster.local` is the Service's own name; a longer one is that of an endpoint or port. */
function serviceOf(name: string, domain: string): NameAnswer['service'] {
  const suffix = `.svc.${domain.toLowerCase()}`
  if (!name.endsWith(suffix)) return undefined
  const labels = name.slice(0, -suffix.length).split('.')
  const [service = '', namespace = ''] = labels
  return labels.length === 2 ? { namespace, name: service } : undefined
}
