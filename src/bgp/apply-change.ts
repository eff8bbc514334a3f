import type { Change } from './change.ts'
import { configure } from './configure.ts'
import { sessionPair } from './connect.ts'
import { endSession, loseSession, waitingState } from './end-session.ts'
import type { Fabric } from './fabric.ts'
import { nodeNamed, sessionNamed } from './named.ts'
import type { Network } from './network.ts'
import { type SpeakerNode, sessionStates } from './node.ts'
import type { KernelRoute } from './outcome.ts'
import { reclassify } from './reclassify.ts'
import { none } from './rib.ts'
import { attempt, bgpErrors } from './session.ts'
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
  if (node.running !== 'up') throw new RangeError(`${id} is not running`)
  node.leftBehind = kernelRoutes(node)
  for (let session = 0; session < node.sessions; session++) {
    if (!node.isUp(session)) continue
    if (how === 'stop') endSession(fabric, node, session, bgpErrors.shutdown)
    else loseSession(fabric, node, session, 'Socket: Connection closed', true)
  }
  node.running = how === 'stop' ? 'stopped' : 'killed'
}

function able(fabric: Fabric, id: string, name: string, kind: 'disable' | 'enable'): void {
  const node = nodeNamed(fabric, id)
  const session = sessionNamed(node, name)
  if (kind === 'enable') {
    node.disabled.delete(session)
    return
  }
  node.disabled.add(session)
  if (node.isUp(session)) endSession(fabric, node, session, bgpErrors.shutdown)
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
  const { near, far, remote } = sessionPair(fabric, node, session) ?? {}
  if (near && far && attempt(near, far, remote?.speaker, fabric.network).near.state === 'Established') return
  const info = `BGP Error: ${bgpErrors.holdTimer}`
  fabric.tally.notification += 2
  loseSession(fabric, node, session, info, false)
  node.status.set(session, { state: waitingState(node, session), info })
}
