import type { Cluster } from '../cluster/cluster.ts'
import type { Pod } from '../kube/objects/pod.ts'
import { type Ip, parseIp } from '../net/ip.ts'
import type { EndProblem } from './end.ts'

export interface NameAnswer {
  readonly addresses: readonly Ip[]
  /** The Service that the name belongs to. */
  readonly service: { readonly namespace: string; readonly name: string } | undefined
}

/** A DNS name as the pod would look it up: its own namespace, then the cluster domain. */
export function lookUpName(cluster: Cluster, name: string, from: Pod | undefined): NameAnswer | EndProblem {
  const { objects, settings } = cluster
  const labels = name.replace(/\.$/, '').split('.')
  const suffix = ['svc', ...settings.clusterDomain.split('.')]
  const tail = labels.slice(2)
  const serviceLike = labels.length <= 2 || tail.every((label, i) => label === suffix[i])
  const [service = '', namespace = from?.metadata.namespace ?? 'default'] = labels
  const found = serviceLike ? objects.get('Service', service, namespace) : undefined
  if (!found) return { problem: `${name} resolves to nothing the input knows; use an address for a host outside` }
  const texts = found.spec.clusterIPs ?? (found.spec.clusterIP ? [found.spec.clusterIP] : [])
  return { addresses: texts.flatMap((t) => parseIp(t) ?? []), service: { namespace, name: service } }
}
