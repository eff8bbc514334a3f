import { clusterDnsService } from '../dns/resolv-conf.ts'
import type { EndpointSlice, Service, ServicePort } from '../kube/objects/service.ts'
import { familyOf, type Ip, parseIp } from '../net/ip.ts'
import { type Protocol, parsePort } from '../net/port.ts'
import type { PolicyCluster } from '../policy/cluster.ts'
import type { End, PolicyNode } from '../policy/end.ts'
import {
  choosePodPort,
  chooseServicePort,
  type EndProblem,
  type EndText,
  findService,
  isEndProblem,
  parseEnd,
} from './end.ts'
import { lookUpName } from './name.ts'
import {
  outsideEnds,
  type PolicyEnds,
  type PolicyInput,
  podEnds,
  policyNode,
  type VirtualPodText,
  virtualEnds,
} from './policy-source.ts'
import { readyNode } from './request.ts'
import type { Note } from './trace.ts'

/** One place that the connection may end at, after Service translation. */
export interface Candidate {
  readonly to: End
  readonly port: number | undefined
  /** What the client dials, where a Service translates it. */
  readonly dialled?: { readonly ip: Ip; readonly port: number }
  /** The node that a connection to a node port, or to a balancer, comes in by. */
  readonly entry?: EntryNode
}

export interface EntryNode {
  readonly node: End & { readonly kind: 'node' }
  readonly port: number
  /** externalTrafficPolicy Local keeps the client's address. */
  readonly keepsClient: boolean
}

export interface PolicyTarget {
  readonly label: string
  readonly protocol: Protocol
  readonly candidates: readonly Candidate[]
  readonly notes: readonly Note[]
  /** The destination was given by a name that the source has to look up first. */
  readonly name?: string
}

export interface TargetContext {
  readonly input: PolicyInput
  readonly cluster: PolicyCluster
  readonly source: PolicyEnds
  readonly namespace: string
  readonly protocol: Protocol | undefined
}

/** Whom the connection is for. `port` is that of a virtual destination; other ends carry theirs. */
export function policyTarget(
  text: string | VirtualPodText,
  port: number | undefined,
  context: TargetContext,
): PolicyTarget | EndProblem {
  const { cluster, protocol = 'tcp' } = context
  if (typeof text !== 'string') {
    if (port === undefined && !isIcmp(protocol)) return { problem: 'a port is missing: give --to-port' }
    const { label, ends } = virtualEnds(text, cluster)
    return { label, protocol, candidates: ends.map((to) => ({ to, port })), notes: [] }
  }
  const parsed = parseEnd(text)
  return isEndProblem(parsed) ? parsed : namedTarget(parsed, context)
}

const isIcmp = (protocol: Protocol): boolean => protocol === 'icmp' || protocol === 'icmpv6'

function namedTarget(text: EndText, context: TargetContext): PolicyTarget | EndProblem {
  const { input, cluster, namespace } = context
  switch (text.kind) {
    case 'pod':
    case 'workload':
      return podTarget(text, context)
    case 'service': {
      const service = findService(input.objects, text.name, namespace)
      return isEndProblem(service) ? service : serviceTarget(service, text.port, context)
    }
    case 'node': {
      const node = policyNode(text.name, input, cluster)
      return isEndProblem(node) ? node : nodeTarget(node, text, context)
    }
    case 'external': {
      const found = outsideEnds(input, cluster)
      return isEndProblem(found) ? found : plainTarget(found.label, found.ends, text, context)
    }
    case 'address':
      return addressTarget(text, context)
    case 'name':
      return nameTarget(text, context)
  }
}

function podTarget(text: EndText, context: TargetContext): PolicyTarget | EndProblem {
  const found = podEnds(text, context.input, context.cluster, context.namespace)
  if (isEndProblem(found)) return found
  const protocol = context.protocol ?? 'tcp'
  const candidates: Candidate[] = []
  for (const [i, pod] of found.pods.entries()) {
    const port = isIcmp(protocol) ? undefined : choosePodPort(pod, text.port, protocol)
    if (port !== undefined && isEndProblem(port)) return port
    if (port === undefined && !isIcmp(protocol))
      return { problem: `${found.label} declares no ${protocol} port; name one after a colon` }
    const to = found.ends[i]
    if (to) candidates.push({ to, port })
  }
  return { label: `${found.label}${portText(text.port)}`, protocol, candidates, notes: [] }
}

