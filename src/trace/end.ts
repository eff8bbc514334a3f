import { type NetnsId, nodeNetns, podNetns } from '../cluster/machine.ts'
import { internalIps } from '../cluster/underlay.ts'
import { nearestNames } from '../kube/nearest-names.ts'
import type { Pod } from '../kube/objects/pod.ts'
import type { Service, ServicePort } from '../kube/objects/service.ts'
import type { ObjectReader } from '../kube/store.ts'
import { type Ip, parseIp } from '../net/ip.ts'
import { parsePort } from '../net/port.ts'

/** An end of a connection as a person writes it, taken apart but not yet looked up. */
export interface EndText {
  readonly kind: 'pod' | 'service' | 'node' | 'workload' | 'external' | 'address' | 'name'
  /** `Deployment`, for a workload. */
  readonly workload?: WorkloadKind
  readonly name: string
  /** A number, or the name of a port. */
  readonly port?: string
}

export type WorkloadKind =
  | 'Deployment'
  | 'StatefulSet'
  | 'DaemonSet'
  | 'ReplicaSet'
  | 'ReplicationController'
  | 'Job'
  | 'CronJob'

/** What is wrong with an end, for a person: `no pod "web" in namespace "shop"; nearest: web-7c9f`. */
export interface EndProblem {
  readonly problem: string
}

export const isEndProblem = <T>(value: T | EndProblem): value is EndProblem =>
  typeof value === 'object' && value !== null && 'problem' in value

const kindNames: Readonly<Record<string, { readonly kind: EndText['kind']; readonly workload?: WorkloadKind }>> = {
  pod: { kind: 'pod' },
  pods: { kind: 'pod' },
  po: { kind: 'pod' },
  service: { kind: 'service' },
  services: { kind: 'service' },
  svc: { kind: 'service' },
  node: { kind: 'node' },
  nodes: { kind: 'node' },
  no: { kind: 'node' },
  ...workloadNames({
    Deployment: ['deploy', 'deployment', 'deployments'],
    StatefulSet: ['sts', 'statefulset', 'statefulsets'],
    DaemonSet: ['ds', 'daemonset', 'daemonsets'],
    ReplicaSet: ['rs', 'replicaset', 'replicasets'],
    ReplicationController: ['rc', 'replicationcontroller', 'replicationcontrollers'],
    Job: ['job', 'jobs'],
    CronJob: ['cj', 'cronjob', 'cronjobs'],
  }),
}

function workloadNames(
  names: Readonly<Record<WorkloadKind, readonly string[]>>,
): Record<string, { kind: 'workload'; workload: WorkloadKind }> {
  const entries = Object.entries(names) as readonly (readonly [WorkloadKind, readonly string[]])[]
  return Object.fromEntries(
    entries.flatMap(([workload, aliases]) => aliases.map((a) => [a, { kind: 'workload', workload }])),
  )
}

/** `pod/NAME[.NS][:PORT]`, `svc/...`, `external`, an address or a DNS name. IPv6 with a port in brackets. */
export function parseEnd(text: string): EndText | EndProblem {
  if (text === '')
    return {
      problem:
        'an end of a connection is empty; write pod/NAME, svc/NAME:PORT, node/NAME, deploy/NAME, an address or external',
    }
  const { rest, port } = splitPort(text)
  const withPort = port === undefined ? {} : { port }
  if (port === '') return { problem: `${text}: a port or port name must follow the colon` }
  const slash = rest.indexOf('/')
  if (slash < 0) {
    if (rest === 'external') return { kind: 'external', name: rest, ...withPort }
    const address = parseIp(rest.replace(/^\[(.*)\]$/, '$1'))
    return address ? { kind: 'address', name: address, ...withPort } : bareName(rest, withPort)
  }
  const kind = kindNames[rest.slice(0, slash).toLowerCase()]
  const name = rest.slice(slash + 1)
  if (!kind)
    return {
      problem: `${text}: no kind of end is called "${rest.slice(0, slash)}"; use one of pod, svc, node, deploy, sts, ds, rs, job, or an address, a DNS name, external`,
    }
  if (name === '') return { problem: `${text}: a name must follow ${rest.slice(0, slash + 1)}` }
  return { ...kind, name, ...withPort }
}

