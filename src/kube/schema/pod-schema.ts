import {
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
import { metadata, objectWith } from './meta-schema.ts'

export const protocol: JsonSchema = oneOf('TCP', 'UDP', 'SCTP')

const containerPort = fields(
  {
    name: text,
    containerPort: portNumber,
    // 0 is what a dump shows for "none".
    hostPort: { type: 'integer', minimum: 0, maximum: 65535 },
    hostIP: text,
    protocol,
  },
  'containerPort',
)

const container = fields(
  {
    name: text,
    image: text,
    command: texts,
    args: texts,
    env: listOf(
      fields(
        { name: text, value: text, valueFrom: fields({ configMapKeyRef: fields({ name: text, key: text }) }) },
        'name',
      ),
    ),
    ports: listOf(containerPort),
    restartPolicy: text,
  },
  'name',
)

const nodeRequirements = listOf(
  fields(
    { key: text, operator: oneOf('In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt'), values: texts },
    'key',
    'operator',
  ),
)

const nodeAffinity = fields({
  requiredDuringSchedulingIgnoredDuringExecution: fields(
    { nodeSelectorTerms: listOf(fields({ matchExpressions: nodeRequirements, matchFields: nodeRequirements })) },
    'nodeSelectorTerms',
  ),
})

const toleration = fields({
  key: text,
  operator: oneOf('Exists', 'Equal'),
  value: text,
  effect: text,
  tolerationSeconds: integer,
})

export const podSpec: JsonSchema = fields(
  {
    nodeName: text,
    nodeSelector: textMap,
    affinity: fields({ nodeAffinity }),
    tolerations: listOf(toleration),
    hostNetwork: flag,
    hostname: text,
    subdomain: text,
    dnsPolicy: oneOf('ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'),
    dnsConfig: fields({
      nameservers: texts,
      searches: texts,
      options: listOf(fields({ name: text, value: text })),
    }),
    containers: listOf(container),
    initContainers: listOf(container),
    restartPolicy: oneOf('Always', 'OnFailure', 'Never'),
    enableServiceLinks: flag,
    readinessGates: listOf(fields({ conditionType: text }, 'conditionType')),
  },
  'containers',
)

export const podTemplate: JsonSchema = fields({ metadata, spec: podSpec }, 'spec')

export const conditions: JsonSchema = listOf(fields({ type: text, status: text, reason: text }, 'type', 'status'))

const ips = listOf(fields({ ip: text }))

export const pod: JsonSchema = objectWith(
  {
    spec: podSpec,
    status: fields({
      phase: oneOf('Pending', 'Running', 'Succeeded', 'Failed', 'Unknown'),
      podIP: text,
      podIPs: ips,
      hostIP: text,
      hostIPs: ips,
      conditions,
      containerStatuses: listOf(fields({ name: text, ready: flag }, 'name')),
    }),
  },
  'spec',
)
