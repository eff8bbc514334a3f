import type { NetworkProblem } from '../problem.ts'
import { type HostCommand, HostTables } from './command.ts'
import { type FlannelPlan, type NodePlan, peersOf } from './plan.ts'

/** What stands on a node once its flanneld has seen these leases in order. */
export function programPeers(
  self: NodePlan,
  peers: readonly NodePlan[],
): { readonly tables: HostTables; readonly problems: readonly NetworkProblem[] } {
  const tables = new HostTables()
  const problems = peers.flatMap((peer) => {
    const { commands, problems: found } = self.backend.added(peer.asPeer, tables)
    tables.apply(commands)
    return found
  })
  return { tables, problems }
}

/** The commands on every other node when `name` joins or leaves the cluster of the plan, which holds it. */
export function nodeEvent(
  plan: FlannelPlan,
  name: string,
  event: 'joins' | 'leaves',
): ReadonlyMap<string, readonly HostCommand[]> {
  const changes = new Map<string, readonly HostCommand[]>()
  for (const [other, self] of plan.nodes) {
    const peers = peersOf(plan, self)
    const peer = peers.find((p) => p.node.metadata.name === name)
    if (other === name || peer === undefined) continue
    const { tables } = programPeers(self, event === 'joins' ? peers.filter((p) => p !== peer) : peers)
    const { backend } = self
    changes.set(
      other,
      event === 'joins' ? backend.added(peer.asPeer, tables).commands : backend.removed(peer.asPeer, tables),
    )
  }
  return changes
}
