import type { Fabric } from './fabric.ts'
import type { SpeakerNode } from './node.ts'
import { sameSettings } from './peer-class.ts'
import { refeed, syncClasses } from './rounds.ts'
import type { PeerSettings } from './speaker.ts'

/** Sorts sessions into classes again and tells those whose class is another what that means. */
export function reclassify(fabric: Fabric, node: SpeakerNode, oldSession: (session: number) => number): void {
  const [before, known] = [node.classOf.slice(), node.classes.length]
  const classOf = new Uint16Array(node.sessions)
  for (let session = 0; session < node.sessions; session++) classOf[session] = before[oldSession(session)] ?? 0
  node.classOf = classOf
  const told = classOf.slice()
  node.classify(fabric.network)
  if (node.classes.length > known) syncClasses(fabric, node, known)
  for (let session = 0; session < node.sessions; session++) {
    if (node.isUp(session) && told[session] !== node.classOf[session])
      changedClass(fabric, node, session, told[session] ?? 0)
  }
}

function changedClass(fabric: Fabric, node: SpeakerNode, session: number, before: number): void {
  refeed(fabric, node, session, before)
  const [was, is] = [node.classes[before]?.settings, node.classAt(session).settings]
  if (was && sameSettings(onlyImport(was), onlyImport(is))) return
  fabric.tally.routeRefresh++
  const remote = fabric.nodes[node.remote[session] ?? -1]
  if (remote) fabric.feed(remote, node.remoteSession[session] ?? -1)
}

const onlyImport = ({ importFilter, localPref }: PeerSettings) => ({
  ...(importFilter && { importFilter }),
  ...(localPref !== undefined && { localPref }),
})
