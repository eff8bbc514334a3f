import type { NetnsState } from '../artefact/netns.ts'
import { formatCommand, type HostCommand } from '../cni/flannel/command.ts'
import { nodeEvent } from '../cni/flannel/events.ts'
import { type FlannelPlan, type NodePlan, planFlannel } from '../cni/flannel/plan.ts'
import type { KubeObject } from '../kube/objects/meta.ts'
import type { ClusterSettings } from '../kube/settings.ts'
import type { ObjectStore, WatchEvent } from '../kube/store.ts'
import { buildCluster } from './build.ts'
import type { Cluster } from './cluster.ts'
import { applyHostCommands } from './host-commands.ts'
import { bareNode } from './underlay-machines.ts'

/** What one change of an object did to the nodes. */
export interface ClusterChange {
  readonly cause: WatchEvent
  /** What flanneld runs on nodes that see a lease come or go, by node, as one would type it. */
  readonly commands: ReadonlyMap<string, readonly string[]>
  /** Nodes to be worked out again, when they are next looked at. */
  readonly outdated: readonly string[]
}

/**
 * A cluster that follows its store. Where a node joins or leaves, the others get the commands that their flanneld runs, and
 * are not worked out again; any other change makes those nodes outdated that it can concern.
 */
export class LiveCluster {
  readonly #store: ObjectStore
  readonly #settings: ClusterSettings
  readonly #listeners = new Set<(change: ClusterChange) => void>()
  readonly #states = new Map<string, NetnsState>()
  readonly #stop: () => void
  #cluster: Cluster
  #plan: FlannelPlan | undefined

  constructor(store: ObjectStore, settings: ClusterSettings) {
    this.#store = store
    this.#settings = settings
    this.#cluster = buildCluster(store, settings).cluster
    this.#plan = this.#planNow()
    this.#stop = store.watch((event) => this.#take(event))
  }

  /** As of the last change. A node that was looked at before keeps what it had, changed by commands. */
  current(): Cluster {
    const cluster = this.#cluster
    return {
      ...cluster,
      network: (outside) => {
        const network = cluster.network(outside)
        const machines = [...network.machines.values()].map((m) =>
          m.kind === 'node' ? { ...m, state: () => this.#stateOf(m.name, m.state) } : m,
        )
        return { ...network, machines: new Map(machines.map((m) => [m.id, m])) }
      },
    }
  }

  /** Tells each later change; gives back how to stop. */
  watch(listener: (change: ClusterChange) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Follows the store no longer. */
  close(): void {
    this.#stop()
    this.#listeners.clear()
  }

  #stateOf(node: string, render: () => NetnsState): NetnsState {
    const state = this.#states.get(node) ?? render()
    this.#states.set(node, state)
    return state
  }

  #planNow(): FlannelPlan | undefined {
    const { cni, uplinks } = this.#cluster
    return cni.startsWith('flannel') ? planFlannel(this.#store, this.#settings, uplinks) : undefined
  }

  #take(event: WatchEvent): void {
    const before = { cluster: this.#cluster, plan: this.#plan }
    this.#cluster = buildCluster(this.#store, this.#settings).cluster
    this.#plan = this.#planNow()
    const commands =
      event.object.kind === 'Node' && before.plan && this.#plan
        ? leaseCommands(before.plan, this.#plan, event.object.metadata.name)
        : undefined
    const outdated = this.#outdatedBy(event, commands, before.cluster)
    for (const node of outdated) this.#states.delete(node)
    for (const [node, run] of commands ?? []) {
      const state = this.#states.get(node)
      if (state) this.#states.set(node, applyHostCommands(state, run))
    }
    const typed = new Map([...(commands ?? [])].map(([node, run]) => [node, run.map(formatCommand)] as const))
    for (const listener of this.#listeners) listener({ cause: event, commands: typed, outdated })
  }

  #outdatedBy(event: WatchEvent, commands: unknown, before: Cluster): readonly string[] {
    const all = this.#store.list('Node').map((n) => n.metadata.name)
    const { kind, metadata } = event.object
    if (kind === 'Node') {
      // Without leases (another network agent) every node may have to know. The underlay may have shifted as well.
      if (!commands) return all
      return all.filter((n) => n === metadata.name || !sameGround(n, before, this.#cluster))
    }
    const concerned = nodesConcerned(event.object)
    return concerned === 'all' ? all : all.filter((n) => concerned.includes(n))
  }
}

/** What the others run when a node's lease comes, goes, or is another one than before. */
function leaseCommands(
  before: FlannelPlan,
  after: FlannelPlan,
  name: string,
): ReadonlyMap<string, readonly HostCommand[]> {
  const [old, now] = [before.nodes.get(name), after.nodes.get(name)]
  if (old && now && leaseText(old) === leaseText(now)) return new Map()
  const leaves = old ? nodeEvent(before, name, 'leaves') : new Map()
  const joins = now ? nodeEvent(after, name, 'joins') : new Map()
  const names = new Set([...leaves.keys(), ...joins.keys()])
  return new Map([...names].map((n) => [n, [...(leaves.get(n) ?? []), ...(joins.get(n) ?? [])]] as const))
}

const leaseText = ({ lease }: NodePlan): string =>
  JSON.stringify(lease, (key, value) => (key === 'node' ? undefined : value))

const sameGround = (node: string, before: Cluster, after: Cluster): boolean =>
  JSON.stringify(bareNode(node, before.underlay)) === JSON.stringify(bareNode(node, after.underlay))

/** Kinds that no agent on a node reads. */
const unread = new Set(['Expectation', 'Deployment', 'ReplicaSet', 'StatefulSet', 'Job', 'CronJob', 'Event'])

function nodesConcerned({ kind, metadata, ...rest }: KubeObject): readonly string[] | 'all' {
  if (unread.has(kind)) return []
  const spec = (rest as { readonly spec?: { readonly node?: string } }).spec
  if (kind === 'NodeState') return [spec?.node ?? metadata.name]
  return 'all'
}
