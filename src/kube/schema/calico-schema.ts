import type { CalicoKind } from '../objects/calico.ts'
import {
  count,
  fields,
  flag,
  integer,
  type JsonSchema,
  listOf,
  oneOf,
  portNumber,
  text,
  textMap,
  texts,
} from './json-schema.ts'
import { objectWith } from './meta-schema.ts'

const numberOrText: JsonSchema = { type: ['integer', 'string'] }
const number: JsonSchema = { type: 'number' }
const cidrs = listOf(fields({ cidr: text }))
const encapMode = oneOf('Never', 'Always', 'CrossSubnet')

const ipPool = fields(
  {
    cidr: text,
    blockSize: { type: 'integer', minimum: 0, maximum: 128 },
    ipipMode: encapMode,
    vxlanMode: encapMode,
    natOutgoing: flag,
    nodeSelector: text,
    namespaceSelector: text,
    disabled: flag,
    disableBGPExport: flag,
    allowedUses: listOf(oneOf('Workload', 'Tunnel', 'LoadBalancer')),
    assignmentMode: oneOf('Automatic', 'Manual'),
  },
  'cidr',
)

/** `allocations` holds nulls, which reading takes away with the fields that are null: it is looked at with care. */
const ipamBlock = fields({ cidr: text, affinity: text, strictAffinity: flag, deleted: flag }, 'cidr')

const blockAffinity = fields({ cidr: text, node: text, state: text, type: text }, 'cidr', 'node')

const bgpConfiguration = fields({
  nodeToNodeMeshEnabled: flag,
  asNumber: numberOrText,
  serviceClusterIPs: cidrs,
  serviceExternalIPs: cidrs,
  serviceLoadBalancerIPs: cidrs,
  serviceLoadBalancerAggregation: oneOf('Enabled', 'Disabled'),
  listenPort: portNumber,
  bindMode: oneOf('None', 'NodeIP'),
  nodeMeshMaxRestartTime: text,
  communities: listOf(fields({ name: text, value: text })),
  prefixAdvertisements: listOf(fields({ cidr: text, communities: texts })),
  ignoredInterfaces: texts,
  programClusterRoutes: oneOf('Enabled', 'Disabled'),
  ipv4NormalRoutePriority: integer,
  ipv6NormalRoutePriority: integer,
})

const bgpPeer = fields({
  node: text,
  nodeSelector: text,
  peerIP: text,
  asNumber: numberOrText,
  peerSelector: text,
  localWorkloadSelector: text,
  keepOriginalNextHop: flag,
  nextHopMode: oneOf('Auto', 'Keep', 'Self'),
  maxRestartTime: text,
  keepaliveTime: text,
  ttlSecurity: integer,
  sourceAddress: oneOf('UseNodeIP', 'None'),
  numAllowedLocalASNumbers: integer,
  localASNumber: numberOrText,
  reachableBy: text,
  filters: texts,
  reversePeering: oneOf('Auto', 'Manual'),
})

const filterRules = listOf(
  fields(
    {
      cidr: text,
      matchOperator: oneOf('Equal', 'NotEqual', 'In', 'NotIn'),
      prefixLength: fields({ min: count, max: count }),
      source: oneOf('RemotePeers'),
      interface: text,
      peerType: oneOf('eBGP', 'iBGP'),
      action: oneOf('Accept', 'Reject'),
    },
    'action',
  ),
)

const protoPorts = listOf(
  fields({ protocol: text, port: { type: 'integer', minimum: 0, maximum: 65535 }, net: text }, 'port'),
)

/** Values of the other fields are checked where they are read, as those of the environment are. */
const felix = fields({
  failsafeInboundHostPorts: protoPorts,
  failsafeOutboundHostPorts: protoPorts,
  externalNodesList: texts,
})

const ports = listOf(numberOrText)
const entity = fields({
  nets: texts,
  notNets: texts,
  selector: text,
  notSelector: text,
  namespaceSelector: text,
  ports,
  notPorts: ports,
  serviceAccounts: fields({ names: texts, selector: text }),
  services: fields({ name: text, namespace: text }),
})
const icmp = fields({
  type: { type: 'integer', minimum: 0, maximum: 254 },
  code: { type: 'integer', minimum: 0, maximum: 255 },
})

const rules = listOf(
  fields(
    {
      action: oneOf('Allow', 'Deny', 'Pass', 'Log'),
      ipVersion: { type: 'integer', minimum: 4, maximum: 6 },
      protocol: numberOrText,
      notProtocol: numberOrText,
      icmp,
      notICMP: icmp,
      source: entity,
      destination: entity,
      metadata: fields({ annotations: textMap }),
    },
    'action',
  ),
)

const policy = {
  tier: text,
  order: number,
  selector: text,
  serviceAccountSelector: text,
  types: listOf(oneOf('Ingress', 'Egress')),
  ingress: rules,
  egress: rules,
}

const hostEndpoint = fields(
  {
    node: text,
    interfaceName: text,
    expectedIPs: texts,
    profiles: texts,
    ports: listOf(fields({ name: text, protocol: numberOrText, port: portNumber }, 'name', 'port')),
  },
  'node',
)

const spec = (schema: JsonSchema): JsonSchema => objectWith({ spec: schema }, 'spec')

/** The fields that are read of Calico's objects, in either of their groups. */
export const calicoSchemas: Readonly<Record<CalicoKind, JsonSchema>> = {
  IPPool: spec(ipPool),
  IPAMBlock: spec(ipamBlock),
  BlockAffinity: spec(blockAffinity),
  IPAMConfig: spec(fields({ strictAffinity: flag, maxBlocksPerHost: count, autoAllocateBlocks: flag })),
  IPReservation: spec(fields({ reservedCIDRs: texts })),
  BGPConfiguration: spec(bgpConfiguration),
  BGPPeer: spec(bgpPeer),
  BGPFilter: spec(
    fields({ exportV4: filterRules, importV4: filterRules, exportV6: filterRules, importV6: filterRules }),
  ),
  FelixConfiguration: spec(felix),
  NetworkPolicy: spec(fields(policy)),
  GlobalNetworkPolicy: spec(
    fields({ ...policy, namespaceSelector: text, doNotTrack: flag, preDNAT: flag, applyOnForward: flag }),
  ),
  NetworkSet: spec(fields({ nets: texts })),
  GlobalNetworkSet: spec(fields({ nets: texts })),
  HostEndpoint: spec(hostEndpoint),
  Tier: spec(fields({ order: number, defaultAction: oneOf('Deny', 'Pass') })),
}
