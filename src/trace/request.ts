import type { Cluster } from '../cluster/cluster.ts'
import { hostNetns, type NetnsId, nodeNetns } from '../cluster/machine.ts'
import type { Station } from '../cluster/underlay.ts'
import type { OutsideTarget } from '../cluster/underlay-machines.ts'
import { normalName } from '../dns/resolv-conf.ts'
import type { Pod } from '../kube/objects/pod.ts'
import type { Service } from '../kube/objects/service.ts'
import { isNoHost } from '../linux/destination.ts'
import { type Family, familyOf, type Ip, parseIp } from '../net/ip.ts'
import { type Protocol, parsePort } from '../net/port.ts'
import {
  choosePodPort,
  chooseServicePort,
  type EndProblem,
  type EndText,
  findNode,
  findPod,
  findService,
  findWorkloadPods,
  isEndProblem,
  netnsOfPod,
  parseEnd,
  podIps,
} from './end.ts'
import { lookUpName } from './name.ts'
import type { EndView, Note } from './trace.ts'

/** What a person asks. */
export interface TraceRequest {
  readonly from: string
  readonly to: string
  /** For ends that name none. */
  readonly namespace: string
  readonly protocol?: Protocol
  readonly srcPort?: number
  readonly ttl?: number
  readonly seed: number
  /** The N-th endpoint (from 1) or its name; `all` for every branch; undefined draws one by the seed. */
  readonly backend?: number | string
  readonly everyRule?: boolean
  /** Seconds since the client made another connection of the kind: what it left behind decides as well. */
  readonly after?: number
  /** Bytes of the whole IP packet. */
  readonly size?: number
  readonly df?: boolean
}

/** Both ends found: where to send from, and what to send where. */
export interface ResolvedRequest {
  readonly from: EndView & { readonly netns: NetnsId }
  readonly to: EndView
  readonly protocol: Protocol
  readonly dst: Ip
  readonly dstPort: number
  readonly outside: readonly OutsideTarget[]
  readonly notes: readonly Note[]
}

export function resolveRequest(cluster: Cluster, request: TraceRequest): ResolvedRequest | EndProblem {
  const [fromText, toText] = [parseEnd(request.from), parseEnd(request.to)]
  if (isEndProblem(fromText)) return fromText
  if (isEndProblem(toText)) return toText
  const from = resolveSource(cluster, fromText, request)
  if (isEndProblem(from)) return from
  if (from.pod && !cluster.network().machines.has(from.view.netns))
    return {
      problem: `pod ${from.view.namespace}/${from.view.name} has no network: no network agent runs on ${from.view.node}, so that its containers never start`,
    }
  const to = resolveTarget(cluster, toText, request, from)
  if (isEndProblem(to)) return to
  return { ...to, from: from.view }
}

interface Source {
  readonly view: EndView & { readonly netns: NetnsId }
  readonly pod: Pod | undefined
  readonly families: readonly Family[]
}

function resolveSource(cluster: Cluster, text: EndText, request: TraceRequest): Source | EndProblem {
  const { objects } = cluster
  switch (text.kind) {
    case 'pod': {
      const pod = findPod(objects, text.name, request.namespace)
      return isEndProblem(pod) ? pod : podSource(pod)
    }
    case 'workload': {
      const pods = findWorkloadPods(objects, text.workload ?? 'Deployment', text.name, request.namespace)
      if (isEndProblem(pods)) return pods
      const pod = pods.find((p) => podIps(p).length > 0)
      return pod ? podSource(pod) : { problem: `no pod of ${text.name} is running` }
    }
    case 'node': {
      const node = findNode(objects, text.name)
      if (isEndProblem(node)) return node
      return {
        view: { kind: 'Node', name: node.name, netns: nodeNetns(node.name), node: node.name },
        pod: undefined,
        families: node.addresses.map(familyOf),
      }
    }
    case 'external':
      return externalSource(cluster)
    case 'address':
      return addressSource(cluster, text.name)
    case 'service':
      return { problem: `${request.from}: a Service sends nothing; name a pod, a workload, a node or external` }
    case 'name':
      return { problem: `${request.from}: write pod/${text.name} or deploy/${text.name} for a source` }
  }
}

function podSource(pod: Pod): Source | EndProblem {
  const netns = netnsOfPod(pod)
  const named = `pod ${pod.metadata.namespace ?? 'default'}/${pod.metadata.name}`
  if (netns === undefined) return { problem: `${named} is not scheduled to any node` }
  const ips = podIps(pod)
  if (ips.length === 0) return { problem: `${named} has no address (phase ${pod.status?.phase ?? 'unknown'})` }
  return { view: { ...podView(pod), netns }, pod, families: ips.map(familyOf) }
}

