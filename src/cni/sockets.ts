import type { ListeningSocket } from '../artefact/netns.ts'
import type { Pod } from '../kube/objects/pod.ts'
import type { EndpointSlice } from '../kube/objects/service.ts'
import type { ObjectReader } from '../kube/store.ts'
import { type Ip, ip } from '../net/ip.ts'
import { isTransportProtocol, type TransportProtocol } from '../net/port.ts'
import { podKey } from './digest.ts'
import { hasEnded } from './pod-addresses.ts'
import { declaredPorts } from './port-mapping.ts'

/** Who listens in which pod. Reads the store once; ask it for each pod. */
export type PodSockets = (pod: Pod) => readonly ListeningSocket[]

/**
 * What a pod's manifest says that it listens on; and what a Service sends to it, since a container may listen on a port
 * that it does not declare, and a Service that selects it says that somebody thinks so.
 */
export function podSockets(objects: ObjectReader): PodSockets {
  const assumed = serviceTargets(objects)
  return (pod) => uniqueSockets([...declaredSockets(pod), ...(assumed.get(podKey(pod)) ?? [])])
}

export const declaredSockets = (pod: Pod): readonly ListeningSocket[] =>
  declaredPorts(pod).map(({ container, name, port, protocol }) => ({
    protocol,
    address: undefined,
    port,
    owner: name === undefined ? `container ${container}` : `container ${container}, port ${name}`,
  }))

/** By pod: the ports that EndpointSlices give for it. */
function serviceTargets(objects: ObjectReader): ReadonlyMap<string, readonly ListeningSocket[]> {
  const byPod = new Map<string, ListeningSocket[]>()
  for (const slice of objects.list('EndpointSlice')) {
    const sockets = sliceSockets(slice)
    for (const { targetRef } of slice.endpoints) {
      if (targetRef?.kind !== 'Pod' || targetRef.name === undefined) continue
      const key = `${targetRef.namespace ?? slice.metadata.namespace ?? 'default'}/${targetRef.name}`
      byPod.set(key, [...(byPod.get(key) ?? []), ...sockets])
    }
  }
  return byPod
}

function sliceSockets(slice: EndpointSlice): readonly ListeningSocket[] {
  const service = slice.metadata.labels?.['kubernetes.io/service-name'] ?? slice.metadata.name
  const owner = `assumed: target of Service ${slice.metadata.namespace ?? 'default'}/${service}`
  return (slice.ports ?? []).flatMap(({ port, protocol = 'TCP' }) => {
    const name = protocol.toLowerCase()
    return port !== undefined && isTransportProtocol(name) ? [{ protocol: name, address: undefined, port, owner }] : []
  })
}

/** The first of those on one port: what is declared comes before what is assumed. */
export function uniqueSockets(sockets: readonly ListeningSocket[]): readonly ListeningSocket[] {
  const seen = new Set<string>()
  return sockets.filter(({ protocol, address, port }) => {
    const key = `${protocol} ${address ?? ''} ${port}`
    return !seen.has(key) && seen.add(key)
  })
}

const localhost = ip('127.0.0.1')

/** What runs on every node beside its pods. */
const nodeAgents: readonly ListeningSocket[] = [
  tcp(10250, 'kubelet'),
  tcp(10248, 'kubelet healthz', localhost),
  tcp(10256, 'kube-proxy healthz'),
  tcp(10249, 'kube-proxy metrics', localhost),
]

function tcp(port: number, owner: string, address?: Ip): ListeningSocket {
  const protocol: TransportProtocol = 'tcp'
  return { protocol, address, port, owner }
}

/** Sockets of the node's own namespace: kubelet, kube-proxy, and the pods that share it (hostNetwork). */
export function nodeSockets(objects: ObjectReader, nodeName: string, sockets = podSockets(objects)) {
  const hostPods = objects
    .list('Pod')
    .filter((pod) => pod.spec.hostNetwork && pod.spec.nodeName === nodeName && !hasEnded(pod))
  const ofPods = hostPods.flatMap((pod) =>
    sockets(pod).map((socket) => ({ ...socket, owner: `pod ${podKey(pod)}, ${socket.owner}` })),
  )
  return uniqueSockets([...nodeAgents, ...ofPods])
}
