import { type BuiltCluster, buildCluster } from '../../cluster/build.ts'
import { runControlPlane } from '../../cluster/control-plane.ts'
import { loadManifests } from '../../kube/load.ts'
import { isError } from '../../kube/problem.ts'
import type { ClusterSettings } from '../../kube/settings.ts'
import { uint32ToIpv4 } from '../../net/ip.ts'

export type ProxyMode = 'iptables' | 'ipvs' | 'nftables'

export interface SyntheticSize {
  readonly services: number
  /** Of each Service. */
  readonly endpoints: number
  readonly mode: ProxyMode
}

const nodes = 8
const podsPerNode = 16
const pods = nodes * podsPerNode
const firstServiceIp = 0x0a600010

/** Where Service number `i`, from 0, is reached. */
export const serviceIp = (i: number): string => uint32ToIpv4(firstServiceIp + i)
export const servicePort = 80
/** The pod that opens connections. It is no endpoint. */
export const client = { name: 'client', namespace: 'bench' } as const
export const podIp = (i: number): string => `10.244.${i % nodes}.${10 + Math.floor(i / nodes)}`
export const podCount = pods
export const nodeCount = nodes
export const isOnFirstNode = (pod: number): boolean => pod % nodes === 0
/** Endpoints of one Service are different pods; no two Services share an address and port while ports last. */
export const targetPort = (i: number): number => 1024 + (i % 60_000)

/**
 * A cluster of four nodes with so many Services. Endpoints are pods that exist, each of many Services by another port, so
 * that the number of rules is that of a cluster with as many endpoints as are named, and packets arrive somewhere.
 */
export function syntheticCluster(size: SyntheticSize): BuiltCluster & { readonly settings: ClusterSettings } {
  const text = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: syntheticObjects(size) })
  const { store, settings, problems } = loadManifests([{ path: 'synthetic.json', text }], {
    settings: { proxyMode: size.mode },
  })
  const wrong = [...problems, ...runControlPlane(store, settings)].filter(isError)
  if (wrong.length > 0) throw new Error(JSON.stringify(wrong[0]))
  return { ...buildCluster(store, settings), settings }
}

export function syntheticObjects({ services, endpoints }: SyntheticSize): readonly unknown[] {
  const numbers = (n: number): readonly number[] => Array.from({ length: n }, (_, i) => i)
  return [
    ...numbers(nodes).map(nodeObject),
    podObject(client.name, 0, '10.244.0.250'),
    ...numbers(pods).map((i) => podObject(podName(i), i % nodes, podIp(i))),
    ...numbers(services).flatMap((i) => [serviceObject(i), sliceObject(i, endpoints)]),
  ]
}

const podName = (i: number): string => `pod-${i}`

const nodeObject = (i: number) => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: `node-${i}` },
  spec: { podCIDR: `10.244.${i}.0/24`, podCIDRs: [`10.244.${i}.0/24`] },
  status: { addresses: [{ type: 'InternalIP', address: `192.168.50.${10 + i}` }] },
})

const podObject = (name: string, node: number, ip: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: client.namespace },
  spec: { nodeName: `node-${node}`, containers: [{ name: 'c', image: 'c' }] },
  status: { phase: 'Running', podIP: ip, podIPs: [{ ip }], conditions: [{ type: 'Ready', status: 'True' }] },
})

const serviceName = (i: number): string => `svc-${String(i).padStart(6, '0')}`

const serviceObject = (i: number) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: serviceName(i), namespace: client.namespace },
  spec: {
    type: 'ClusterIP',
    clusterIP: serviceIp(i),
    clusterIPs: [serviceIp(i)],
    ipFamilies: ['IPv4'],
    ports: [{ name: 'http', protocol: 'TCP', port: servicePort, targetPort: targetPort(i) }],
  },
})

/** `from`: the number of the first pod, where the endpoints are not to be those that the Service starts with. */
export const sliceObject = (i: number, endpoints: number, from = i * endpoints) => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: {
    name: `${serviceName(i)}-a`,
    namespace: client.namespace,
    labels: { 'kubernetes.io/service-name': serviceName(i) },
  },
  addressType: 'IPv4',
  ports: [{ name: 'http', protocol: 'TCP', port: targetPort(i) }],
  endpoints: Array.from({ length: endpoints }, (_, j) => {
    const pod = (from + j) % pods
    return {
      addresses: [podIp(pod)],
      conditions: { ready: true, serving: true, terminating: false },
      nodeName: `node-${pod % nodes}`,
      targetRef: { kind: 'Pod', name: podName(pod), namespace: client.namespace },
    }
  }),
})
