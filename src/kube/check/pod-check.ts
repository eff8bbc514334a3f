import type { Ip } from '../../net/ip.ts'
import { formatPrefix, type Prefix, prefixContains } from '../../net/prefix.ts'
import { parseApiCidr, parseApiIp } from '../addresses.ts'
import type { FieldPath } from '../field-path.ts'
import { nearestName } from '../names.ts'
import type { Pod, PodSpec } from '../objects/pod.ts'
import { formatRef } from '../problem.ts'
import type { ObjectReader } from '../store.ts'
import { checkIp } from './address-check.ts'
import { duplicate, type FieldError, portNameErrors } from './field-error.ts'
import { type Checking, placeOf, refTo, report } from './report.ts'

/** Addresses and nodes of pods. A pod that has ended has given its address back. */
export function checkPods(checking: Checking): void {
  const networks = podNetworksOf(checking)
  const nodes = new Set(checking.objects.list('Node').map((n) => n.metadata.name))
  const owners = new Map<Ip, Pod>()
  const outside: { readonly pod: Pod; readonly path: FieldPath; readonly ip: Ip }[] = []
  for (const pod of checking.objects.list('Pod')) {
    checkNodeName(checking, pod, nodes)
    for (const { path, ip } of addressesOf(checking, pod)) {
      if (pod.spec.hostNetwork || hasEnded(pod)) continue
      if (!networks.some((n) => prefixContains(n, ip))) outside.push({ pod, path, ip })
      const owner = owners.get(ip)
      if (owner && owner !== pod) reportTaken(checking, pod, path, ip, owner)
      owners.set(ip, pod)
    }
  }
  const [first] = outside
  if (!first) return
  const others = new Set(outside.map((o) => o.pod)).size - 1
  const args = { ip: first.ip, networks: networks.map(formatPrefix), others }
  // A running pod proves that its cluster has the address: where nobody states the network, it is our guess that is wrong.
  const isGuess = !checking.stated.podNetworks && outside.every((o) => o.pod.metadata.uid !== undefined)
  report(checking, first.pod, first.path, isGuess ? 'POD_IP_OUTSIDE_DEFAULT' : 'POD_IP_OUTSIDE', args)
}

const hasEnded = (pod: Pod): boolean => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'

/** The pod network, the podCIDRs of nodes, and Calico's pools. */
function podNetworksOf({ objects, settings }: Checking): readonly Prefix[] {
  const texts = [
    ...objects.list('Node').flatMap((n) => [...(n.spec?.podCIDRs ?? []), n.spec?.podCIDR ?? '']),
    ...poolCidrs(objects),
  ]
  const parsed = texts.flatMap((text) => parseApiCidr(text) ?? [])
  return [
    ...settings.podNetworks,
    ...parsed.filter((p) => !settings.podNetworks.some((n) => prefixContains(n, p.address))),
  ]
}

const poolCidrs = (objects: ObjectReader): readonly string[] =>
  objects.listAll('IPPool').flatMap((pool) => {
    const spec = 'spec' in pool ? pool.spec : undefined
    return typeof spec === 'object' && spec !== null && 'cidr' in spec && typeof spec.cidr === 'string'
      ? [spec.cidr]
      : []
  })

function addressesOf(checking: Checking, pod: Pod): readonly { readonly path: FieldPath; readonly ip: Ip }[] {
  const { podIP, podIPs, hostIP } = pod.status ?? {}
  checkIp(checking, pod, ['status', 'hostIP'], hostIP)
  checkFirstIp(checking, pod)
  const fields: readonly (readonly [FieldPath, string | undefined])[] = podIPs?.length
    ? podIPs.map(({ ip }, i) => [['status', 'podIPs', i, 'ip'], ip] as const)
    : [[['status', 'podIP'], podIP]]
  return fields.flatMap(([path, text]) => {
    const ip = checkIp(checking, pod, path, text)
    return ip ? [{ path, ip }] : []
  })
}

/** The API keeps them equal; in a status written by hand they may not be. */
function checkFirstIp(checking: Checking, pod: Pod): void {
  const { podIP, podIPs } = pod.status ?? {}
  const first = podIPs?.[0]?.ip
  if (podIP === undefined || podIP === '' || first === undefined) return
  const [one, all] = [parseApiIp(podIP), parseApiIp(first)]
  if (one && all && one !== all)
    report(checking, pod, ['status', 'podIP'], 'POD_IPS_DIFFER', { podIP: one, first: all })
}

/** Only where there are nodes: manifests without any have some made for them. */
function checkNodeName(checking: Checking, pod: Pod, nodes: ReadonlySet<string>): void {
  const node = pod.spec.nodeName
  if (node === undefined || node === '' || nodes.size === 0 || nodes.has(node)) return
  report(checking, pod, ['spec', 'nodeName'], 'UNKNOWN_NODE', { node, nearest: nearestName(node, nodes) })
}

function reportTaken(checking: Checking, pod: Pod, path: FieldPath, ip: Ip, owner: Pod): void {
  const by = formatRef(refTo(owner))
  report(checking, pod, path, 'POD_IP_TAKEN', { ip, by, at: placeOf(checking.objects, owner, []) })
}

/** Container and port names, as ValidatePodSpec has them; for pods and for templates of pods. */
export function podSpecErrors(path: FieldPath, spec: PodSpec | undefined): readonly FieldError[] {
  const names = new Set<string>()
  return (['initContainers', 'containers'] as const).flatMap((field) =>
    (spec?.[field] ?? []).flatMap((container, i) => {
      const own = [...path, field, i]
      const repeated = names.has(container.name) ? [duplicate([...own, 'name'], container.name)] : []
      names.add(container.name)
      return [...repeated, ...containerPortErrors([...own, 'ports'], container.ports ?? [])]
    }),
  )
}

function containerPortErrors(path: FieldPath, ports: readonly { readonly name?: string }[]): readonly FieldError[] {
  const names = new Set<string>()
  return ports.flatMap(({ name }, i) => {
    if (name === undefined || name === '') return []
    const own = [...path, i, 'name']
    const errors = names.has(name) ? [duplicate(own, name)] : portNameErrors(own, name)
    names.add(name)
    return errors
  })
}