const portText = (port: string | undefined): string => (port === undefined ? '' : `:${port}`)

function plainTarget(
  label: string,
  ends: readonly End[],
  text: EndText,
  context: TargetContext,
): PolicyTarget | EndProblem {
  const protocol = context.protocol ?? 'tcp'
  const port = text.port === undefined ? undefined : parsePort(text.port)
  if (port === undefined && !isIcmp(protocol))
    return {
      problem:
        text.port === undefined
          ? `a port is missing: write one after a colon`
          : `"${text.port}" is no port number from 0 to 65535`,
    }
  return {
    label: `${label}${portText(text.port)}`,
    protocol,
    candidates: ends.map((to) => ({ to, port: isIcmp(protocol) ? undefined : port })),
    notes: [],
  }
}

/** A node port of some Service, or a process of the node itself. */
function nodeTarget(node: End, text: EndText, context: TargetContext): PolicyTarget | EndProblem {
  const port = text.port === undefined ? undefined : parsePort(text.port)
  const wanted = context.protocol ?? 'tcp'
  for (const service of context.input.objects.list('Service')) {
    const found = service.spec.ports?.find((p) => p.nodePort === port && protocolOf(p) === wanted)
    if (found && port !== undefined && node.kind === 'node')
      return endpointTarget(`node ${text.name}:${port}`, service, found, node, context)
  }
  return plainTarget(`node ${text.name}`, [node], text, context)
}

/** The address of a Service stands for the Service, on the ports that it has. */
function addressTarget(text: EndText, context: TargetContext): PolicyTarget | EndProblem {
  const { input, cluster } = context
  const ip = text.name as Ip
  const service = input.objects.list('Service').find((s) => serviceAddresses(s).includes(ip))
  if (service) return serviceTarget(service, text.port, context)
  const end = cluster.endAt(ip)
  return end.kind === 'node'
    ? nodeTarget(end, { ...text, name: end.node.name }, context)
    : plainTarget(ip, [end], text, context)
}

function nameTarget(text: EndText, context: TargetContext): PolicyTarget | EndProblem {
  const { input, cluster, source } = context
  const found = lookUpName(input, text.name, source.pod)
  if (isEndProblem(found)) return found
  const service = found.service && input.objects.get('Service', found.service.name, found.service.namespace)
  const ends = found.addresses.map((ip): End => {
    const end = cluster.endAt(ip)
    return end.kind === 'address' ? { ...end, domain: text.name } : end
  })
  const target =
    service && service.spec.type !== 'ExternalName'
      ? serviceTarget(service, text.port, context)
      : plainTarget(text.name, ends, text, context)
  return isEndProblem(target) ? target : { ...target, name: text.name }
}

function serviceTarget(
  service: Service,
  portWanted: string | undefined,
  context: TargetContext,
): PolicyTarget | EndProblem {
  const { name, namespace = 'default' } = service.metadata
  if (service.spec.type === 'ExternalName') {
    const { clusterDomain } = context.input.settings
    const text = { kind: 'name', name: `${name}.${namespace}.svc.${clusterDomain}` } as const
    return nameTarget(portWanted === undefined ? text : { ...text, port: portWanted }, context)
  }
  const port = chooseServicePort(service, portWanted, context.protocol)
  if (isEndProblem(port)) return port
  const fromOutside = context.source.ends.every((e) => e.kind === 'address')
  const chosen = readyNode(context.input)?.name
  const node = context.cluster.nodes.find((n) => n.name === chosen) ?? context.cluster.nodes[0]
  const entry = fromOutside && port.nodePort !== undefined && node ? atNode(node) : undefined
  return endpointTarget(`svc ${namespace}/${name}:${port.port}`, service, port, entry, context)
}

const atNode = (node: PolicyNode): EntryNode['node'] => ({ kind: 'node', node, ip: node.ips[0] })

