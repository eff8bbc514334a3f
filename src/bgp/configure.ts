import { endSession } from './end-session.ts'
import type { Fabric } from './fabric.ts'
import { forEachSession, type SpeakerNode, sessionAt, sessionCount } from './node.ts'
import { localAddress, sameSession } from './peer-class.ts'
import { reclassify } from './reclassify.ts'
import { none } from './rib.ts'
import { bgpErrors } from './session.ts'
import type { Speaker } from './speaker.ts'

/** `birdc configure`: sessions whose settings stay the same stay up, under new numbers. */
export function configure(fabric: Fabric, node: SpeakerNode, speaker: Speaker): void {
  if (node.running !== 'up') throw new RangeError(`${speaker.id} is not running: let it join`)
  const before = node.speaker
  const successor = successors(before, speaker)
  for (let session = 0; session < node.sessions; session++) {
    if (!node.isUp(session) || keeps(before, speaker, session, successor.get(session))) continue
    endSession(fabric, node, session, successor.has(session) ? bgpErrors.otherChange : bgpErrors.deconfigured)
  }
  fabric.disown(node)
  renumber(fabric, node, speaker, successor)
  node.rib.dropWhere((source) => source < none)
  fabric.own(node)
}

/** New number of each session that has the same name and address in the new configuration. */
function successors(before: Speaker, after: Speaker): ReadonlyMap<number, number> {
  const now = new Map<string, number>()
  forEachSession(after, (session, _group, { name, address }) => now.set(`${name} ${address}`, session))
  const found = new Map<number, number>()
  forEachSession(before, (session, _group, { name, address }) => {
    const number = now.get(`${name} ${address}`)
    if (number !== undefined) found.set(session, number)
  })
  return found
}

function keeps(before: Speaker, after: Speaker, session: number, successor: number | undefined): boolean {
  if (successor === undefined) return false
  if (before.as !== after.as || before.routerId !== after.routerId || before.holdTime !== after.holdTime) return false
  const [was, is] = [sessionAt(before, session), sessionAt(after, successor)]
  const sameEnds = was.neighbor.as === is.neighbor.as && was.neighbor.port === is.neighbor.port
  const sameSource = localAddress(before, was.settings, was.neighbor) === localAddress(after, is.settings, is.neighbor)
  return sameEnds && sameSource && sameSession(was.settings, is.settings)
}

function renumber(fabric: Fabric, node: SpeakerNode, speaker: Speaker, successor: ReadonlyMap<number, number>): void {
  const predecessor = new Map([...successor].map(([was, is]) => [is, was]))
  node.rib.dropWhere((source) => source >= 0 && !successor.has(source))
  node.rib.renumber((source) => (source >= 0 ? (successor.get(source) ?? none) : source))
  for (const [prefix, { from, values }] of node.adverts)
    node.adverts.set(prefix, { from: from >= 0 ? (successor.get(from) ?? none) : from, values })
  const n = sessionCount(speaker)
  const old = { remote: node.remote, remoteSession: node.remoteSession, state: node.state, status: [...node.status] }
  const disabled = [...node.disabled]
  node.remote = new Int32Array(n).fill(-1)
  node.remoteSession = new Int32Array(n).fill(-1)
  node.state = new Uint8Array(n)
  for (const [is, was] of predecessor) {
    node.state[is] = old.state[was] ?? 0
    node.remote[is] = old.remote[was] ?? -1
    node.remoteSession[is] = old.remoteSession[was] ?? -1
    const remote = fabric.nodes[node.remote[is] ?? -1]
    if (remote) remote.remoteSession[node.remoteSession[is] ?? -1] = is
  }
  node.status.clear()
  node.disabled.clear()
  for (const [was, status] of old.status) if (successor.has(was)) node.status.set(successor.get(was) ?? none, status)
  for (const was of disabled) if (successor.has(was)) node.disabled.add(successor.get(was) ?? none)
  node.speaker = speaker
  reclassify(fabric, node, (session) => predecessor.get(session) ?? 0)
}