function bareName(name: string, withPort: { readonly port?: string }): EndText | EndProblem {
  if (/^[0-9.]+$/.test(name) || /^[0-9a-f:]*:[0-9a-f:.]*$/i.test(name)) return { problem: `${name} is no IP address` }
  if (!/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?\.?$/i.test(name))
    return { problem: `${name} is neither KIND/NAME, an address, a DNS name nor external` }
  return { kind: 'name', name, ...withPort }
}

function splitPort(text: string): { readonly rest: string; readonly port?: string } {
  const bracket = text.indexOf(']')
  if (bracket >= 0) {
    return text[bracket + 1] === ':'
      ? { rest: text.slice(0, bracket + 1), port: text.slice(bracket + 2) }
      : { rest: text }
  }
  const colons = text.split(':').length - 1
  // More than one colon without brackets is an IPv6 address.
  if (colons !== 1) return { rest: text }
  const at = text.indexOf(':')
  return { rest: text.slice(0, at), port: text.slice(at + 1) }
}

/** `NAME` or `NAME.NAMESPACE`. A name may have dots itself: the whole of it in the default namespace is tried first. */
export function findNamespaced<T>(
  name: string,
  defaultNamespace: string,
  get: (name: string, namespace: string) => T | undefined,
): { readonly found: T; readonly namespace: string } | undefined {
  const whole = get(name, defaultNamespace)
  if (whole) return { found: whole, namespace: defaultNamespace }
  for (let dot = name.lastIndexOf('.'); dot > 0; dot = name.lastIndexOf('.', dot - 1)) {
    const namespace = name.slice(dot + 1)
    const found = get(name.slice(0, dot), namespace)
    if (found) return { found, namespace }
  }
  return undefined
}

export function findPod(objects: ObjectReader, name: string, namespace: string): Pod | EndProblem {
  const hit = findNamespaced(name, namespace, (n, ns) => objects.get('Pod', n, ns))
  return hit ? hit.found : missing('pod', name, namespace, objects.list('Pod'))
}

export function findService(objects: ObjectReader, name: string, namespace: string): Service | EndProblem {
  const hit = findNamespaced(name, namespace, (n, ns) => objects.get('Service', n, ns))
  return hit ? hit.found : missing('service', name, namespace, objects.list('Service'))
}

/** Pods that a workload owns, directly or through its ReplicaSets or Jobs, in order. */
export function findWorkloadPods(
  objects: ObjectReader,
  kind: WorkloadKind,
  name: string,
  namespace: string,
): readonly Pod[] | EndProblem {
  const hit = findNamespaced(name, namespace, (n, ns) => objects.get(kind, n, ns))
  if (!hit) return missing(kind.toLowerCase(), name, namespace, objects.list(kind))
  const ns = hit.namespace
  const owned = (ownerKind: string, ownerName: string): readonly Pod[] =>
    objects
      .list('Pod', { namespace: ns })
      .filter((p) => p.metadata.ownerReferences?.some((o) => o.kind === ownerKind && o.name === ownerName))
  const own = hit.found.metadata.name
  const between = kind === 'Deployment' ? 'ReplicaSet' : kind === 'CronJob' ? 'Job' : undefined
  const pods = between
    ? objects
        .list(between, { namespace: ns })
        .filter((o) => o.metadata.ownerReferences?.some((r) => r.kind === kind && r.name === own))
        .flatMap((o) => owned(between, o.metadata.name))
    : owned(kind, own)
  return pods.length > 0 ? pods : { problem: `${kind} ${ns}/${own} has no pod` }
}

interface Named {
  readonly metadata: { readonly name: string; readonly namespace?: string }
}

