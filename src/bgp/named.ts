import type { Fabric } from './fabric.ts'
import { forEachSession, type SpeakerNode } from './node.ts'

/** Throws RangeError where there is none. */
export function nodeNamed(fabric: Fabric, id: string): SpeakerNode {
  const node = fabric.nodes[fabric.numbers.get(id) ?? -1]
  if (!node) throw new RangeError(`no speaker has the id ${id}`)
  return node
}

/** Number of a session by its protocol name. Throws RangeError where there is none. */
export function sessionNamed({ speaker }: SpeakerNode, name: string): number {
  let found: number | undefined
  forEachSession(speaker, (session, _group, neighbor) => {
    if (neighbor.name === name) found ??= session
  })
  if (found === undefined) throw new RangeError(`${speaker.id} has no session ${name}`)
  return found
}
