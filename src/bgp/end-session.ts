import { dropSession } from './connect.ts'
import type { Fabric } from './fabric.ts'
import { type SpeakerNode, sessionAt } from './node.ts'
import type { SessionState } from './outcome.ts'
import { localAddress } from './peer-class.ts'
import { isPassive } from './session.ts'

/** Ends a session with a NOTIFICATION of the near side. */
export function endSession(fabric: Fabric, node: SpeakerNode, session: number, error: string): void {
  fabric.tally.notification++
  loseSession(fabric, node, session, `Received: ${error}`, false)
}

/** The far side prints `info` until it is told something else. */
export function loseSession(
  fabric: Fabric,
  node: SpeakerNode,
  session: number,
  info: string,
  keepRoutes: boolean,
): void {
  const remote = fabric.nodes[node.remote[session] ?? -1]
  const remoteSession = node.remoteSession[session] ?? -1
  dropSession(fabric, node, session, keepRoutes)
  if (remote) remote.status.set(remoteSession, { state: waitingState(remote, remoteSession), info })
  node.status.set(session, { state: waitingState(node, session), info: '' })
}

/** What a session is that was up a moment ago. */
export function waitingState({ speaker }: SpeakerNode, session: number): SessionState {
  const { settings, neighbor } = sessionAt(speaker, session)
  const local = localAddress(speaker, settings, neighbor)
  return local !== undefined && isPassive({ settings, neighbor, local }) ? 'Passive' : 'Active'
}
