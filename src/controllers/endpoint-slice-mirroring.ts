import { parseApiIp } from '../kube/addresses.ts'
import type {
  Endpoint,
  EndpointSlice,
  EndpointSubset,
  EndpointSubsetAddress,
  Endpoints,
  Service,
} from '../kube/objects/service.ts'
import { familyOf } from '../net/ip.ts'
import { type ControllerContext, isFromCluster, isGenerated, reconcile } from './context.ts'
import { managedByLabel, serviceNameLabel, serviceOf } from './endpoint-slices.ts'
import { generatedName } from './generated-name.ts'
import { type IpFamily, ipFamilyOf } from './ip-families.ts'
import { ownerReference } from './owner.ts'
import { hasSelector } from './selected-pods.ts'

const controllerName = 'endpointslicemirroring-controller.k8s.io'

/**
 * The EndpointSliceMirroring controller: Endpoints that people keep for a Service without a selector become its slices.
 * So do those that a dump holds in place of both the slices and the pods of a Service.
 */
export function runEndpointSliceMirroring({ store }: ControllerContext): void {
  const slices = store.list('EndpointSlice')
  const given = new Set(slices.filter((s) => !isGenerated(store, s) && isManaged(s)).map(serviceOf))
  const others = slices.filter((s) => s.metadata.labels?.[managedByLabel] !== controllerName)
  const filled = new Set(others.filter((s) => s.endpoints.length > 0).map(serviceOf))
  const desired = store.list('Endpoints').flatMap((endpoints) => {
    const { name, namespace } = endpoints.metadata
    const service = store.get('Service', name, namespace)
    if (service === undefined || isSkipped(endpoints) || given.has(`${namespace}/${name}`)) return []
    if (hasSelector(service) && (!isFromCluster(endpoints) || filled.has(`${namespace}/${name}`))) return []
    return mirrored(service, endpoints)
  })
  reconcile(
    store,
    slices.filter((s) => s.metadata.labels?.[managedByLabel] === controllerName),
    desired,
  )
}

/** Slices of a dump that a controller keeps; a slice written by hand stands beside the mirrored ones. */
const isManaged = ({ metadata }: EndpointSlice): boolean =>
  (metadata.labels?.[managedByLabel] ?? '').endsWith('.k8s.io')

const isSkipped = ({ metadata }: Endpoints): boolean =>
  metadata.labels?.['endpointslice.kubernetes.io/skip-mirror'] === 'true' ||
  Object.hasOwn(metadata.annotations ?? {}, 'control-plane.alpha.kubernetes.io/leader')

function mirrored(service: Service, endpoints: Endpoints): readonly EndpointSlice[] {
  return (endpoints.subsets ?? []).flatMap((subset, index) =>
    (['IPv4', 'IPv6'] as const).flatMap((family) => {
      const found = endpointsOf(subset, family)
      return found.length === 0 ? [] : [slice(service, endpoints, index, family, found)]
    }),
  )
}

function endpointsOf(
  { addresses = [], notReadyAddresses = [] }: EndpointSubset,
  family: IpFamily,
): readonly Endpoint[] {
  const isOfFamily = (text: string): boolean => {
    const ip = parseApiIp(text)
    return ip !== undefined && ipFamilyOf(familyOf(ip)) === family
  }
  return [
    ...addresses.filter((a) => isOfFamily(a.ip)).map((a) => endpoint(a, true)),
    ...notReadyAddresses.filter((a) => isOfFamily(a.ip)).map((a) => endpoint(a, false)),
  ]
}

const endpoint = ({ ip, hostname, nodeName, targetRef }: EndpointSubsetAddress, ready: boolean): Endpoint => ({
  addresses: [ip],
  conditions: { ready },
  ...(hostname === undefined ? {} : { hostname }),
  ...(nodeName === undefined ? {} : { nodeName }),
  ...(targetRef === undefined ? {} : { targetRef }),
})

function slice(
  service: Service,
  endpoints: Endpoints,
  index: number,
  addressType: IpFamily,
  found: readonly Endpoint[],
): EndpointSlice {
  const { name, namespace = 'default' } = service.metadata
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: generatedName(`${name}-`, `mirror/${namespace}/${name}/${index}/${addressType}`),
      namespace,
      labels: { ...endpoints.metadata.labels, [serviceNameLabel]: name, [managedByLabel]: controllerName },
      ownerReferences: [ownerReference(endpoints)],
    },
    addressType,
    endpoints: found,
    ports: (endpoints.subsets?.[index]?.ports ?? []).map((p) => ({ name: '', protocol: 'TCP', ...p })),
  }
}
