import type { ObjectRef } from '../kube/objects/meta.ts'
import type { NearestPod } from './nearest-pods.ts'
import type { NoEndpointsReason } from './no-endpoints.ts'

/** The reason as one line, with what to change where that is known. */
export function noEndpointsSentence(reason: NoEndpointsReason): string {
  switch (reason.kind) {
    case 'external-name':
      return `type ExternalName has no endpoints; DNS answers with ${reason.externalName}`
    case 'no-selector-no-slices':
      return 'there is no selector, and no EndpointSlice or Endpoints of its name lists an address'
    case 'given-slices-empty':
      return `${names(reason.slices)} in the input ${reason.notReady > 0 ? 'lists no ready endpoint' : 'lists no endpoint'}`
    case 'no-pod-matches':
      return noPodSentence(reason)
    case 'not-ready':
      return `${names(reason.pods)} ${matched(reason.pods)} but ${are(reason.pods)} not ready`
    case 'terminating':
      return `${names(reason.pods)} ${matched(reason.pods)} but ${are(reason.pods)} terminating`
    case 'finished':
      return `${names(reason.pods)} ${matched(reason.pods)} but ${reason.pods.length === 1 ? 'has' : 'have'} finished`
    case 'no-address':
      return `${names(reason.pods)} ${matched(reason.pods)} but ${reason.pods.length === 1 ? 'has' : 'have'} no ${reason.family ?? 'IP'} address`
    case 'no-such-port-name':
      return portSentence(reason)
  }
}

function noPodSentence(reason: Extract<NoEndpointsReason, { kind: 'no-pod-matches' }>): string {
  const selector = Object.entries(reason.selector).map(([k, v]) => `${k}=${v}`)
  const hints = [
    ...reason.idle.map((w) => `${w.kind} ${w.name} would make such pods, but has none now`),
    ...reason.nearest.map(nearSentence),
    ...(reason.elsewhere.length > 0
      ? [
          `pods with these labels are in namespace ${reason.elsewhere.join(', ')}, and a Service selects in its own only`,
        ]
      : []),
  ]
  return [`the selector ${selector.join(',')} matches no pod`, ...hints].join('; ')
}

function nearSentence({ pod, differs }: NearestPod): string {
  const found = differs.map((d) => {
    const has = d.found === undefined ? 'no such label' : `${d.key}=${d.found}`
    const instead = d.instead === undefined ? '' : `, but one named ${d.instead}`
    return `${d.key}=${d.wanted} is wanted and it has ${has}${instead}`
  })
  return `nearest is ${pod.name}: ${found.join(' and ')}`
}

function portSentence({ port, index, known }: Extract<NoEndpointsReason, { kind: 'no-such-port-name' }>): string {
  const what = `ports[${index}].targetPort ${JSON.stringify(port.targetPort)} (${port.protocol ?? 'TCP'})`
  const ports = known.length === 0 ? 'their ports have no names' : `they have ${known.join(', ')}`
  return `${what} names no container port of the selected pods; ${ports}`
}

const matched = (pods: readonly ObjectRef[]): string => (pods.length === 1 ? 'is selected' : 'are selected')
const are = (pods: readonly ObjectRef[]): string => (pods.length === 1 ? 'is' : 'are')

/** A few names, then how many more. */
function names(refs: readonly ObjectRef[]): string {
  const first = refs.slice(0, 3).map((r) => r.name)
  const more = refs.length - first.length
  const kind = refs[0]?.kind === 'Pod' ? 'pod' : (refs[0]?.kind ?? '')
  return `${kind} ${first.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}
