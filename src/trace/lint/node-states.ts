import type { NetnsState } from '../../artefact/netns.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import type { Machine } from '../../cluster/machine.ts'

export interface NamedState {
  readonly node: string
  readonly state: NetnsState
  /** Machines of the pods that run there. */
  readonly pods: readonly Machine[]
}

/** What is programmed into each node, in the order of the nodes. */
export function nodeStates(cluster: Cluster): readonly NamedState[] {
  const machines = [...cluster.network().machines.values()]
  const pods = new Map<string, Machine[]>()
  for (const machine of machines) {
    if (machine.kind !== 'pod' || machine.node === undefined) continue
    const there = pods.get(machine.node)
    if (there) there.push(machine)
    else pods.set(machine.node, [machine])
  }
  return machines.flatMap((m) =>
    m.kind === 'node' ? [{ node: m.name, state: m.state(), pods: pods.get(m.name) ?? [] }] : [],
  )
}
