import type { Change } from './change.ts'
import type { Fabric } from './fabric.ts'
import type { Network } from './network.ts'
import { forEachSession, type SpeakerNode, sessionAt, sessionCount, sessionStates } from './node.ts'
import type { KernelRoute, SessionState } from './outcome.ts'
import { localAddress, sameSession, sameSettings } from './peer-class.ts'
import { none } from './rib.ts'
import { attempt, bgpErrors, isPassive } from './session.ts'
import type { Speaker } from './speaker.ts'

/** Carries out one change, up to the point where the speakers notice. What follows is the next run. */
export function applyChange(
  fabric: Fabric,
  change: Change,
  kernelRoutes: (node: SpeakerNode) => readonly KernelRoute[],
): void {
  if (change.kind === 'join') join(fabric, change.speaker)
  else if (change.kind === 'leave') leave(fabric, change.speaker, change.how, kernelRoutes)
  else if (change.kind === 'configure') configure(fabric, nodeNamed(fabric, change.speaker.id), change.speaker)
  else if (change.kind === 'network') changeNetwork(fabric, change.network)
  else if (change.kind === 'restart time over') restartTimeOver(fabric)
  else able(fabric, change.speaker, change.session, change.kind)
}

export function nodeNamed(fabric: Fabric, id: string): SpeakerNode {
  const node = fabric.nodes[fabric.numbers.get(id) ?? -1]
  if (!node) throw new RangeError(`no speaker has the id ${id}`)
  return node
}

export function sessionNamed({ speaker }: SpeakerNode, name: string): number {
  let found: number | undefined
  forEachSession(speaker, (session, _group, neighbor) => {
    if (neighbor.name === name) found ??= session
  })
  if (found === undefined) throw new RangeError(`${speaker.id} has no session ${name}`)
  return found
}

function join(fabric: Fabric, speaker: Speaker): void {
  const known = fabric.numbers.get(speaker.id)
  if (known === undefined) fabric.add(speaker, fabric.tables.prefixes.size)
  else if (fabric.nodes[known]?.running === 'up') throw new RangeError(`${speaker.id} is already running`)
  else fabric.restart(speaker, fabric.tables.prefixes.size)
}

function leave(
  fabric: Fabric,
  id: string,
  how: 'stop' | 'kill',
  kernelRoutes: (node: SpeakerNode) => readonly KernelRoute[],
): void {
  const node = nodeNamed(fabric, id)
  node.leftBehind = kernelRoutes(node)
  for (let session = 0; session < node.sessions; session++) {
    if (!node.isUp(session)) continue
    if (how === 'stop') end(fabric, node, session, bgpErrors.shutdown)
    else lose(fabric, node, session, 'Socket: Connection closed', true)
  }
  node.running = how === 'stop' ? 'stopped' : 'killed'
}

/** Ends a session with a NOTIFICATION of the near side. */
function end(fabric: Fabric, node: SpeakerNode, session: number, error: string): void {
  fabric.tally.notification++
  lose(fabric, node, session, `Received: ${error}`, false)
}

/** The far side prints `info` until it is told something else. */
function lose(fabric: Fabric, node: SpeakerNode, session: number, info: string, keepRoutes: boolean): void {
  const remote = fabric.nodes[node.remote[session] ?? -1]
  const remoteSession = node.remoteSession[session] ?? -1
  fabric.drop(node, session, keepRoutes)
  if (remote) remote.status.set(remoteSession, { state: waitingState(remote, remoteSession), info })
  node.status.set(session, { state: waitingState(node, session), info: '' })
}

function waitingState({ speaker }: SpeakerNode, session: number): SessionState {
  const { settings, neighbor } = sessionAt(speaker, session)
  const local = localAddress(speaker, settings, neighbor)
  return local !== undefined && isPassive({ settings, neighbor, local }) ? 'Passive' : 'Active'
}

function able(fabric: Fabric, id: string, name: string, kind: 'disable' | 'enable'): void {
  const node = nodeNamed(fabric, id)
  const session = sessionNamed(node, name)
  if (kind === 'enable') {
    node.disabled.delete(session)
    return
  }
  node.disabled.add(session)
  if (node.isUp(session)) end(fabric, node, session, bgpErrors.shutdown)
}

function restartTimeOver(fabric: Fabric): void {
  for (const node of fabric.nodes) {
    const over = new Set<number>()
    node.state.forEach((state, session) => {
      if (state === sessionStates.restarting) over.add(session)
    })
    for (const session of over) node.state[session] = sessionStates.down
    if (over.size > 0) node.rib.dropWhere((source) => over.has(source))
  }
}

function changeNetwork(fabric: Fabric, network: Network): void {
  fabric.network = network
  for (const node of fabric.nodes) {
    node.forgetResolutions()
    reclassify(fabric, node, (session) => session)
    for (let prefix = 0; prefix < node.rib.size; prefix++) {
      const path = node.rib.first(prefix)
      if (path !== none && node.rib.next(path) !== none) node.rib.touch(prefix)
    }
  }
  for (const node of fabric.nodes) {
    if (node.running !== 'up') continue
    for (let session = 0; session < node.sessions; session++)
      if (node.isUp(session)) holdOrExpire(fabric, node, session)
  }
}

function holdOrExpire(fabric: Fabric, node: SpeakerNode, session: number): void {
  const { near, far, remote } = fabric.pair(node, session) ?? {}
  if (near && far && attempt(near, far, remote?.speaker, fabric.network).near.state === 'Established') return
  const info = `BGP Error: ${bgpErrors.holdTimer}`
  fabric.tally.notification += 2
  lose(fabric, node, session, info, false)
  node.status.set(session, { state: waitingState(node, session), info })
}

/** Sorts sessions into classes again and tells those whose class is another what that means. */
function reclassify(fabric: Fabric, node: SpeakerNode, oldSession: (session: number) => number): void {
  const [before, known] = [node.classOf.slice(), node.classes.length]
  const classOf = new Uint16Array(node.sessions)
  for (let session = 0; session < node.sessions; session++) classOf[session] = before[oldSession(session)] ?? 0
  node.classOf = classOf
  const told = classOf.slice()
  node.classify(fabric.network)
  if (node.classes.length > known) fabric.syncClasses(node, known)
  for (let session = 0; session < node.sessions; session++) {
    if (node.isUp(session) && told[session] !== node.classOf[session])
      changedClass(fabric, node, session, told[session] ?? 0)
  }
}

function changedClass(fabric: Fabric, node: SpeakerNode, session: number, before: number): void {
  fabric.refeed(node, session, before)
  const [was, is] = [node.classes[before]?.settings, node.classAt(session).settings]
  if (was && sameSettings(onlyImport(was), onlyImport(is))) return
  fabric.tally.routeRefresh++
  const remote = fabric.nodes[node.remote[session] ?? -1]
  if (remote) fabric.feed(remote, node.remoteSession[session] ?? -1)
}

const onlyImport = ({ importFilter, localPref }: Speaker['peers'][number]['settings']) => ({
  ...(importFilter && { importFilter }),
  ...(localPref !== undefined && { localPref }),
})

function configure(fabric: Fabric, node: SpeakerNode, speaker: Speaker): void {
  if (node.running !== 'up') throw new RangeError(`${speaker.id} is not running: let it join`)
  const before = node.speaker
  const successor = successors(before, speaker)
  for (let session = 0; session < node.sessions; session++) {
    if (!node.isUp(session) || keeps(before, speaker, session, successor.get(session))) continue
    end(fabric, node, session, successor.has(session) ? bgpErrors.otherChange : bgpErrors.deconfigured)
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
