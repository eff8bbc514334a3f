import type { Node } from '../kube/objects/node.ts'
import type { Pod } from '../kube/objects/pod.ts'
import type { EndpointSlice, Endpoints, Service } from '../kube/objects/service.ts'
import { type Family, familyOf, type Ip } from '../net/ip.ts'
import { nthAddress, prefixFamily } from '../net/prefix.ts'
import { type ControllerContext, isGenerated } from './context.ts'
import { ipFamilyOf } from './ip-families.ts'
import { internalIps } from './nodes.ts'
import { podIpsOf } from './pod-state.ts'

const meta = { name: 'kubernetes', namespace: 'default' }
const securePort = 6443

/**
 * The Service `default/kubernetes` at the first address of the service network, with the endpoints that API servers write
 * for themselves. Only where the input shows a control plane: a Service without endpoints would be a wrong answer.
 */
export function runApiServerService({ store, settings }: ControllerContext): void {
  const [network] = settings.serviceNetworks
  if (network === undefined) return
  const family = prefixFamily(network)
  const addresses = apiServerIps(store.list('Pod'), store.list('Node'), family)
  const clusterIP = nthAddress(network, 1)
  if (addresses.length === 0 || clusterIP === undefined) return
  if (!store.get('Service', meta.name, meta.namespace)) store.create(service(clusterIP, family))
  const slices = store.list('EndpointSlice', { namespace: meta.namespace })
  const own = slices.filter((s) => s.metadata.labels?.['kubernetes.io/service-name'] === meta.name)
  const given = store.get('Endpoints', meta.name, meta.namespace)
  if (own.some((s) => !isGenerated(store, s)) || (given && !isGenerated(store, given))) return
  store.apply(slice(addresses, family))
  store.apply(endpoints(addresses))
}

/** The static pods of kubeadm, or the nodes that say they are of the control plane. */
function apiServerIps(pods: readonly Pod[], nodes: readonly Node[], family: Family): readonly Ip[] {
  const isApiServer = (p: Pod) =>
    p.metadata.namespace === 'kube-system' && p.metadata.labels?.component === 'kube-apiserver'
  const ofPods = pods.filter(isApiServer).flatMap(podIpsOf)
  const ofNodes = nodes.filter(isControlPlane).flatMap(internalIps)
  const found = (ofPods.length > 0 ? ofPods : ofNodes).filter((ip) => familyOf(ip) === family)
  return [...new Set(found)]
}

export const isControlPlane = (node: Node): boolean =>
  ['control-plane', 'master'].some((role) =>
    Object.hasOwn(node.metadata.labels ?? {}, `node-role.kubernetes.io/${role}`),
  )

const service = (clusterIP: Ip, family: Family): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { ...meta, labels: { component: 'apiserver', provider: 'kubernetes' } },
  spec: {
    type: 'ClusterIP',
    clusterIP,
    clusterIPs: [clusterIP],
    ipFamilies: [ipFamilyOf(family)],
    ipFamilyPolicy: 'SingleStack',
    ports: [{ name: 'https', protocol: 'TCP', port: 443, targetPort: securePort }],
  },
})

const ports = [{ name: 'https', protocol: 'TCP' as const, port: securePort }]

const slice = (addresses: readonly Ip[], family: Family): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { ...meta, labels: { 'kubernetes.io/service-name': meta.name } },
  addressType: ipFamilyOf(family),
  endpoints: addresses.map((ip) => ({ addresses: [ip], conditions: { ready: true } })),
  ports,
})

const endpoints = (addresses: readonly Ip[]): Endpoints => ({
  apiVersion: 'v1',
  kind: 'Endpoints',
  metadata: { ...meta, labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
  subsets: [{ addresses: addresses.map((ip) => ({ ip })), ports }],
})
