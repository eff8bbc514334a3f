import type { FdbEntry, Neighbour, NetnsState } from '../artefact/netns.ts'
import type { Route } from '../artefact/route.ts'
import type { HostCommand } from '../cni/flannel/command.ts'
import { prefixesEqual } from '../net/prefix.ts'

/** A namespace after `ip` and `bridge` commands. What deletes nothing that is there changes nothing. */
export const applyHostCommands = (state: NetnsState, commands: readonly HostCommand[]): NetnsState =>
  commands.reduce(applyOne, state)

function applyOne(state: NetnsState, command: HostCommand): NetnsState {
  switch (command.op) {
    case 'route-add':
    case 'route-replace':
      return { ...state, routes: replaced(state.routes, command.route, sameDestination) }
    case 'route-del':
      return { ...state, routes: state.routes.filter((r) => !isRoute(r, command.route)) }
    case 'neigh-replace':
      return { ...state, neighbours: replaced(state.neighbours, command.neighbour, sameNeighbour) }
    case 'neigh-del':
      return { ...state, neighbours: state.neighbours.filter((n) => !sameNeighbour(n, command.neighbour)) }
    case 'fdb-replace':
      return { ...state, fdb: replaced(state.fdb, command.entry, sameEntry) }
    case 'fdb-del':
      return { ...state, fdb: state.fdb.filter((f) => !sameEntry(f, command.entry)) }
    case 'peer-set':
    case 'peer-del':
      // flanneld's own table: its process has it.
      return state
  }
}

const replaced = <T>(all: readonly T[], one: T, same: (a: T, b: T) => boolean): readonly T[] =>
  all.some((a) => same(a, one)) ? all.map((a) => (same(a, one) ? one : a)) : [...all, one]

const sameDestination = (a: Route, b: Route): boolean =>
  prefixesEqual(a.dst, b.dst) && a.table === b.table && (a.metric ?? 0) === (b.metric ?? 0)

/** The kernel deletes a route only by the gateway and device that it has. */
const isRoute = (a: Route, b: Route): boolean => sameDestination(a, b) && a.via === b.via && a.dev === b.dev

const sameNeighbour = (a: Neighbour, b: Neighbour): boolean => a.ip === b.ip && a.dev === b.dev
const sameEntry = (a: FdbEntry, b: FdbEntry): boolean => a.mac === b.mac && a.dev === b.dev
