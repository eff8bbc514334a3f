import type { FdbEntry, Neighbour } from '../../artefact/netns.ts'
import type { Route } from '../../artefact/route.ts'
import { formatPrefix, type Prefix } from '../../net/prefix.ts'
import type { TunnelPeer } from '../result.ts'

/** One change that flanneld makes on a node when a lease comes, changes or goes. */
export type HostCommand =
  | { readonly op: 'route-add' | 'route-replace' | 'route-del'; readonly route: Route }
  | { readonly op: 'neigh-replace' | 'neigh-del'; readonly neighbour: Neighbour }
  | { readonly op: 'fdb-replace' | 'fdb-del'; readonly entry: FdbEntry }
  /** An entry of flanneld's own table: nothing on the host changes. */
  | { readonly op: 'peer-set' | 'peer-del'; readonly peer: TunnelPeer }

/** What the commands change: each table by the key that its commands replace and delete by. */
export class HostTables {
  readonly #routes = new Map<string, Route>()
  readonly #neighbours = new Map<string, Neighbour>()
  readonly #fdb = new Map<string, FdbEntry>()
  readonly #peers = new Map<string, TunnelPeer>()

  get routes(): readonly Route[] {
    return [...this.#routes.values()]
  }
  get neighbours(): readonly Neighbour[] {
    return [...this.#neighbours.values()]
  }
  get fdb(): readonly FdbEntry[] {
    return [...this.#fdb.values()]
  }
  get peers(): readonly TunnelPeer[] {
    return [...this.#peers.values()]
  }

  routeTo(dst: Prefix): Route | undefined {
    return this.#routes.get(formatPrefix(dst))
  }

  apply(commands: readonly HostCommand[]): void {
    for (const command of commands) this.#applyOne(command)
  }

  #applyOne(command: HostCommand): void {
    switch (command.op) {
      case 'route-add':
      case 'route-replace':
        this.#routes.set(formatPrefix(command.route.dst), command.route)
        return
      case 'route-del':
        this.#deleteRoute(command.route)
        return
      case 'neigh-replace':
        this.#neighbours.set(neighbourKey(command.neighbour), command.neighbour)
        return
      case 'neigh-del':
        this.#neighbours.delete(neighbourKey(command.neighbour))
        return
      case 'fdb-replace':
        this.#fdb.set(entryKey(command.entry), command.entry)
        return
      case 'fdb-del':
        this.#fdb.delete(entryKey(command.entry))
        return
      case 'peer-set':
        this.#peers.set(formatPrefix(command.peer.subnet), command.peer)
        return
      case 'peer-del':
        this.#peers.delete(formatPrefix(command.peer.subnet))
        return
    }
  }

  /** The kernel deletes a route only by the gateway and device that it has. */
  #deleteRoute({ dst, via, dev }: Route): void {
    const standing = this.routeTo(dst)
    if (standing?.via === via && standing?.dev === dev) this.#routes.delete(formatPrefix(dst))
  }
}

const neighbourKey = (n: Neighbour): string => `${n.ip} ${n.dev}`
const entryKey = (e: FdbEntry): string => `${e.mac} ${e.dev}`

/** As one would type it; a comment line for what only flanneld sees. */
export function formatCommand(command: HostCommand): string {
  switch (command.op) {
    case 'route-add':
    case 'route-replace':
      return `ip route ${command.op.slice(6)} ${formatNexthop(command.route)}${command.route.onlink ? ' onlink' : ''}`
    case 'route-del':
      return `ip route del ${formatNexthop(command.route)}`
    case 'neigh-replace': {
      const { ip, dev, mac, state } = command.neighbour
      return `ip neigh replace ${ip} lladdr ${mac} dev ${dev} nud ${state}`
    }
    case 'neigh-del':
      return `ip neigh del ${command.neighbour.ip} dev ${command.neighbour.dev}`
    case 'fdb-replace':
      return `bridge fdb replace ${formatEntry(command.entry)} permanent`
    case 'fdb-del':
      return `bridge fdb del ${formatEntry(command.entry)}`
    case 'peer-set':
      return `# flanneld: ${formatPrefix(command.peer.subnet)} is at ${command.peer.address} port ${command.peer.port}`
    case 'peer-del':
      return `# flanneld: ${formatPrefix(command.peer.subnet)} is gone`
  }
}

const formatNexthop = (route: Route): string =>
  [formatPrefix(route.dst), ...(route.via ? ['via', route.via] : []), ...(route.dev ? ['dev', route.dev] : [])].join(
    ' ',
  )

const formatEntry = (entry: FdbEntry): string =>
  [entry.mac, 'dev', entry.dev, ...(entry.dst ? ['dst', entry.dst] : []), 'self'].join(' ')
