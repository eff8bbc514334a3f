import type { Link } from '../../artefact/link.ts'
import type { NetnsState } from '../../artefact/netns.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import type { Machine } from '../../cluster/machine.ts'
import type { ObjectRef } from '../../kube/objects/meta.ts'
import { familyOf } from '../../net/ip.ts'
import { type Finding, findingAt } from './finding.ts'
import { type NamedState, nodeStates } from './node-states.ts'

/** Tunnels against the wire that carries them, and pods against the tunnels that carry them. One finding for all nodes alike. */
export function lintMtu(cluster: Cluster): readonly Finding[] {
  const groups = new Map<string, Finding[]>()
  for (const finding of nodeStates(cluster).flatMap((named) => lintNode(cluster, named))) {
    const key = `${finding.code} ${finding.message}`
    groups.set(key, [...(groups.get(key) ?? []), finding])
  }
  return [...groups.values()].flatMap(([first, ...others]) =>
    first
      ? [{ ...first, message: `${first.message}${others.length > 0 ? ` (on ${others.length + 1} nodes)` : ''}` }]
      : [],
  )
}

function lintNode(cluster: Cluster, { node, state, pods }: NamedState): readonly Finding[] {
  return state.links.flatMap((tunnel) => {
    const overhead = overheadOf(tunnel)
    if (overhead === undefined) return []
    return [...tooWide(cluster, node, state, tunnel, overhead), ...podsTooWide(cluster, pods, tunnel)]
  })
}

/** Bytes that a tunnel adds: outer IP, and for VXLAN UDP, its header and the inner Ethernet header (RFC 7348). */
function overheadOf({ kind }: Link): number | undefined {
  switch (kind.kind) {
    case 'vxlan':
      return (familyOf(kind.local) === 'ipv4' ? 20 : 40) + 8 + 8 + 14
    case 'ipip':
      return kind.local && familyOf(kind.local) === 'ipv6' ? 40 : 20
    default:
      return undefined
  }
}

function tooWide(
  cluster: Cluster,
  node: string,
  state: NetnsState,
  tunnel: Link,
  overhead: number,
): readonly Finding[] {
  const below = narrowest(cluster, node, state, tunnel)
  if (!below || tunnel.mtu + overhead <= below.mtu) return []
  const message = `${tunnel.name} takes packets of ${tunnel.mtu} bytes, and ${tunnel.mtu} + ${overhead} is more than the ${below.mtu} of ${below.name}`
  return [
    at(
      cluster,
      { kind: 'Node', name: node },
      'MTU_TUNNEL',
      message,
      `an MTU of ${below.mtu - overhead} for the tunnel and for pods`,
    ),
  ]
}

/** The card that carries the tunnel, or what lies behind it: any segment that has nodes. */
function narrowest(
  { underlay }: Cluster,
  node: string,
  { links }: NetnsState,
  { kind }: Link,
): { readonly name: string; readonly mtu: number } | undefined {
  const lower = 'dev' in kind && kind.dev !== undefined ? kind.dev : undefined
  const card = links.find((l) => (lower === undefined ? l.kind.kind === 'physical' : l.name === lower))
  const segments = underlay.segments
    .filter((s) => s.nodes.length > 0)
    .map((s) => ({ name: `segment ${s.name}`, mtu: s.mtu }))
  const all = [...(card ? [{ name: `${node}'s ${card.name}`, mtu: card.mtu }] : []), ...segments]
  return all.reduce<(typeof all)[number] | undefined>(
    (least, at) => (least && least.mtu <= at.mtu ? least : at),
    undefined,
  )
}

function podsTooWide(cluster: Cluster, pods: readonly Machine[], tunnel: Link): readonly Finding[] {
  const wide = pods.flatMap((pod) =>
    pod
      .state()
      .links.filter((l) => l.kind.kind === 'veth' && l.mtu > tunnel.mtu)
      .map((l) => l.mtu),
  )
  if (wide.length === 0) return []
  const message = `pods send packets of up to ${Math.max(...wide)} bytes and ${tunnel.name} takes ${tunnel.mtu}: large packets to other nodes depend on ICMP "fragmentation needed" reaching the sender`
  return [at(cluster, undefined, 'MTU_POD', message, `an MTU of ${tunnel.mtu} or less in the CNI configuration`)]
}

/** At the configuration that says it, where there is one; else at `other`. */
function at(
  cluster: Cluster,
  other: ObjectRef | undefined,
  code: 'MTU_TUNNEL' | 'MTU_POD',
  message: string,
  fix: string,
): Finding {
  const { objects } = cluster
  const maps = objects.list('ConfigMap')
  const configMap = maps.find(
    (c) =>
      c.data?.['cni-conf.json'] !== undefined ||
      c.data?.['net-conf.json'] !== undefined ||
      c.data?.cni_network_config !== undefined,
  )
  const key = configMap?.data?.['cni-conf.json']?.includes('"mtu"') ? 'cni-conf.json' : 'net-conf.json'
  const [first] = objects.list('Node')
  const object = configMap ?? other ?? (first && { kind: 'Node', name: first.metadata.name })
  if (!object) return { code, level: 'warning', object: undefined, path: [], at: undefined, message, fix }
  return findingAt(objects, object, code, configMap ? ['data', key] : [], message, fix)
}
