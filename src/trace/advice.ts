import type { Cluster } from '../cluster/cluster.ts'
import type { Network } from '../cluster/loop.ts'
import type { ClusterEvent } from '../cluster/process.ts'
import { formatPrefix, prefixContains } from '../net/prefix.ts'
import { formatPacket } from '../packet/format.ts'
import { homeOf } from './home.ts'
import type { Branch, Note } from './trace.ts'
import { vtepDifferences } from './vtep.ts'

/** What would have let the packet pass, where the reason alone does not say it: one note for each cause. */
export function advice(cluster: Cluster, network: Network, branches: readonly Branch[]): readonly Note[] {
  const notes = branches
    .filter((b) => b.verdict.result !== 'delivered')
    .flatMap((branch) => {
      const code = branch.verdict.reason ?? 'vtep'
      const said = [...sentences(cluster, branch), ...vtepDifferences(cluster, branch, network)]
      return said.map((message): Note => ({ level: 'info', code, message }))
    })
  return notes.filter((n, i) => notes.findIndex((m) => m.message === n.message) === i)
}

function sentences(cluster: Cluster, branch: Branch): readonly string[] {
  switch (branch.verdict.reason) {
    case 'forward-policy-drop':
      return missingAccept(cluster, branch)
    case 'bridge-hairpin-off':
      return hairpin(branch)
    case 'unexpected-peer':
      return untranslated(branch)
    case 'tunnel-port-blocked':
    case 'proto-blocked':
      return blockedTunnel(branch)
    case 'no-route':
    case 'neigh-missing':
      return missingRoute(cluster, branch)
    default:
      return []
  }
}

const eventsOf = (branch: Branch): readonly ClusterEvent[] =>
  branch.legs.flatMap((l) => l.hops.flatMap((h) => h.steps.map((s) => s.event)))

/** The rule that an operator, or a newer network agent, would have in FORWARD. */
function missingAccept({ settings }: Cluster, branch: Branch): readonly string[] {
  const stage = eventsOf(branch).findLast((e) => e.kind === 'stage' && e.hook === 'forward')
  if (stage?.kind !== 'stage') return []
  const { packet, in: from, out: to } = stage
  const inside = (address: typeof packet.src): string | undefined => {
    const network = settings.podNetworks.find((p) => prefixContains(p, address))
    return network && formatPrefix(network)
  }
  const [source, target] = [inside(packet.src), inside(packet.dst)]
  const match = source ? `-s ${source}` : target ? `-d ${target}` : `-i ${from ?? '+'} -o ${to ?? '+'}`
  const node = branch.verdict.place?.node ?? 'the node'
  return [
    `no rule of FORWARD on ${node} accepts ${packet.src} -> ${packet.dst} (in ${from ?? '-'}, out ${to ?? '-'}); missing is one such as: -A FORWARD ${match} -j ACCEPT (flannel v0.9.1 and later installs it for its network)`,
  ]
}

/** A packet for a pod that left a node by the default route: the node lacks the route that its network agent makes. */
function missingRoute({ objects }: Cluster, { legs }: Branch): readonly string[] {
  const lost = legs.flatMap((l) => l.hops).flatMap((h) => h.steps.map(({ event }) => ({ hop: h, event })))
  return lost.flatMap(({ hop, event }): readonly string[] => {
    if (event.kind !== 'route' || event.purpose === 'tunnel' || event.result.kind !== 'unicast') return []
    // A pod has the default way alone; it is its node that has to know.
    if (hop.node !== hop.netns || event.result.route.dst.length > 0) return []
    const { dst } = event.packet
    const home = homeOf(objects, dst)
    if (!home) return []
    if (home.node === hop.node) {
      return [
        `${dst} is in ${formatPrefix(home.subnet)}, the pods of ${home.node} itself, but it has no route to them and sends it the default way: the pods' bridge or device is down, or has lost its address`,
      ]
    }
    return [
      `${dst} is in ${formatPrefix(home.subnet)}, the pods of ${home.node}, but ${hop.node} has no route to them and sends it the default way`,
    ]
  })
}

function hairpin(branch: Branch): readonly string[] {
  const port = branch.verdict.place?.device ?? 'the port'
  const dnat = eventsOf(branch).findLast((e) => e.kind === 'nat' && e.manip === 'dst')
  const self = dnat?.kind === 'nat' ? `DNAT sends the packet back to ${dnat.after.dst}, which sent it. ` : ''
  return [
    `${self}A bridge sends a frame out of the port that it came from only with hairpin mode: "hairpinMode": true for the bridge plugin, or: bridge link set dev ${port} hairpin on`,
  ]
}

/** The answer came back by a way that conntrack did not see. */
function untranslated(branch: Branch): readonly string[] {
  const back = branch.legs.filter((l) => l.direction === 'reply').flatMap((l) => l.hops)
  const bypass = back.find((h) =>
    h.steps.some((s) => s.event.kind === 'sysctl' && s.event.key.startsWith('net.bridge.')),
  )
  const sysctl = bypass?.steps.map((s) => s.event).find((e) => e.kind === 'sysctl')
  if (!bypass || sysctl?.kind !== 'sysctl') return []
  const where = bypass.place.kind === 'device' ? bypass.place.device : 'the bridge'
  return [
    `the reply is bridged over ${where} on ${bypass.node ?? bypass.netns} and meets no hook (${sysctl.key} = ${sysctl.value}), so conntrack cannot turn its source back to the address that was asked; set it to 1`,
  ]
}

function blockedTunnel(branch: Branch): readonly string[] {
  const events = eventsOf(branch)
  const lost = events.findLast((e) => e.kind === 'drop')
  if (lost?.kind !== 'drop' || !lost.packet) return []
  return [
    `what is dropped is the tunnel's packet between the nodes: ${formatPacket(lost.packet)}; the packet inside went its right way up to there`,
  ]
}
