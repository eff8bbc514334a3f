import type { Cluster } from '../../cluster/cluster.ts'
import { findPort } from '../../controllers/endpoint-port.ts'
import { nearestPods } from '../../controllers/nearest-pods.ts'
import { podSelection } from '../../controllers/selected-pods.ts'
import type { Service } from '../../kube/objects/service.ts'
import { parseIp } from '../../net/ip.ts'
import { formatPrefix, prefixContains, prefixCovers } from '../../net/prefix.ts'
import type { PolicyPod } from '../../policy/end.ts'
import { selectsPod } from '../../policy/match.ts'
import type { Peer, PodSet, Policy, Port, Rule } from '../../policy/policy.ts'
import { policiesOf } from '../policy-note.ts'
import type { LintCode } from './codes.ts'
import { type Finding, findingAt } from './finding.ts'

/** Policies that do not do what their author meant. */
export function lintPolicies(cluster: Cluster): readonly Finding[] {
  const { policies, pods } = policiesOf(cluster)
  const context: Context = { cluster, pods, mappings: portMappings(cluster) }
  return policies.flatMap((policy) => [
    ...unenforced(context, policy),
    ...selectsNothing(context, policy),
    ...[...(policy.ingress ?? []), ...(policy.egress ?? [])].flatMap((rule) => lintRule(context, policy, rule)),
  ])
}

interface Context {
  readonly cluster: Cluster
  readonly pods: readonly PolicyPod[]
  readonly mappings: readonly PortMapping[]
}

/** A Service port that differs from the port of a pod behind it. */
interface PortMapping {
  readonly service: Service
  readonly pod: string
  readonly port: number
  readonly name: string | undefined
  readonly targetPort: number
  readonly protocol: string
}

const keyOf = (namespace: string | undefined, name: string): string => `${namespace ?? 'default'}/${name}`

function portMappings({ objects }: Cluster): readonly PortMapping[] {
  const selected = podSelection(objects.list('Pod'))
  return objects.list('Service').flatMap((service) =>
    (service.spec.ports ?? []).flatMap((port) =>
      selected(service).flatMap((pod): readonly PortMapping[] => {
        const targetPort = findPort(pod, port)
        if (targetPort === undefined || (targetPort === port.port && port.name === undefined)) return []
        const common = { service, pod: keyOf(pod.metadata.namespace, pod.metadata.name), port: port.port, targetPort }
        return [{ ...common, name: port.name, protocol: (port.protocol ?? 'TCP').toLowerCase() }]
      }),
    ),
  )
}

type Path = readonly (string | number)[]

const found = (
  { cluster }: Context,
  policy: Policy,
  code: LintCode,
  path: Path,
  message: string,
  fix: string,
): Finding => findingAt(cluster.objects, policy.object.source, code, [...path], message, fix)

function unenforced(context: Context, policy: Policy): readonly Finding[] {
  const { cluster } = context
  if (cluster.enforcesPolicy) return []
  const message = `${cluster.cni} enforces no network policy, so this one has no effect`
  return [
    found(
      context,
      policy,
      'POLICY_NOT_ENFORCED',
      [],
      message,
      'run a policy engine beside it, such as Canal or kube-network-policies',
    ),
  ]
}

function selectsNothing(context: Context, policy: Policy): readonly Finding[] {
  const { subject } = policy
  if (context.pods.some((p) => selectsPod(subject, p))) return []
  const near = nearest(context, subject)
  const message = `selects no pod${near === undefined ? '' : `; nearest is ${near}`}`
  const path = policy.tier === 'network' ? ['spec', 'podSelector'] : ['spec', 'subject']
  return [
    found(
      context,
      policy,
      'POLICY_SELECTS_NOTHING',
      path,
      message,
      'select labels that pods have, or delete the policy',
    ),
  ]
}

/** The pod of the namespace that differs in the fewest labels, and how. */
function nearest({ cluster }: Context, { namespace, podSelector }: PodSet): string | undefined {
  const pods = cluster.objects.list('Pod', namespace === undefined ? {} : { namespace })
  const [near] = nearestPods(podSelector.matchLabels ?? {}, pods)
  const differs = near?.differs.map(
    (d) => `${d.key}=${d.found ?? `nothing${d.instead === undefined ? '' : `, but ${d.instead}`}`}, not ${d.wanted}`,
  )
  return near && differs && differs.length > 0 ? `${near.pod.name} with ${differs.join(' and ')}` : undefined
}

