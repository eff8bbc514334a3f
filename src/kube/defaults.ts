import type { KnownKind } from './objects/kinds.ts'

type Fields = Readonly<Record<string, unknown>>

/**
 * Fills in what the API server would (pkg/apis/{core,apps,batch}/v1/defaults.go), as far as it is read. `object` has passed
 * its schema. NetworkPolicies are left as they are: absent and empty differ in them. Addresses are the controllers' affair.
 * `removed` says that it came in a version that is no longer served, where workloads need no selector.
 */
export function withDefaults(kind: KnownKind, object: Fields, removed = false): Fields {
  switch (kind) {
    case 'Pod':
      return { ...object, spec: podSpec(fieldsOf(object.spec)) }
    case 'Service':
      return { ...object, spec: serviceSpec(fieldsOf(object.spec)) }
    case 'EndpointSlice':
      return { ...object, endpoints: object.endpoints ?? [], ...slicePorts(object) }
    case 'Endpoints':
      return { ...object, ...each(object, 'subsets', (subset) => ({ ...subset, ...each(subset, 'ports', protocol) })) }
    case 'Deployment':
    case 'ReplicaSet':
    case 'ReplicationController':
    case 'StatefulSet':
      return { ...object, spec: { replicas: 1, ...selecting(kind, templated(fieldsOf(object.spec)), removed) } }
    case 'DaemonSet':
      return { ...object, spec: selecting(kind, templated(fieldsOf(object.spec)), removed) }
    case 'Job':
      return { ...object, spec: jobSpec(fieldsOf(object.spec)) }
    case 'CronJob':
      return { ...object, spec: cronJobSpec(fieldsOf(object.spec)) }
    case 'Node':
    case 'Namespace':
      return namespaceLabel(kind, object)
    case 'ConfigMap':
    case 'NetworkPolicy':
    case 'AdminNetworkPolicy':
    case 'BaselineAdminNetworkPolicy':
    case 'ClusterNetworkPolicy':
    case 'Underlay':
    case 'NodeState':
    case 'Expectation':
      return object
  }
}

const fieldsOf = (value: unknown): Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {}

/** The list field `name` with `change` made to each entry; nothing where it is absent. */
function each(object: Fields, name: string, change: (entry: Fields) => Fields): Fields {
  const list = object[name]
  return Array.isArray(list) ? { [name]: list.map((entry) => change(fieldsOf(entry))) } : {}
}

const protocol = (port: Fields): Fields => ({ protocol: 'TCP', ...port })

/** A slice's port has a name, empty if need be. */
const slicePorts = (slice: Fields): Fields => each(slice, 'ports', (port) => ({ name: '', ...protocol(port) }))

/** On a host-network pod every container port is a host port (SetDefaultHostNetworkPorts). */
function podSpec(spec: Fields): Fields {
  const hostPort = (port: Fields): Fields =>
    spec.hostNetwork === true && !port.hostPort
      ? { hostPort: port.containerPort, ...withoutZero(port) }
      : withoutZero(port)
  const container = (c: Fields): Fields => ({ ...c, ...each(c, 'ports', (port) => protocol(hostPort(port))) })
  return {
    restartPolicy: 'Always',
    dnsPolicy: 'ClusterFirst',
    enableServiceLinks: true,
    ...spec,
    ...each(spec, 'containers', container),
    ...each(spec, 'initContainers', container),
  }
}

function withoutZero(port: Fields): Fields {
  if (port.hostPort !== 0) return port
  const { hostPort: _, ...rest } = port
  return rest
}

function serviceSpec(spec: Fields): Fields {
  const type = spec.type ?? 'ClusterIP'
  const external = type !== 'ExternalName'
  const outside = type === 'NodePort' || type === 'LoadBalancer'
  return {
    ...spec,
    type,
    sessionAffinity: spec.sessionAffinity ?? 'None',
    ...(spec.sessionAffinity === 'ClientIP' ? { sessionAffinityConfig: affinity(spec) } : {}),
    ...(external ? { internalTrafficPolicy: spec.internalTrafficPolicy ?? 'Cluster' } : {}),
    ...(outside ? { externalTrafficPolicy: spec.externalTrafficPolicy ?? 'Cluster' } : {}),
    ...(type === 'LoadBalancer' ? { allocateLoadBalancerNodePorts: spec.allocateLoadBalancerNodePorts ?? true } : {}),
    ...each(spec, 'ports', servicePort),
  }
}

function servicePort(port: Fields): Fields {
  const { targetPort, nodePort, ...rest } = port
  const target = targetPort === undefined || targetPort === '' ? port.port : targetPort
  return { ...protocol(rest), targetPort: target, ...(nodePort === undefined || nodePort === 0 ? {} : { nodePort }) }
}

const affinity = (spec: Fields): Fields => {
  const config = fieldsOf(spec.sessionAffinityConfig)
  return { ...config, clientIP: { timeoutSeconds: 10800, ...fieldsOf(config.clientIP) } }
}

function templated(spec: Fields): Fields {
  if (spec.template === undefined) return spec
  const template = fieldsOf(spec.template)
  return { ...spec, template: { ...template, spec: podSpec(fieldsOf(template.spec)) } }
}

/** Removed versions took the template's labels for a selector that is not there; for ReplicationControllers it still holds. */
function selecting(kind: KnownKind, spec: Fields, removed: boolean): Fields {
  const labels = fieldsOf(fieldsOf(spec.template).metadata).labels
  if (spec.selector !== undefined || labels === undefined) return spec
  if (kind === 'ReplicationController') return { ...spec, selector: labels }
  return removed ? { ...spec, selector: { matchLabels: labels } } : spec
}

/** Without either number, one pod; with `completions` alone, `parallelism` is 1. */
function jobSpec(spec: Fields): Fields {
  const filled = templated(spec)
  const alone = spec.completions === undefined && spec.parallelism === undefined
  return {
    completionMode: 'NonIndexed',
    suspend: false,
    parallelism: 1,
    ...(alone ? { completions: 1 } : {}),
    ...filled,
  }
}

function cronJobSpec(spec: Fields): Fields {
  const template = fieldsOf(spec.jobTemplate)
  return { suspend: false, ...spec, jobTemplate: { ...template, spec: jobSpec(fieldsOf(template.spec)) } }
}

/** The API server keeps `kubernetes.io/metadata.name` on every namespace; nodes get their hostname label from the kubelet. */
function namespaceLabel(kind: 'Node' | 'Namespace', object: Fields): Fields {
  const metadata = fieldsOf(object.metadata)
  const labels = fieldsOf(metadata.labels)
  const implied =
    kind === 'Namespace'
      ? { ...labels, 'kubernetes.io/metadata.name': metadata.name }
      : { 'kubernetes.io/hostname': metadata.name, 'kubernetes.io/os': 'linux', ...labels }
  return { ...object, metadata: { ...metadata, labels: implied } }
}