const podView = (pod: Pod): EndView => ({
  kind: 'Pod',
  namespace: pod.metadata.namespace ?? 'default',
  name: pod.metadata.name,
  ...(pod.spec.nodeName === undefined ? {} : { node: pod.spec.nodeName }),
})

function externalSource(cluster: Cluster): Source | EndProblem {
  const [host] = cluster.underlay.hosts
  if (!host) return { problem: 'the Underlay has no outside host' }
  return {
    view: { kind: 'Host', name: host.name, netns: hostNetns(host.name) },
    pod: undefined,
    families: host.addresses.map(familyOf),
  }
}

/** An address as a source means whoever has it. */
function addressSource(cluster: Cluster, address: string): Source | EndProblem {
  const pod = cluster.objects.list('Pod').find((p) => !p.spec.hostNetwork && podIps(p).some((ip) => ip === address))
  if (pod) return podSource(pod)
  const host = cluster.underlay.hosts.find((h) => h.addresses.some((ip) => ip === address))
  if (host)
    return {
      view: { kind: 'Host', name: host.name, netns: hostNetns(host.name) },
      pod: undefined,
      families: host.addresses.map(familyOf),
    }
  for (const segment of cluster.underlay.segments) {
    const node = segment.nodes.find((n) => n.addresses.some((ip) => ip === address))
    if (node)
      return {
        view: { kind: 'Node', name: node.name, netns: nodeNetns(node.name), node: node.name },
        pod: undefined,
        families: node.addresses.map(familyOf),
      }
  }
  return {
    problem: `nobody in the input has the address ${address}; a source must be a pod, a node or an outside host`,
  }
}

type Target = Omit<ResolvedRequest, 'from'>

function resolveTarget(cluster: Cluster, text: EndText, request: TraceRequest, from: Source): Target | EndProblem {
  const { objects } = cluster
  const protocol = request.protocol ?? 'tcp'
  switch (text.kind) {
    case 'pod':
    case 'workload': {
      const pods =
        text.kind === 'pod'
          ? findPod(objects, text.name, request.namespace)
          : findWorkloadPods(objects, text.workload ?? 'Deployment', text.name, request.namespace)
      if (isEndProblem(pods)) return pods
      const pod = 'metadata' in pods ? pods : (pods.find((p) => podIps(p).length > 0) ?? pods[0])
      return pod ? podTarget(pod, text.port, protocol, from) : { problem: `no pod of ${text.name} is running` }
    }
    case 'service': {
      const service = findService(objects, text.name, request.namespace)
      return isEndProblem(service) ? service : serviceTarget(cluster, service, text.port, request, from)
    }
    case 'node': {
      const node = findNode(objects, text.name)
      if (isEndProblem(node)) return node
      const dst = pick(node.addresses, from)
      if (!dst) return { problem: `node ${node.name} has no address of the source's family` }
      const port = needPort(text, protocol, `node/${node.name}:PORT`)
      if (isEndProblem(port)) return port
      return {
        to: { kind: 'Node', name: node.name, address: dst, ...portView(port, protocol) },
        protocol,
        dst,
        dstPort: port,
        outside: [],
        notes: [],
      }
    }
    case 'external':
    case 'address':
      return addressTarget(cluster, text, protocol, from)
    case 'name':
      return nameTarget(cluster, text, request, from)
  }
}

const portView = (port: number, protocol: Protocol): { readonly port?: number } =>
  protocol === 'icmp' || protocol === 'icmpv6' ? {} : { port }

function needPort(text: EndText, protocol: Protocol, example: string): number | EndProblem {
  if (protocol === 'icmp' || protocol === 'icmpv6') return 0
  const port = text.port === undefined ? undefined : parsePort(text.port)
  if (port !== undefined) return port
  return {
    problem:
      text.port === undefined
        ? `a port is missing; write ${example}`
        : `"${text.port}" is no port number from 0 to 65535`,
  }
}

const pick = (addresses: readonly Ip[], from: Source): Ip | undefined =>
  from.families.flatMap((f) => addresses.find((a) => familyOf(a) === f) ?? [])[0]

