import type { Connection, Direction, Tuple } from './connection.ts'
import { sourceKey, tupleKey } from './tuple.ts'

/** A connection found by one of its two tuples. */
export interface Found {
  readonly connection: Connection
  readonly direction: Direction
}

/** The confirmed connections of a namespace, under both of their tuples. Times are virtual milliseconds. */
export interface ConntrackTable {
  /** The entry of a tuple. One that has expired is removed and not found; `expired` hears of it. */
  find(tuple: Tuple, now: number, expired?: (connection: Connection) => void): Found | undefined
  insert(connection: Connection): void
  remove(connection: Connection): void
  /** Connections whose first packet came from this source address and port, the newest first. */
  fromSource(tuple: Tuple): readonly Connection[]
  /** In order of creation. */
  all(): readonly Connection[]
  size(): number
  /** The number for the next connection. */
  nextId(): number
}

export function createConntrackTable(): ConntrackTable {
  const byTuple = new Map<string, Found>()
  const bySource = new Map<string, Set<Connection>>()
  const entries = new Set<Connection>()
  let lastId = 0

  function remove(c: Connection): void {
    if (!entries.delete(c)) return
    for (const tuple of [c.original, c.reply]) {
      const key = tupleKey(tuple)
      if (byTuple.get(key)?.connection === c) byTuple.delete(key)
    }
    const source = sourceKey(c.original)
    const sharing = bySource.get(source)
    sharing?.delete(c)
    if (sharing?.size === 0) bySource.delete(source)
  }

  return {
    find(tuple, now, expired) {
      const found = byTuple.get(tupleKey(tuple))
      if (found === undefined || found.connection.expires > now) return found
      remove(found.connection)
      expired?.(found.connection)
      return undefined
    },
    insert(c) {
      entries.add(c)
      byTuple.set(tupleKey(c.original), { connection: c, direction: 'original' })
      byTuple.set(tupleKey(c.reply), { connection: c, direction: 'reply' })
      const source = sourceKey(c.original)
      const sharing = bySource.get(source)
      if (sharing) sharing.add(c)
      else bySource.set(source, new Set([c]))
    },
    remove,
    fromSource: (tuple) => [...(bySource.get(sourceKey(tuple)) ?? [])].reverse(),
    all: () => [...entries],
    size: () => entries.size,
    nextId: () => ++lastId,
  }
}