function lintRule(context: Context, policy: Policy, rule: Rule): readonly Finding[] {
  const where = ['spec', rule.direction, rule.index]
  const side = rule.direction === 'ingress' ? 'from' : 'to'
  const peers = rule.peers === 'any' ? [] : rule.peers
  const ports = rule.ports === 'any' ? [] : rule.ports
  const targets = targetsOf(context, policy, rule)
  return [
    ...peers.flatMap((peer, i) => lintPeer(context, policy, peer, [...where, side, i])),
    ...ports.flatMap((port, i) => lintPort(context, policy, port, targets, [...where, 'ports', i])),
  ]
}

/** Pods whose ports the rule is about. */
function targetsOf({ pods }: Context, policy: Policy, rule: Rule): readonly PolicyPod[] {
  if (rule.direction === 'ingress') return pods.filter((p) => selectsPod(policy.subject, p))
  const { peers } = rule
  if (peers === 'any') return pods
  return pods.filter((p) => peers.some((peer) => peer.kind === 'pods' && selectsPod(peer.pods, p)))
}

function lintPeer(context: Context, policy: Policy, peer: Peer, path: Path): readonly Finding[] {
  if (peer.kind === 'pods' && !context.pods.some((p) => selectsPod(peer.pods, p))) {
    const near = nearest(context, peer.pods)
    const message = `this peer matches no pod${near === undefined ? '' : `; nearest is ${near}`}`
    const fix = 'select labels that pods have; a namespaceSelector needs labels of the namespace'
    return [found(context, policy, 'POLICY_PEER_MATCHES_NOTHING', path, message, fix)]
  }
  return peer.kind === 'block' ? clusterIpBlock(context, policy, peer, path) : []
}

function clusterIpBlock(
  context: Context,
  policy: Policy,
  { cidr }: Peer & { kind: 'block' },
  path: Path,
): readonly Finding[] {
  const { settings, objects } = context.cluster
  const network = settings.serviceNetworks.find((n) => prefixCovers(n, cidr))
  if (!network) return []
  const services = objects.list('Service').filter(({ spec }) => {
    const ip = parseIp(spec.clusterIP ?? '')
    return ip !== undefined && prefixContains(cidr, ip)
  })
  const names = services.slice(0, 3).map((s) => keyOf(s.metadata.namespace, s.metadata.name))
  const who = names.length === 0 ? '' : ` (Service ${names.join(', ')})`
  const message = `${formatPrefix(cidr)} is in the Service network ${formatPrefix(network)}${who}: kube-proxy puts the pod's address in place of a cluster IP before policy looks`
  const fix = 'select the pods behind the Service with podSelector and namespaceSelector'
  return [found(context, policy, 'POLICY_CLUSTER_IP', [...path, 'ipBlock', 'cidr'], message, fix)]
}

function lintPort(
  context: Context,
  policy: Policy,
  port: Port,
  targets: readonly PolicyPod[],
  path: Path,
): readonly Finding[] {
  if (targets.length === 0) return []
  const behind = new Set(targets.map((p) => keyOf(p.namespace, p.name)))
  const mine = context.mappings.filter((m) => behind.has(m.pod))
  if (port.kind === 'range' && port.from === port.to) {
    const { from, protocol } = port
    if (targets.some((p) => p.ports.some((d) => d.port === from && d.protocol === protocol))) return []
    const mapping = mine.find((m) => m.port === from && m.protocol === protocol && m.targetPort !== from)
    if (!mapping || mine.some((m) => m.targetPort === from && m.protocol === protocol)) return []
    const message = `port ${from} is a port of ${serviceName(mapping)}; its pods are reached at ${mapping.targetPort}, and policy sees that one`
    return [found(context, policy, 'POLICY_SERVICE_PORT', [...path, 'port'], message, `port: ${mapping.targetPort}`)]
  }
  if (port.kind !== 'named' || targets.some((p) => p.ports.some((d) => d.name === port.name))) return []
  const mapping = mine.find((m) => m.name === port.name)
  const message = `no pod behind this rule has a port named ${JSON.stringify(port.name)}${mapping ? `; it is a port name of ${serviceName(mapping)}, and policy looks at those of containers` : ''}`
  const fix = mapping ? `port: ${mapping.targetPort}` : 'use the name that the container gives its port, or a number'
  return [found(context, policy, 'POLICY_PORT_NAME', [...path, 'port'], message, fix)]
}

const serviceName = ({ service }: PortMapping): string =>
  `Service ${keyOf(service.metadata.namespace, service.metadata.name)}`
