import { parseApiIp } from '../kube/addresses.ts'
import type { Pod } from '../kube/objects/pod.ts'
import type { ClusterSettings } from '../kube/settings.ts'
import { type Ip, ip } from '../net/ip.ts'

const loopback: readonly Ip[] = [ip('127.0.0.1'), ip('::1')]

/** The /etc/hosts that the kubelet writes: loopback, and the pod's own names. A pod in its node's network has the node's. */
export function ownNames(pod: Pod, { clusterDomain }: ClusterSettings): ReadonlyMap<string, readonly Ip[]> {
  const names = new Map([['localhost', loopback]])
  if (pod.spec.hostNetwork) return names
  const { podIP, podIPs = [] } = pod.status ?? {}
  const texts = podIPs.length > 0 ? podIPs.map((i) => i.ip) : [podIP ?? '']
  const ips = texts.map(parseApiIp).filter((i) => i !== undefined)
  const { hostname = pod.metadata.name.slice(0, 63), subdomain } = pod.spec
  const namespace = pod.metadata.namespace ?? 'default'
  if (ips.length > 0) {
    names.set(hostname.toLowerCase(), ips)
    if (subdomain) names.set(`${hostname}.${subdomain}.${namespace}.svc.${clusterDomain}`.toLowerCase(), ips)
  }
  return names
}