function podTarget(pod: Pod, port: string | undefined, protocol: Protocol, from: Source): Target | EndProblem {
  const named = `pod/${pod.metadata.name}.${pod.metadata.namespace ?? 'default'}`
  const dst = pick(podIps(pod), from)
  if (!dst)
    return {
      problem: podIps(pod).length === 0 ? `${named} has no address` : `${named} has no address of the source's family`,
    }
  const icmp = protocol === 'icmp' || protocol === 'icmpv6'
  const chosen = icmp ? 0 : choosePodPort(pod, port, protocol)
  if (isEndProblem(chosen)) return chosen
  if (chosen === undefined) return { problem: `${named} declares no ${protocol} port; name one: ${named}:PORT` }
  return {
    to: { ...podView(pod), address: dst, ...portView(chosen, protocol) },
    protocol,
    dst,
    dstPort: chosen,
    outside: [],
    notes: [],
  }
}

function serviceTarget(
  cluster: Cluster,
  service: Service,
  portText: string | undefined,
  request: TraceRequest,
  from: Source,
): Target | EndProblem {
  const { name, namespace = 'default' } = service.metadata
  const view = { kind: 'Service', namespace, name } as const
  if (service.spec.type === 'ExternalName')
    return nameTarget(
      cluster,
      {
        kind: 'name',
        name: `${name}.${namespace}.svc.${cluster.settings.clusterDomain}`,
        ...(portText === undefined ? {} : { port: portText }),
      },
      request,
      from,
    )
  const icmp = request.protocol === 'icmp' || request.protocol === 'icmpv6'
  const port = icmp ? undefined : chooseServicePort(service, portText, request.protocol)
  if (port !== undefined && isEndProblem(port)) return port
  const protocol = request.protocol ?? (port ? ((port.protocol ?? 'TCP').toLowerCase() as Protocol) : 'tcp')
  if (service.spec.clusterIP === 'None') return headlessTarget(cluster, service, port?.name, port?.port, protocol, from)
  const outsider = from.view.kind === 'Host'
  const balancer = balancerAddresses(cluster, service)
  const clusterIps = [...(service.spec.clusterIPs ?? []), service.spec.clusterIP ?? ''].flatMap((t) => parseIp(t) ?? [])
  const inner = (ips: readonly Ip[], dstPort: number, notes: readonly Note[]): Target | undefined => {
    const dst = pick(ips, from)
    return (
      dst && {
        to: { ...view, address: dst, ...portView(dstPort, protocol) },
        protocol,
        dst,
        dstPort,
        outside: [],
        notes,
      }
    )
  }
  if (outsider && balancer.length > 0) {
    const target = inner(balancer, port?.port ?? 0, [])
    if (target) return target
  }
  if (outsider && port?.nodePort !== undefined) {
    const node = readyNode(cluster)
    const note = {
      level: 'info',
      code: 'node-chosen',
      message: `${namespace}/${name} is reached from outside by node port ${port.nodePort}; node ${node?.name} was chosen, node/NAME:${port.nodePort} picks another`,
    } as const
    const served = new Set(clusterIps.map(familyOf))
    const target = inner(
      (node?.addresses ?? []).filter((a) => served.has(familyOf(a))),
      port.nodePort,
      [note],
    )
    if (target) return target
  }
  const externalIps = (service.spec.externalIPs ?? []).flatMap((t) => parseIp(t) ?? [])
  return (
    (outsider ? inner(externalIps, port?.port ?? 0, []) : undefined) ??
    inner(clusterIps, port?.port ?? 0, []) ?? {
      problem: `Service ${namespace}/${name} has no address of the source's family`,
    }
  )
}

/** The first that is not said to be unready; the first of all where every one is. */
export function readyNode({ underlay, objects }: Pick<Cluster, 'underlay' | 'objects'>): Station | undefined {
  const nodes = underlay.segments.flatMap((s) => s.nodes)
  const isReady = ({ name }: Station): boolean => {
    const ready = objects.get('Node', name)?.status?.conditions?.find((c) => c.type === 'Ready')
    return ready === undefined || ready.status === 'True'
  }
  return nodes.find(isReady) ?? nodes[0]
}

/** Ingress addresses, and what stands for a load balancer whose status has a host name only. */
function balancerAddresses({ underlay }: Cluster, service: Service): readonly Ip[] {
  const given = (service.status?.loadBalancer?.ingress ?? []).flatMap((i) => parseIp(i.ip ?? '') ?? [])
  const vips = underlay.balancers.flatMap((b) => b.vips).filter((v) => v.service === service)
  return [...new Set([...given, ...vips.map((v) => v.ip)])]
}

