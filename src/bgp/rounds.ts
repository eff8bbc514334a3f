import { deliver } from './deliver.ts'
import type { Fabric } from './fabric.ts'
import type { SpeakerNode } from './node.ts'
import type { Run } from './outcome.ts'
import { none } from './rib.ts'
import { emptyTally } from './tally.ts'
import { Update } from './update.ts'

export interface RunOptions {
  /** Turns after which a network that does not come to rest is given up. Default 1000 and 20 for each speaker. */
  readonly maxTurns?: number
  /** Numbers of the speakers with news that send in this turn. Default `inTurn`. For tests of order independence. */
  readonly schedule?: (ready: readonly number[], turn: number) => readonly number[]
}

/** Turns in which all speakers send at once. */
const lockstep = 100

/**
 * Sends until nobody has news. Rounds: every speaker with news sends it, all messages of a round arrive, best paths are
 * chosen anew. Nothing depends on the order of speakers.
 */
export function runRounds(fabric: Fabric, options: RunOptions = {}): Run {
  const { maxTurns = 1000 + 20 * fabric.nodes.length, schedule = inTurn(fabric) } = options
  let rounds = 0
  let ready = readyNodes(fabric)
  for (let turn = 0; turn < maxTurns && (ready.length > 0 || fabric.restarted.length > 0); turn++) {
    if (sendTurn(fabric, schedule(ready, turn))) rounds++
    ready = readyNodes(fabric)
  }
  return result(fabric, rounds, ready)
}

/** Whether anybody had something to say. */
function sendTurn(fabric: Fabric, senders: readonly number[]): boolean {
  const updates = takeFeeds(fabric)
  for (const number of senders) {
    const node = fabric.nodes[number]
    if (node) updates.push(...flush(fabric, node).map((update) => ({ node, update })))
  }
  for (const { node, update } of updates) deliver(fabric, node, update)
  forgetStale(fabric)
  return updates.length > 0
}

/**
 * All at once; but speakers whose filters prefer each other's paths can go on for ever in lockstep where real ones, never
 * that even, come to rest. So after many rounds they speak one after the other, by their ids.
 */
const inTurn =
  (fabric: Fabric) =>
  (ready: readonly number[], turn: number): readonly number[] => {
    if (turn < lockstep) return ready
    const byId = [...ready].sort((a, b) =>
      (fabric.nodes[a]?.speaker.id ?? '') < (fabric.nodes[b]?.speaker.id ?? '') ? -1 : 1,
    )
    return byId.slice(turn % byId.length).slice(0, 1)
  }

function result(fabric: Fabric, rounds: number, ready: readonly number[]): Run {
  const unstable = ready.flatMap((n) =>
    [...(fabric.nodes[n]?.rib.dirty.values() ?? [])].map((p) => ({
      speaker: fabric.nodes[n]?.speaker.id ?? '',
      prefix: fabric.tables.prefixes.at(p),
    })),
  )
  const result: Run = {
    converged: ready.length === 0,
    rounds,
    messages: fabric.tally,
    prefixesSent: fabric.prefixesSent,
    established: fabric.established,
    unstable,
  }
  fabric.tally = emptyTally()
  fabric.prefixesSent = 0
  fabric.established = 0
  return result
}

function readyNodes(fabric: Fabric): readonly number[] {
  const ready: number[] = []
  fabric.nodes.forEach((node, n) => {
    if (node.running === 'up' && node.rib.dirty.length > 0) ready.push(n)
  })
  return ready.length === 0 && fabric.feeds.length > 0 ? [-1] : ready
}

function takeFeeds(fabric: Fabric): { node: SpeakerNode; update: Update }[] {
  return fabric.feeds.splice(0).flatMap(({ node, session }) => {
    const update = new Update(node.classNumber(session), session)
    for (const [prefix, { from, values }] of node.adverts)
      update.add(prefix, none, none, values[update.class] ?? none, from)
    return update.length > 0 && node.isUp(session) ? [{ node, update }] : []
  })
}

/** After a restart: what the neighbour did not announce again by its End-of-RIB is gone. */
function forgetStale(fabric: Fabric): void {
  for (const { node, session, stale } of fabric.restarted.splice(0)) {
    const remote = fabric.nodes[node.remote[session] ?? -1]
    const number = remote?.classNumber(node.remoteSession[session] ?? -1) ?? 0
    for (const prefix of stale) {
      const advert = remote?.adverts.get(prefix)
      if ((advert?.values[number] ?? none) === none) node.rib.drop(prefix, session)
    }
  }
}

/** News of a speaker, one Update for each class of sessions that it concerns. */
function flush(fabric: Fabric, node: SpeakerNode): readonly Update[] {
  const updates = node.classes.map((_, n) => new Update(n))
  for (const prefix of node.rib.takeDirty()) advertise(fabric, node, prefix, updates)
  return updates.filter((u) => u.length > 0)
}

function advertise(fabric: Fabric, node: SpeakerNode, prefix: number, updates: readonly Update[]): void {
  if (!node.passesOn && !node.adverts.has(prefix) && !hasOwn(node, prefix)) return
  const path = fabric.best(node, prefix)
  const known = node.adverts.get(prefix)
  const from = path === none ? none : node.rib.sourceOf(path)
  const values = node.classes.map((c) => (path === none ? none : fabric.exported(node, c, prefix, path)))
  if (!known && values.every((v) => v === none)) return
  values.forEach((now, n) => {
    const before = known?.values[n] ?? none
    const beforeFrom = known?.from ?? none
    if (now !== before || (now !== none && from !== beforeFrom)) updates[n]?.add(prefix, before, beforeFrom, now, from)
  })
  if (values.every((v) => v === none)) node.adverts.delete(prefix)
  else node.adverts.set(prefix, { from, values })
}

/** Tells a session whose class changed what it may now have, and no longer. */
export function refeed(fabric: Fabric, node: SpeakerNode, session: number, beforeClass: number): void {
  const now = node.classNumber(session)
  const update = new Update(now, session)
  for (const [prefix, { from, values }] of node.adverts) {
    const [had, has] = [values[beforeClass] ?? none, values[now] ?? none]
    if (had !== has) update.add(prefix, had, from, has, from)
  }
  if (update.length > 0) deliver(fabric, node, update)
}

/** Works out what classes that came in since would have been told. */
export function syncClasses(fabric: Fabric, node: SpeakerNode, from: number): void {
  for (let prefix = 0; prefix < node.rib.size; prefix++) {
    const path = fabric.best(node, prefix)
    if (path === none) continue
    const known = node.adverts.get(prefix)
    // A prefix with news waits for the next round: what was told must stay what is written down.
    const settled = !known || known.from === node.rib.sourceOf(path)
    const added = node.classes.slice(from).map((c) => (settled ? fabric.exported(node, c, prefix, path) : none))
    const values = [...(known?.values ?? node.classes.slice(0, from).map(() => none)), ...added]
    const told = known?.from ?? node.rib.sourceOf(path)
    if (known || added.some((v) => v !== none)) node.adverts.set(prefix, { from: told, values })
  }
}

/** Whether the speaker itself has a route for the prefix. */
function hasOwn({ rib }: SpeakerNode, prefix: number): boolean {
  let path = rib.first(prefix)
  while (path !== none && rib.sourceOf(path) >= 0) path = rib.next(path)
  return path !== none
}
