import type { KubeObject } from '../../src/kube/objects/meta.ts'
import type { Endpoint, EndpointPort, EndpointSlice, Service, ServiceSpec } from '../../src/kube/objects/service.ts'
import { TestObjects } from './object-reader.ts'

/** A Service in namespace `ns` with one TCP port `http`, 80, unless the spec says otherwise. */
export function service(name: string, spec: Partial<ServiceSpec> = {}, more: Partial<Service> = {}): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'ns' },
    spec: { type: 'ClusterIP', ports: [{ name: 'http', protocol: 'TCP', port: 80 }], ...spec },
    ...more,
  }
}

export interface SliceParts {
  readonly name?: string
  readonly addressType?: 'IPv4' | 'IPv6'
  readonly ports?: readonly EndpointPort[]
}

/** An EndpointSlice of a Service of namespace `ns`; a text is a ready endpoint on another node. */
export function slice(of: string, endpoints: readonly (string | Endpoint)[], parts: SliceParts = {}): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: parts.name ?? `${of}-${parts.addressType ?? 'IPv4'}`,
      namespace: 'ns',
      labels: { 'kubernetes.io/service-name': of },
    },
    addressType: parts.addressType ?? 'IPv4',
    ports: parts.ports ?? [{ name: 'http', protocol: 'TCP', port: 8080 }],
    endpoints: endpoints.map((e) => (typeof e === 'string' ? { addresses: [e], nodeName: 'node-b' } : e)),
  }
}

export const endpoint = (address: string, nodeName: string, more: Partial<Endpoint> = {}): Endpoint => ({
  addresses: [address],
  nodeName,
  ...more,
})

/** An address as IPv4 and as IPv6, of one number. */
const both = (n: number) => ({ v4: `10.1.0.${n}`, v6: `fd00:10::${n}` })

function dualStack(
  name: string,
  n: number,
  spec: Partial<ServiceSpec>,
  local: boolean,
  more: Partial<Service> = {},
): KubeObject[] {
  const nodes = [local ? 'node-a' : 'node-c', 'node-b', 'node-b']
  const endpoints = (family: 'v4' | 'v6') => nodes.map((node, i) => endpoint(both(10 * n + i)[family], node))
  return [
    service(
      name,
      {
        clusterIP: `10.96.0.${n}`,
        clusterIPs: [`10.96.0.${n}`, `fd00:96::${n}`],
        ipFamilies: ['IPv4', 'IPv6'],
        ...spec,
      },
      more,
    ),
    slice(name, endpoints('v4')),
    slice(name, endpoints('v6'), { addressType: 'IPv6' }),
  ]
}

const ingress = { status: { loadBalancer: { ingress: [{ ip: '198.51.100.1' }, { ip: '2001:db8:1::1' }] } } }
const http = [{ name: 'http', protocol: 'TCP', port: 80, nodePort: 30080 }] as const

/** A node with one service of every kind that kube-proxy tells apart, in both families. */
export const everyKindOfService = (): TestObjects =>
  new TestObjects([
    ...dualStack('cluster-ip', 1, {}, true),
    ...dualStack('internal-local', 2, { internalTrafficPolicy: 'Local' }, true),
    ...dualStack('internal-local-none', 3, { internalTrafficPolicy: 'Local' }, false),
    ...dualStack('node-port', 4, { type: 'NodePort', ports: http }, true),
    ...dualStack('node-port-local', 5, { type: 'NodePort', ports: http, externalTrafficPolicy: 'Local' }, true),
    ...dualStack('node-port-none', 6, { type: 'NodePort', ports: http, externalTrafficPolicy: 'Local' }, false),
    ...dualStack('external-ip', 7, { externalIPs: ['203.0.113.7', '2001:db8:7::7'] }, true),
    ...dualStack(
      'balanced',
      8,
      {
        type: 'LoadBalancer',
        ports: http,
        sessionAffinity: 'ClientIP',
        loadBalancerSourceRanges: ['203.0.113.0/24', '192.168.0.0/24', '2001:db8::/64'],
      },
      true,
      ingress,
    ),
    ...dualStack(
      'balanced-local',
      9,
      { type: 'LoadBalancer', ports: http, externalTrafficPolicy: 'Local', healthCheckNodePort: 30099 },
      true,
      ingress,
    ),
    service('empty', {
      type: 'NodePort',
      ports: [{ protocol: 'UDP', port: 53, nodePort: 30053 }],
      clusterIP: '10.96.0.20',
      clusterIPs: ['10.96.0.20', 'fd00:96::20'],
      ipFamilies: ['IPv4', 'IPv6'],
    }),
  ])
