import type { Fabric } from './fabric.ts'
import { forEachSession, type SpeakerNode, sessionAt, sessionStates, sessionTowards } from './node.ts'
import { localAddress } from './peer-class.ts'
import { type Attempt, attempt, type End } from './session.ts'

/** Tries every session that is not up. */
export function connect(fabric: Fabric): void {
  fabric.nodes.forEach((node, number) => {
    if (node.running !== 'up') return
    forEachSession(node.speaker, (session) => {
      if (!node.isUp(session)) tryOne(fabric, node, number, session)
    })
  })
}

/** Configuration of a session and of its other end, as far as there is one. */
export function sessionPair(
  fabric: Fabric,
  node: SpeakerNode,
  session: number,
): { near: End; far?: End; remote?: SpeakerNode; remoteSession?: number } | undefined {
  const near = endOf(node, session)
  if (!near) return undefined
  const owner = fabric.owners.get(near.neighbor.address)
  const remote = owner === undefined ? undefined : fabric.nodes[owner]
  if (remote?.running !== 'up') return { near }
  const remoteSession = sessionTowards(remote.speaker, near.local)
  const far = remoteSession === undefined ? undefined : endOf(remote, remoteSession)
  return far && remoteSession !== undefined ? { near, far, remote, remoteSession } : { near, remote }
}

function tryOne(fabric: Fabric, node: SpeakerNode, number: number, session: number): void {
  const { near, far, remote, remoteSession } = sessionPair(fabric, node, session) ?? {}
  if (!near) {
    node.status.set(session, { state: 'Idle', info: '', because: `${node.speaker.id} has no address of that family` })
    return
  }
  // Each pair once: from its lower number.
  if (remote && remoteSession !== undefined && fabric.numberOf(remote) < number && !remote.isUp(remoteSession)) return
  const outcome = attempt(near, far, remote?.speaker, fabric.network)
  note(node, session, outcome.near)
  if (remote && remoteSession !== undefined && outcome.far) note(remote, remoteSession, outcome.far)
  count(fabric, outcome)
  if (outcome.near.state !== 'Established' || !remote || remoteSession === undefined) return
  link(fabric, node, session, remote, remoteSession)
}

function count(fabric: Fabric, { opens, keepalives, notifications }: Attempt): void {
  fabric.tally.open += opens
  fabric.tally.keepalive += keepalives
  fabric.tally.notification += notifications
}

// A session that waits for a restarted neighbour keeps the error that it was lost with.
function note(node: SpeakerNode, session: number, status: Attempt['near']): void {
  if (status.state === 'Established') node.status.delete(session)
  else {
    const info = status.info || (node.status.get(session)?.info ?? '')
    node.status.set(session, { ...status, info })
  }
}

function link(fabric: Fabric, a: SpeakerNode, sessionA: number, b: SpeakerNode, sessionB: number): void {
  for (const [node, session, remote, remoteSession] of [
    [a, sessionA, b, sessionB],
    [b, sessionB, a, sessionA],
  ] as const) {
    if (node.state[session] === sessionStates.restarting)
      fabric.restarted.push({ node, session, stale: node.rib.prefixesOf(session) })
    node.state[session] = sessionStates.up
    node.remote[session] = fabric.numberOf(remote)
    node.remoteSession[session] = remoteSession
    if (node.adverts.size > 0) fabric.feed(node, session)
  }
  fabric.established++
  fabric.tally.endOfRib += 2
}

/** Ends an established session on both sides; routes learned over it go away, or stay while the neighbour restarts. */
export function dropSession(fabric: Fabric, node: SpeakerNode, session: number, keepRoutes: boolean): void {
  const remote = fabric.nodes[node.remote[session] ?? -1]
  const remoteSession = node.remoteSession[session] ?? -1
  dropEnd(node, session, keepRoutes)
  if (remote && remoteSession >= 0) dropEnd(remote, remoteSession, keepRoutes)
}

function dropEnd(node: SpeakerNode, session: number, keepRoutes: boolean): void {
  const keeps = keepRoutes && sessionAt(node.speaker, session).settings.gracefulRestart
  node.state[session] = keeps ? sessionStates.restarting : sessionStates.down
  node.remote[session] = -1
  node.remoteSession[session] = -1
  if (!keeps) node.rib.dropWhere((source) => source === session)
}

function endOf(node: SpeakerNode, session: number): End | undefined {
  const { settings, neighbor } = sessionAt(node.speaker, session)
  const local = localAddress(node.speaker, settings, neighbor)
  if (local === undefined) return undefined
  return { speaker: node.speaker, settings, neighbor, local, disabled: node.disabled.has(session) }
}
