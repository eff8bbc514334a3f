import { containerPortsOf } from '../../controllers/endpoint-port.ts'
import { explainNoEndpoints, type NoEndpointsReason } from '../../controllers/no-endpoints.ts'
import { noEndpointsSentence } from '../../controllers/no-endpoints-sentence.ts'
import { podSelection } from '../../controllers/selected-pods.ts'
import type { FieldPath } from '../../kube/field-path.ts'
import type { Pod } from '../../kube/objects/pod.ts'
import type { Service, ServicePort } from '../../kube/objects/service.ts'
import type { ObjectReader } from '../../kube/store.ts'
import type { LintCode } from './codes.ts'
import { type Finding, findingAt } from './finding.ts'

/** Services that lead nowhere, and ports that no container names. */
export function lintServices(objects: ObjectReader): readonly Finding[] {
  const selected = podSelection(objects.list('Pod'))
  return objects.list('Service').flatMap((service) => [
    ...explainNoEndpoints(objects, service)
      .filter((r) => !isApiServer(service, r))
      .flatMap((r) => endpointFinding(objects, service, r)),
    ...undeclaredPorts(objects, service, selected(service)),
  ])
}

/** Its endpoints are written by the API server itself. */
const isApiServer = ({ metadata }: Service, { kind }: NoEndpointsReason): boolean =>
  metadata.name === 'kubernetes' && metadata.namespace === 'default' && kind === 'no-selector-no-slices'

function endpointFinding(objects: ObjectReader, service: Service, reason: NoEndpointsReason): readonly Finding[] {
  const kind = findingOf(reason)
  if (!kind) return []
  return [findingAt(objects, service, kind.code, kind.path, noEndpointsSentence(reason), kind.fix)]
}

interface EndpointFinding {
  readonly code: LintCode
  readonly path: FieldPath
  readonly fix: string
}

function findingOf(reason: NoEndpointsReason): EndpointFinding | undefined {
  switch (reason.kind) {
    case 'external-name':
      return undefined
    case 'no-pod-matches':
      return { code: 'SERVICE_SELECTS_NOTHING', path: ['spec', 'selector'], fix: selectorFix(reason) }
    case 'no-such-port-name': {
      const [port] = reason.known
      const fix =
        port === undefined ? 'name the port in the container, or give its number' : `use ${port.split('/')[0]}`
      return { code: 'SERVICE_PORT_NAME', path: ['spec', 'ports', reason.index, 'targetPort'], fix }
    }
    case 'no-selector-no-slices':
    case 'given-slices-empty':
      return { code: 'SERVICE_NO_ENDPOINTS', path: ['spec'], fix: 'add a selector, or an EndpointSlice with addresses' }
    case 'not-ready':
      return {
        code: 'SERVICE_NOT_READY',
        path: ['spec', 'selector'],
        fix: 'look at the readiness probes of these pods',
      }
    case 'terminating':
    case 'finished':
      return { code: 'SERVICE_NOT_READY', path: ['spec', 'selector'], fix: 'select pods that go on running' }
    case 'no-address':
      return { code: 'SERVICE_NOT_READY', path: ['spec', 'ipFamilies'], fix: 'see why these pods have no such address' }
  }
}

function selectorFix({ nearest, elsewhere }: Extract<NoEndpointsReason, { kind: 'no-pod-matches' }>): string {
  const [near] = nearest
  if (near) {
    const wanted = near.differs.map((d) => (d.found === undefined ? `drop ${d.key}` : `${d.key}: ${d.found}`))
    return `select as ${near.pod.name} is labelled: ${wanted.join(', ')}`
  }
  return elsewhere.length > 0
    ? `move the Service to namespace ${elsewhere.join(' or ')}`
    : 'select labels that the pods of its namespace have'
}

/** A number reaches the pod whether declared or not; where the pods declare others, it is often a slip. */
function undeclaredPorts(objects: ObjectReader, service: Service, pods: readonly Pod[]): readonly Finding[] {
  const declared = pods.flatMap(containerPortsOf)
  if (declared.length === 0) return []
  return (service.spec.ports ?? []).flatMap((port, i) => {
    const number = numberOf(port)
    const protocol = port.protocol ?? 'TCP'
    const same = declared.filter((d) => (d.protocol ?? 'TCP') === protocol)
    if (number === undefined || same.some((d) => d.containerPort === number)) return []
    const known = [...new Set(declared.map((d) => `${d.containerPort}/${d.protocol ?? 'TCP'}`))].join(', ')
    const path = ['spec', 'ports', i, 'targetPort']
    const message = `target port ${number}/${protocol} is declared by no container of the selected pods; they declare ${known}`
    return [findingAt(objects, service, 'SERVICE_PORT_UNDECLARED', path, message, `set targetPort to one of ${known}`)]
  })
}

const numberOf = ({ targetPort, port }: ServicePort): number | undefined =>
  typeof targetPort === 'string' ? undefined : targetPort || port
