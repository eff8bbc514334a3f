import type { Cluster } from '../cluster/cluster.ts'
import { normalName } from '../dns/resolv-conf.ts'
import { mayBeOutside, type Resolution, resolve } from '../dns/resolve.ts'
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
      if (!mayBeOutside(name)) return unresolved(name, 'NXDOMAIN', found)
      return { addresses: underlay.hosts[0]?.addresses ?? [], name, service: undefined, outside: true }
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