function missing(what: string, name: string, namespace: string, all: readonly Named[]): EndProblem {
  const said = (o: Named): string =>
    o.metadata.namespace === namespace || !o.metadata.namespace
      ? o.metadata.name
      : `${o.metadata.name}.${o.metadata.namespace}`
  const elsewhere = all.filter((o) => o.metadata.name === name)
  const near = elsewhere.length > 0 ? elsewhere.map(said) : nearestNames(name, all.map(said))
  const hint =
    near.length > 0 ? `; nearest: ${near.slice(0, 3).join(', ')}` : all.length === 0 ? `; the input has no ${what}` : ''
  // `NAME.NAMESPACE`, where something stands in that namespace: the namespace is not the slip.
  const dot = name.lastIndexOf('.')
  const given = name.slice(dot + 1)
  const [own, where] =
    dot > 0 && all.some((o) => o.metadata.namespace === given) ? [name.slice(0, dot), given] : [name, namespace]
  return { problem: `no ${what} "${own}" in namespace "${where}"${hint}` }
}

export function findNode(
  objects: ObjectReader,
  name: string,
): { readonly name: string; readonly addresses: readonly Ip[] } | EndProblem {
  const node = objects.get('Node', name)
  if (node) return { name: node.metadata.name, addresses: internalIps(node) }
  const names = objects.list('Node').map((n) => n.metadata.name)
  const near = nearestNames(name, names)
  return {
    problem: `no node "${name}"; ${near.length > 0 ? `nearest: ${near.slice(0, 3).join(', ')}` : `there are ${names.slice(0, 5).join(', ')}`}`,
  }
}

/** The Service port that a text names; the only one where it names none. */
export function chooseServicePort(
  service: Service,
  port: string | undefined,
  protocol: string | undefined,
): ServicePort | EndProblem {
  const ports = service.spec.ports ?? []
  const called = `Service ${service.metadata.namespace ?? 'default'}/${service.metadata.name}`
  const fits = ports.filter((p) => protocol === undefined || (p.protocol ?? 'TCP').toLowerCase() === protocol)
  const wanted = port === undefined ? fits : fits.filter((p) => p.name === port || p.port === parsePort(port))
  const [first] = wanted
  const listed = ports
    .map((p) => `${p.name ? `${p.name} ` : ''}${p.port}/${(p.protocol ?? 'TCP').toLowerCase()}`)
    .join(', ')
  if (first && (wanted.length === 1 || port !== undefined)) return first
  if (first) return { problem: `${called} has several ports; name one of ${listed}` }
  if (ports.length === 0) return { problem: `${called} has no ports` }
  return { problem: `${called} has no ${protocol ? `${protocol} ` : ''}port ${port ?? ''}; it has ${listed}` }
}

/** A pod's port by number or by the name of a container port; its first declared port where none is named. */
export function choosePodPort(pod: Pod, port: string | undefined, protocol: string): number | undefined | EndProblem {
  const sidecars = (pod.spec.initContainers ?? []).filter((c) => c.restartPolicy === 'Always')
  const declared = [...sidecars, ...pod.spec.containers].flatMap((c) => c.ports ?? [])
  const fits = declared.filter((p) => (p.protocol ?? 'TCP').toLowerCase() === protocol)
  if (port === undefined) return fits[0]?.containerPort
  const number = parsePort(port)
  if (number !== undefined) return number
  const named = fits.find((p) => p.name === port)
  if (named) return named.containerPort
  const names = fits.flatMap((p) => p.name ?? [])
  const hint = names.length > 0 ? `; named ports are ${names.join(', ')}` : '; no container port has a name'
  return {
    problem: `pod ${pod.metadata.namespace ?? 'default'}/${pod.metadata.name} has no ${protocol} port named "${port}"${hint}`,
  }
}

export const podIps = (pod: Pod): readonly Ip[] => {
  const listed = (pod.status?.podIPs ?? []).map((p) => p.ip)
  const texts = listed.length > 0 ? listed : pod.status?.podIP ? [pod.status.podIP] : []
  return texts.flatMap((t) => parseIp(t) ?? [])
}

/** The namespace that a pod's processes live in: its node's when it uses the host's network. */
export const netnsOfPod = (pod: Pod): NetnsId | undefined => {
  if (pod.spec.hostNetwork) return pod.spec.nodeName === undefined ? undefined : nodeNetns(pod.spec.nodeName)
  return podNetns(pod.metadata.namespace ?? 'default', pod.metadata.name)
}
