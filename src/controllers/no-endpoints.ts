import type { Labels, ObjectRef } from '../kube/objects/meta.ts'
import type { Pod } from '../kube/objects/pod.ts'
import type { EndpointSlice, Service, ServicePort } from '../kube/objects/service.ts'
import type { ObjectReader } from '../kube/store.ts'
import { familyOf } from '../net/ip.ts'
import { containerPortsOf, findPort } from './endpoint-port.ts'
import { serviceOf } from './endpoint-slices.ts'
import { idleWorkloads } from './idle-workloads.ts'
import { type IpFamily, ipFamilyOf } from './ip-families.ts'
import { type NearestPod, nearestPods } from './nearest-pods.ts'
import { isFinished, isReady, isTerminating, podIpsOf } from './pod-state.ts'
import { hasSelector, podSelection } from './selected-pods.ts'

/** One cause of a Service having no endpoint to send to. */
export type NoEndpointsReason =
  | { readonly kind: 'external-name'; readonly externalName: string }
  | { readonly kind: 'no-selector-no-slices' }
  /** Slices of the input decide, and hold nothing usable. */
  | { readonly kind: 'given-slices-empty'; readonly slices: readonly ObjectRef[]; readonly notReady: number }
  | {
      readonly kind: 'no-pod-matches'
      readonly selector: Labels
      /** Pods of the namespace that differ least, and in few labels only. */
      readonly nearest: readonly NearestPod[]
      /** Namespaces in which pods have these labels: a Service selects in its own only. */
      readonly elsewhere: readonly string[]
      /** Workloads whose pods would match, but that run none. */
      readonly idle: readonly ObjectRef[]
    }
  | { readonly kind: 'not-ready'; readonly pods: readonly ObjectRef[] }
  | { readonly kind: 'terminating'; readonly pods: readonly ObjectRef[] }
  | { readonly kind: 'finished'; readonly pods: readonly ObjectRef[] }
  | { readonly kind: 'no-address'; readonly pods: readonly ObjectRef[]; readonly family: IpFamily | undefined }
  | {
      readonly kind: 'no-such-port-name'
      readonly index: number
      readonly port: ServicePort
      readonly pods: readonly ObjectRef[]
      /** `http/TCP` */
      readonly known: readonly string[]
    }

/**
 * Why the Service has no ready endpoint, most telling first; empty where it has one for every port and family. Reasons that
 * concern one port or one family are told even when others are served.
 */
export function explainNoEndpoints(objects: ObjectReader, service: Service): readonly NoEndpointsReason[] {
  if (service.spec.type === 'ExternalName') {
    return [{ kind: 'external-name', externalName: service.spec.externalName ?? '' }]
  }
  const key = `${service.metadata.namespace}/${service.metadata.name}`
  const slices = objects.list('EndpointSlice', within(service)).filter((s) => serviceOf(s) === key)
  const given = slices.filter((s) => objects.sourceOf(s) !== undefined)
  if (given.length > 0) return reasonsOfSlices(given)
  if (!hasSelector(service)) return slices.some(hasReady) ? [] : [{ kind: 'no-selector-no-slices' }]
  return reasonsOfPods(objects, service)
}

const within = ({ metadata }: Service) => ({ namespace: metadata.namespace ?? 'default' })

const hasReady = (slice: EndpointSlice): boolean =>
  (slice.ports ?? []).length > 0 && slice.endpoints.some((e) => e.conditions?.ready !== false)

function reasonsOfSlices(given: readonly EndpointSlice[]): readonly NoEndpointsReason[] {
  if (given.some(hasReady)) return []
  const notReady = given.flatMap((s) => s.endpoints).length
  return [{ kind: 'given-slices-empty', slices: given.map(refOf), notReady }]
}

function reasonsOfPods(objects: ObjectReader, service: Service): readonly NoEndpointsReason[] {
  const pods = podSelection(objects.list('Pod', within(service)))(service)
  if (pods.length === 0) return [noPodMatches(objects, service)]
  const live = pods.filter((p) => podIpsOf(p).length > 0)
  const ready = live.filter((p) => service.spec.publishNotReadyAddresses === true || (isReady(p) && !isTerminating(p)))
  return [
    ...missingPortNames(service, ready.length > 0 ? ready : live),
    ...(ready.length > 0 ? missingFamilies(service, ready) : whyNoneReady(pods)),
  ]
}

function noPodMatches(objects: ObjectReader, service: Service): NoEndpointsReason {
  const selector = service.spec.selector ?? {}
  const all = objects.list('Pod')
  const matches = (p: Pod) => Object.entries(selector).every(([k, v]) => p.metadata.labels?.[k] === v)
  const { namespace } = within(service)
  const nearest = nearestPods(
    selector,
    all.filter((p) => p.metadata.namespace === namespace && !isFinished(p)),
  )
  const elsewhere = [...new Set(all.filter(matches).map((p) => p.metadata.namespace ?? 'default'))].sort()
  return { kind: 'no-pod-matches', selector, nearest, elsewhere, idle: idleWorkloads(objects, namespace, selector) }
}

function whyNoneReady(pods: readonly Pod[]): readonly NoEndpointsReason[] {
  const finished = pods.filter(isFinished)
  const rest = pods.filter((p) => !isFinished(p))
  const terminating = rest.filter(isTerminating)
  const staying = rest.filter((p) => !isTerminating(p))
  const pending = staying.filter((p) => podIpsOf(p).length === 0)
  const notReady = staying.filter((p) => podIpsOf(p).length > 0)
  const reasons: readonly NoEndpointsReason[] = [
    { kind: 'not-ready', pods: notReady.map(refOf) },
    { kind: 'no-address', pods: pending.map(refOf), family: undefined },
    { kind: 'terminating', pods: terminating.map(refOf) },
    { kind: 'finished', pods: finished.map(refOf) },
  ]
  return reasons.filter((r) => 'pods' in r && r.pods.length > 0)
}

function missingPortNames(service: Service, pods: readonly Pod[]): readonly NoEndpointsReason[] {
  return (service.spec.ports ?? []).flatMap((port, index): readonly NoEndpointsReason[] => {
    if (pods.length === 0 || pods.some((p) => findPort(p, port) !== undefined)) return []
    const ports = pods.flatMap(containerPortsOf).filter((p) => p.name !== undefined)
    const known = [...new Set(ports.map((p) => `${p.name}/${p.protocol ?? 'TCP'}`))]
    return [{ kind: 'no-such-port-name', index, port, pods: pods.map(refOf), known }]
  })
}

function missingFamilies(service: Service, pods: readonly Pod[]): readonly NoEndpointsReason[] {
  const has = (family: IpFamily) => pods.some((p) => podIpsOf(p).some((ip) => ipFamilyOf(familyOf(ip)) === family))
  const missing = (service.spec.ipFamilies ?? []).filter((family) => !has(family))
  return missing.map((family) => ({ kind: 'no-address', pods: pods.map(refOf), family }))
}

function refOf({ kind, metadata }: Pod | EndpointSlice): ObjectRef {
  return { kind, name: metadata.name, ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }) }
}