/** Every ready endpoint, at its own port. */
function endpointTarget(
  label: string,
  service: Service,
  port: ServicePort,
  entry: EntryNode['node'] | undefined,
  context: TargetContext,
): PolicyTarget | EndProblem {
  const { name, namespace = 'default' } = service.metadata
  const slices = context.input.objects.list('EndpointSlice', {
    namespace,
    labelSelector: `kubernetes.io/service-name=${name}`,
  })
  const found = slices.flatMap((slice) => readyEndpoints(slice, port, context.cluster))
  const keepsClient = service.spec.externalTrafficPolicy === 'Local'
  const usable = entry && keepsClient ? found.filter((e) => nodeOf(e.to) === entry.node.name) : found
  if (usable.length === 0)
    return {
      problem: `Service ${namespace}/${name} has no ready endpoint${entry && keepsClient ? ` on node ${entry.node.name}` : ''} for port ${port.port}: the connection never gets as far as policy`,
    }
  const addresses = serviceAddresses(service)
  const candidates = usable.map((e): Candidate => {
    const family = familyOf(e.ip)
    const dialled = (entry?.node.ips ?? addresses).find((ip) => familyOf(ip) === family)
    return {
      ...{ to: e.to, port: e.port },
      ...(dialled && { dialled: { ip: dialled, port: entry ? (port.nodePort ?? port.port) : port.port } }),
      ...(entry && { entry: { node: entry, port: port.nodePort ?? port.port, keepsClient } }),
    }
  })
  return { label, protocol: protocolOf(port), candidates, notes: entryNotes(entry, port, label) }
}

function entryNotes(entry: EntryNode['node'] | undefined, port: ServicePort, label: string): readonly Note[] {
  if (!entry || !label.startsWith('svc ')) return []
  const message = `from outside it is reached by node port ${port.nodePort}; node ${entry.node.name} was taken, node/NAME:${port.nodePort} asks about another`
  return [{ level: 'info', code: 'node-chosen', message }]
}

const protocolOf = (port: ServicePort): Protocol => (port.protocol ?? 'TCP').toLowerCase() as Protocol

export const nodeOf = (end: End): string | undefined =>
  end.kind === 'pod' ? end.pod.node : end.kind === 'node' ? end.node.name : undefined

function serviceAddresses({ spec, status }: Service): readonly Ip[] {
  const balancers = (status?.loadBalancer?.ingress ?? []).flatMap((i) => i.ip ?? [])
  const texts = [...(spec.clusterIPs ?? []), spec.clusterIP ?? '', ...(spec.externalIPs ?? []), ...balancers]
  return [...new Set(texts.flatMap((t) => parseIp(t) ?? []))]
}

interface ReadyEndpoint {
  readonly to: End
  readonly ip: Ip
  readonly port: number | undefined
}

function readyEndpoints(slice: EndpointSlice, port: ServicePort, cluster: PolicyCluster): readonly ReadyEndpoint[] {
  const listed = slice.ports?.find(
    (p) => (p.name ?? '') === (port.name ?? '') && (p.protocol ?? 'TCP') === (port.protocol ?? 'TCP'),
  )
  if (slice.ports !== undefined && !listed) return []
  return slice.endpoints
    .filter((e) => e.conditions?.ready !== false)
    .flatMap((e) => e.addresses.flatMap((a) => parseIp(a) ?? []).map((ip) => ({ e, ip })))
    .map(({ e, ip }) => {
      const { kind, namespace = slice.metadata.namespace ?? 'default', name = '' } = e.targetRef ?? {}
      const pod = kind === 'Pod' ? cluster.endOfPod(namespace, name) : undefined
      return { to: pod && pod.kind !== 'address' ? { ...pod, ip } : cluster.endAt(ip), ip, port: listed?.port }
    })
}

/** The cluster's DNS Service, as `svc/` end text; undefined where the input has none. */
export function dnsServiceText({ objects }: PolicyInput): string | undefined {
  const service = clusterDnsService(objects)
  return service && `svc/${service.metadata.name}.${service.metadata.namespace ?? 'default'}:53`
}
