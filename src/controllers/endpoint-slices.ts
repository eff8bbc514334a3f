import type { Node } from '../kube/objects/node.ts'
import type { Pod } from '../kube/objects/pod.ts'
import type { Endpoint, EndpointPort, EndpointSlice, Service } from '../kube/objects/service.ts'
import { familyOf, type Ip } from '../net/ip.ts'
import { type ControllerContext, isGenerated, reconcile } from './context.ts'
import { endpointPortsOf } from './endpoint-port.ts'
import { generatedName } from './generated-name.ts'
import { type IpFamily, ipFamilyOf, isHeadless } from './ip-families.ts'
import { ownerReference } from './owner.ts'
import { isReady, isTerminating, podIpsOf } from './pod-state.ts'
import { hasSelector, podSelection } from './selected-pods.ts'
import { addHints, type Zones, zonesOf } from './topology-hints.ts'

export const serviceNameLabel = 'kubernetes.io/service-name'
export const managedByLabel = 'endpointslice.kubernetes.io/managed-by'
const controllerName = 'endpointslice-controller.k8s.io'
const headlessLabel = 'service.kubernetes.io/headless'

/** `--max-endpoints-per-slice`. */
const maxEndpoints = 100

/** The EndpointSlice controller: the pods of each Service with a selector, unless the input holds its slices. */
export function runEndpointSlices({ store }: ControllerContext): void {
  const slices = store.list('EndpointSlice')
  const given = new Set(slices.filter((s) => !isGenerated(store, s)).map(serviceOf))
  const podsOf = podSelection(store.list('Pod'))
  const nodes = new Map(store.list('Node').map((n) => [n.metadata.name, n]))
  const zones = zonesOf([...nodes.values()])
  const services = store.list('Service').filter((s) => hasSelector(s) && s.spec.type !== 'ExternalName')
  const desired = services
    .filter((s) => !given.has(`${s.metadata.namespace}/${s.metadata.name}`))
    .flatMap((s) => slicesOf(s, podsOf(s), nodes, zones))
  reconcile(
    store,
    slices.filter((s) => s.metadata.labels?.[managedByLabel] === controllerName),
    desired,
  )
}

/** `namespace/name` of the Service that the slice belongs to. */
export const serviceOf = ({ metadata }: EndpointSlice): string =>
  `${metadata.namespace}/${metadata.labels?.[serviceNameLabel] ?? ''}`

type Nodes = ReadonlyMap<string, Node>

function slicesOf(service: Service, pods: readonly Pod[], nodes: Nodes, zones: Zones): readonly EndpointSlice[] {
  return (service.spec.ipFamilies ?? []).flatMap((family) => {
    const groups = groupsOf(service, pods, family, nodes)
    // A Service has at least one slice per family, be it empty.
    const filled = groups.length > 0 ? groups : [{ ports: [], endpoints: [] }]
    return filled.flatMap(({ ports, endpoints }) =>
      chunks(addHints(service, endpoints, zones)).map((part, n) => slice(service, family, ports, part, n)),
    )
  })
}

interface Group {
  readonly ports: readonly EndpointPort[]
  readonly endpoints: readonly Endpoint[]
}

/** Pods by the set of ports that they serve: a named targetPort may be another number in each. */
function groupsOf(service: Service, pods: readonly Pod[], family: IpFamily, nodes: Nodes): readonly Group[] {
  const groups = new Map<string, { readonly ports: readonly EndpointPort[]; readonly endpoints: Endpoint[] }>()
  for (const pod of pods) {
    const addresses = podIpsOf(pod).filter((ip) => ipFamilyOf(familyOf(ip)) === family)
    if (addresses.length === 0) continue
    const ports = endpointPortsOf(service, pod)
    const key = JSON.stringify(ports)
    const group = groups.get(key) ?? { ports, endpoints: [] }
    group.endpoints.push(endpoint(service, pod, addresses, nodes))
    groups.set(key, group)
  }
  return [...groups.values()]
}

/** `podToEndpoint` (`endpointslice/utils.go`). publishNotReadyAddresses makes even a terminating pod ready. */
function endpoint(service: Service, pod: Pod, addresses: readonly Ip[], nodes: Nodes): Endpoint {
  const { metadata, spec } = pod
  const serving = isReady(pod)
  const terminating = isTerminating(pod)
  const ready = service.spec.publishNotReadyAddresses === true || (serving && !terminating)
  const zone = nodes.get(spec.nodeName ?? '')?.metadata.labels?.['topology.kubernetes.io/zone']
  const namespace = metadata.namespace ?? 'default'
  return {
    addresses,
    conditions: { ready, serving, terminating },
    ...(spec.hostname && spec.subdomain === service.metadata.name ? { hostname: spec.hostname } : {}),
    ...(spec.nodeName ? { nodeName: spec.nodeName } : {}),
    ...(zone === undefined ? {} : { zone }),
    targetRef: { kind: 'Pod', namespace, name: metadata.name },
  }
}

function chunks(endpoints: readonly Endpoint[]): readonly (readonly Endpoint[])[] {
  const count = Math.max(1, Math.ceil(endpoints.length / maxEndpoints))
  return Array.from({ length: count }, (_, n) => endpoints.slice(n * maxEndpoints, (n + 1) * maxEndpoints))
}

function slice(
  service: Service,
  addressType: IpFamily,
  ports: readonly EndpointPort[],
  endpoints: readonly Endpoint[],
  n: number,
): EndpointSlice {
  const { name, namespace = 'default' } = service.metadata
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: generatedName(`${name}-`, `${namespace}/${name}/${addressType}/${JSON.stringify(ports)}/${n}`),
      namespace,
      labels: labelsOf(service),
      ownerReferences: [ownerReference(service)],
    },
    addressType,
    endpoints,
    ports,
  }
}

/** The labels of the Service, and those by which its slices are found. kube-proxy passes over headless ones. */
function labelsOf(service: Service): Readonly<Record<string, string>> {
  const { [headlessLabel]: _, ...labels } = service.metadata.labels ?? {}
  return {
    ...labels,
    [serviceNameLabel]: service.metadata.name,
    [managedByLabel]: controllerName,
    ...(isHeadless(service) ? { [headlessLabel]: '' } : {}),
  }
}
