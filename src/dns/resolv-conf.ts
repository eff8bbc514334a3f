import { parseApiIp } from '../kube/addresses.ts'
import type { Pod } from '../kube/objects/pod.ts'
import type { Service } from '../kube/objects/service.ts'
import type { ClusterSettings } from '../kube/settings.ts'
import type { ObjectReader } from '../kube/store.ts'
import type { Ip } from '../net/ip.ts'
import { nthAddress } from '../net/prefix.ts'

/** The pod's /etc/resolv.conf. What the node's own file would add is not known and left out. */
export interface ResolvConf {
  /** In order; empty where the node's own resolvers are asked. */
  readonly nameservers: readonly Ip[]
  readonly searches: readonly string[]
  readonly options: readonly { readonly name: string; readonly value?: string }[]
  readonly ndots: number
  /** Whether the first nameserver is the cluster's. */
  readonly inCluster: boolean
}

/** kubelet `pkg/kubelet/network/dns`: so many of each are kept. */
const maxNameservers = 3
const maxSearches = 32

/** What the kubelet writes for the pod's dnsPolicy and dnsConfig. */
export function resolvConfOf(objects: ObjectReader, settings: ClusterSettings, pod: Pod): ResolvConf {
  const clusterDns = clusterDnsIps(objects, settings)
  const base = baseOf(pod, clusterDns, settings)
  const { nameservers = [], searches = [], options = [] } = pod.spec.dnsConfig ?? {}
  const servers = distinct([...base.nameservers, ...nameservers.map(parseApiIp).filter((ip) => ip !== undefined)])
  const merged = mergedOptions(base.options, options)
  const ndots = Number(merged.find((o) => o.name === 'ndots')?.value ?? 1)
  return {
    nameservers: servers.slice(0, maxNameservers),
    searches: distinct([...base.searches, ...searches.map(normalName)]).slice(0, maxSearches),
    options: merged,
    // resolv.conf(5): silently at most 15.
    ndots: Number.isInteger(ndots) && ndots >= 0 ? Math.min(ndots, 15) : 1,
    inCluster: servers[0] !== undefined && clusterDns.includes(servers[0]),
  }
}

type Base = Pick<ResolvConf, 'nameservers' | 'searches' | 'options'>

function baseOf(pod: Pod, clusterDns: readonly Ip[], { clusterDomain }: ClusterSettings): Base {
  const outside: Base = { nameservers: [], searches: [], options: [] }
  const { dnsPolicy = 'ClusterFirst', hostNetwork = false } = pod.spec
  const namespace = pod.metadata.namespace ?? 'default'
  const searches = [`${namespace}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain]
  const cluster: Base = { nameservers: clusterDns, searches, options: [{ name: 'ndots', value: '5' }] }
  switch (dnsPolicy) {
    case 'None':
    case 'Default':
      return outside
    case 'ClusterFirstWithHostNet':
      return cluster
    default:
      // In the network of its node, a pod with ClusterFirst falls back to Default.
      return hostNetwork ? outside : cluster
  }
}

/** The Service of CoreDNS; without one, the tenth address of the service network, which kubeadm tells kubelets. */
function clusterDnsIps(objects: ObjectReader, { serviceNetworks }: ClusterSettings): readonly Ip[] {
  const found = clusterDnsService(objects)
  const [network] = serviceNetworks
  const conventional = network && nthAddress(network, 10)
  if (found === undefined) return conventional === undefined ? [] : [conventional]
  const { clusterIP = '', clusterIPs = [] } = found.spec
  const ips = (clusterIPs.length > 0 ? clusterIPs : [clusterIP]).map(parseApiIp)
  return ips.filter((ip) => ip !== undefined).slice(0, 1)
}

/** `kube-dns` by name, as kubeadm keeps it whoever serves; else what carries its label. */
export function clusterDnsService(objects: ObjectReader): Service | undefined {
  const named = objects.get('Service', 'kube-dns', 'kube-system')
  return named ?? objects.list('Service', { namespace: 'kube-system', labelSelector: 'k8s-app=kube-dns' })[0]
}

/** A later option of one name replaces the earlier in its place. */
function mergedOptions(base: ResolvConf['options'], given: ResolvConf['options']): ResolvConf['options'] {
  return [...new Map([...base, ...given].map((o) => [o.name, o])).values()]
}

const distinct = <T>(values: readonly T[]): readonly T[] => [...new Set(values)]
export const normalName = (name: string): string => name.toLowerCase().replace(/\.$/, '')
