import {
  fields,
  flag,
  type JsonSchema,
  listOf,
  oneOf,
  portNumber,
  portOrName,
  text,
  textMap,
  texts,
} from './json-schema.ts'
import { objectWith } from './meta-schema.ts'
import { protocol } from './pod-schema.ts'

const portOrNone: JsonSchema = { type: 'integer', minimum: 0, maximum: 65535 }
const trafficPolicy = oneOf('Cluster', 'Local')

const servicePort = fields(
  { name: text, protocol, port: portNumber, targetPort: portOrName, nodePort: portOrNone, appProtocol: text },
  'port',
)

const affinity = fields({
  clientIP: fields({ timeoutSeconds: { type: 'integer', minimum: 1, maximum: 86400 } }),
})

export const service: JsonSchema = objectWith(
  {
    spec: fields({
      type: oneOf('ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'),
      selector: textMap,
      ports: listOf(servicePort),
      clusterIP: text,
      clusterIPs: texts,
      ipFamilies: listOf(oneOf('IPv4', 'IPv6')),
      ipFamilyPolicy: oneOf('SingleStack', 'PreferDualStack', 'RequireDualStack'),
      externalIPs: texts,
      externalName: text,
      externalTrafficPolicy: trafficPolicy,
      internalTrafficPolicy: trafficPolicy,
      healthCheckNodePort: portOrNone,
      allocateLoadBalancerNodePorts: flag,
      loadBalancerIP: text,
      loadBalancerClass: text,
      loadBalancerSourceRanges: texts,
      publishNotReadyAddresses: flag,
      sessionAffinity: oneOf('None', 'ClientIP'),
      sessionAffinityConfig: affinity,
      trafficDistribution: text,
    }),
    status: fields({
      loadBalancer: fields({
        ingress: listOf(fields({ ip: text, hostname: text, ipMode: oneOf('VIP', 'Proxy') })),
      }),
    }),
  },
  'spec',
)

const targetRef = fields({ kind: text, namespace: text, name: text })
const named = listOf(fields({ name: text }, 'name'))
/** A slice's port may be absent, which means every port; in practice it is a number. */
const endpointPort = fields({ name: text, protocol, port: portNumber, appProtocol: text })

const endpoint = fields(
  {
    addresses: texts,
    conditions: fields({ ready: flag, serving: flag, terminating: flag }),
    hostname: text,
    nodeName: text,
    zone: text,
    hints: fields({ forZones: named, forNodes: named }),
    targetRef,
  },
  'addresses',
)

export const endpointSlice: JsonSchema = objectWith(
  {
    addressType: oneOf('IPv4', 'IPv6', 'FQDN'),
    endpoints: listOf(endpoint),
    ports: listOf(endpointPort),
  },
  'addressType',
)

const subsetAddress = fields({ ip: text, hostname: text, nodeName: text, targetRef }, 'ip')

export const endpoints: JsonSchema = objectWith({
  subsets: listOf(
    fields({
      addresses: listOf(subsetAddress),
      notReadyAddresses: listOf(subsetAddress),
      ports: listOf({ ...endpointPort, required: ['port'] }),
    }),
  ),
})
