import type { Trace } from '../../trace/trace.ts'
import { type GraphBox, type GraphEdge, graphOf } from './graph.ts'

/** A flowchart for Mermaid, as Markdown of GitHub and GitLab draws it: request in full lines, reply in dotted ones. */
export function formatMermaid(trace: Trace): string {
  const { boxes, edges } = graphOf(trace)
  const failed = boxes.flatMap((b) => b.stations).filter((s) => s.failed)
  return [
    'flowchart TB',
    ...boxes.flatMap(boxLines),
    ...edges.map(edgeLine),
    ...failed.map((s) => `  style ${s.id} stroke:#c00,stroke-width:3px`),
    '',
  ].join('\n')
}

function boxLines({ label, wire, stations }: GraphBox, index: number): readonly string[] {
  const nodes = stations.map(({ id, lines, failed }) => {
    const text = `${failed ? '✖ ' : ''}${lines.map(escapeMermaid).join('<br>')}`
    return wire ? `${id}[["${text}"]]` : `${id}["${text}"]`
  })
  if (wire) return nodes.map((n) => `  ${n}`)
  return [`  subgraph b${index}["${escapeMermaid(label)}"]`, ...nodes.map((n) => `    ${n}`), '  end']
}

const edgeLine = ({ from, to, direction, hops }: GraphEdge): string => {
  const label = hops.length === 0 ? '' : `|"${hops.join(', ')}"|`
  return `  ${from} ${direction === 'forward' ? '-->' : '-.->'}${label} ${to}`
}

/** Entities in Mermaid's own form: a number sign in place of the ampersand. */
const escapeMermaid = (text: string): string =>
  text.replaceAll(/[^A-Za-z0-9 ._/:-]/g, (c) => `#${c.codePointAt(0) ?? 0};`)