/** DNS answers a headless Service with its endpoints: the client picks one itself. */
function headlessTarget(
  cluster: Cluster,
  service: Service,
  portName: string | undefined,
  port: number | undefined,
  protocol: Protocol,
  from: Source,
): Target | EndProblem {
  const { name, namespace = 'default' } = service.metadata
  const slices = cluster.objects.list('EndpointSlice', {
    namespace,
    labelSelector: `kubernetes.io/service-name=${name}`,
  })
  const ready = slices.flatMap((slice) => {
    const found = slice.ports?.find((p) => (p.name ?? '') === (portName ?? ''))?.port ?? port ?? 0
    return slice.endpoints
      .filter((e) => e.conditions?.ready !== false)
      .flatMap((e) => e.addresses.flatMap((a) => parseIp(a) ?? []).map((ip) => ({ ip, port: found })))
  })
  const dst = pick(
    ready.map((r) => r.ip),
    from,
  )
  if (!dst)
    return {
      problem: `headless Service ${namespace}/${name} has no ready endpoint of the source's family: its name resolves to nothing`,
    }
  const dstPort = ready.find((r) => r.ip === dst)?.port ?? 0
  const message = `${namespace}/${name} is headless: its name resolves to ${ready.length} endpoint${ready.length === 1 ? '' : 's'}, ${dst} is tried`
  return {
    to: { kind: 'Service', namespace, name, address: dst, ...portView(dstPort, protocol) },
    protocol,
    dst,
    dstPort,
    outside: [],
    notes: [{ level: 'info', code: 'headless', message }],
  }
}

function addressTarget(cluster: Cluster, text: EndText, protocol: Protocol, from: Source): Target | EndProblem {
  const [host] = cluster.underlay.hosts
  const dst = text.kind === 'external' ? pick(host?.addresses ?? [], from) : (text.name as Ip)
  if (!dst) return { problem: "the outside host has no address of the source's family" }
  if (!from.families.includes(familyOf(dst)))
    return { problem: `the source has no ${familyOf(dst) === 'ipv4' ? 'IPv4' : 'IPv6'} address to reach ${dst} with` }
  const port = needPort(
    text,
    protocol,
    `${text.kind === 'external' ? 'external' : text.name.includes(':') ? `[${text.name}]` : text.name}:PORT`,
  )
  if (isEndProblem(port)) return port
  const outside = outsideFor(cluster, dst, port, protocol)
  const view: EndView =
    text.kind === 'external' && host
      ? { kind: 'Host', name: host.name, address: dst }
      : { kind: 'Address', name: dst, address: dst }
  return { to: { ...view, ...portView(port, protocol) }, protocol, dst, dstPort: port, outside, notes: [] }
}

/** An address that nothing in the input has stands for the world outside: the outside host has it, and listens. */
function outsideFor(cluster: Cluster, dst: Ip, port: number, protocol: Protocol): readonly OutsideTarget[] {
  const [host] = cluster.underlay.hosts
  const isHost = host?.addresses.includes(dst) ?? false
  if (!isHost && (cluster.isInside(dst) || isNoHost(dst))) return []
  const listening = isHost && (host?.listens.length ?? 0) > 0
  const socket =
    (protocol === 'tcp' || protocol === 'udp' || protocol === 'sctp') && !listening
      ? { protocol, address: undefined, port, owner: `assumed: ${dst} listens` }
      : undefined
  return [{ ip: isHost ? undefined : dst, socket }]
}

function nameTarget(cluster: Cluster, text: EndText, request: TraceRequest, from: Source): Target | EndProblem {
  const found = lookUpName(cluster, text.name, from.pod)
  if (isEndProblem(found)) return found
  const protocol = request.protocol ?? 'tcp'
  const dst = pick(found.addresses, from)
  if (!dst) return { problem: `${text.name} resolves to no address of the source's family` }
  const message = found.outside
    ? `${text.name} is ${found.name === normalName(text.name) ? '' : `an alias of ${found.name}, `}a name outside the cluster; the outside host stands for it`
    : `${text.name} resolves to ${found.addresses.join(', ')}${found.name === text.name ? '' : ` as ${found.name}`}`
  const named = { level: 'info', code: 'resolved', message } as const
  const service = found.service && cluster.objects.get('Service', found.service.name, found.service.namespace)
  if (service && service.spec.type !== 'ExternalName') {
    const target = serviceTarget(cluster, service, text.port, request, from)
    return isEndProblem(target) ? target : { ...target, notes: [named, ...target.notes] }
  }
  const port = needPort(text, protocol, `${text.name}:PORT`)
  if (isEndProblem(port)) return port
  return {
    to: { kind: 'Name', name: text.name, address: dst, ...portView(port, protocol) },
    protocol,
    dst,
    dstPort: port,
    outside: outsideFor(cluster, dst, port, protocol),
    notes: [named],
  }
}
