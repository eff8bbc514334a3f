import type { Fabric, ImportCache } from './fabric.ts'
import { readsPrefix } from './filter.ts'
import { importRoute, isLoop } from './import-route.ts'
import { type SpeakerNode, sessionStates } from './node.ts'
import type { PeerClass } from './peer-class.ts'
import { grown, none } from './rib.ts'
import { Packing, type Update, unchanged, withdrawn } from './update.ts'

/** Sends an Update to every session that it is for, counts the messages, and fills the tables at the other ends. */
export function deliver(fabric: Fabric, node: SpeakerNode, update: Update): void {
  const packing = new Packing(update, {
    prefix: (n) => fabric.tables.prefixes.at(n),
    attributes: (n) => fabric.tables.attributes.at(n),
  })
  const [first, last] = update.only === undefined ? [0, node.sessions] : [update.only, update.only + 1]
  for (let session = first; session < last; session++) {
    if (node.state[session] !== sessionStates.up || node.classOf[session] !== update.class) continue
    const sent = packing.sentTo(session)
    fabric.tally.update += sent.messages
    node.updatesSent += sent.messages
    fabric.prefixesSent += sent.prefixes
    if (sent.messages > 0) receive(fabric, node, session, update)
  }
}

function receive(fabric: Fabric, sender: SpeakerNode, senderSession: number, update: Update): void {
  const node = fabric.nodes[sender.remote[senderSession] ?? -1]
  if (!node) return
  const session = sender.remoteSession[senderSession] ?? -1
  const from = node.classAt(session)
  const cache = importCache(fabric, from)
  for (let i = 0; i < update.length; i++) {
    const attributes = update.meaning(i, senderSession)
    if (attributes === unchanged) continue
    const prefix = update.prefixes.at(i)
    const route = attributes === withdrawn ? none : importNumber(fabric, node, from, cache, prefix, attributes)
    if (route === none) node.rib.drop(prefix, session)
    else node.rib.put(prefix, session, route)
  }
}

function importNumber(
  fabric: Fabric,
  node: SpeakerNode,
  from: PeerClass,
  cache: ImportCache,
  prefix: number,
  number: number,
): number {
  const attributes = fabric.tables.attributes.at(number)
  if (isLoop(from, node.speaker.routerId, attributes)) return none
  const known = cache.byPrefix ? unknown : (cache.routes[number] ?? unknown)
  if (known !== unknown) return known
  const made = importRoute(from, fabric.tables.prefixes.at(prefix), attributes)
  const route = made ? fabric.tables.routes.numberOf(made) : none
  if (cache.byPrefix) return route
  if (number >= cache.routes.length) cache.routes = grown(cache.routes, 2 * number + 16, unknown)
  cache.routes[number] = route
  return route
}

function importCache(fabric: Fabric, from: PeerClass): ImportCache {
  const { importFilter, localPref } = from.settings
  const known = fabric.imports.get(importFilter) ?? []
  const found = known.find((c) => c.internal === from.internal && c.localPref === localPref)
  if (found) return found
  const byPrefix = importFilter !== undefined && readsPrefix(importFilter)
  const made = { internal: from.internal, localPref, byPrefix, routes: new Int32Array(0) }
  fabric.imports.set(importFilter, [...known, made])
  return made
}

/** Not asked for yet. */
const unknown = -2
