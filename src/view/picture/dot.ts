import type { Trace } from '../../trace/trace.ts'
import { type GraphBox, type GraphEdge, graphOf } from './graph.ts'

/** A graph for Graphviz. Colours are read on white and on black. */
export function formatDot(trace: Trace): string {
  const { boxes, edges } = graphOf(trace)
  return [
    'digraph trace {',
    '  rankdir=TB; fontname="monospace"; node [shape=box, style=rounded, fontname="monospace"]; edge [fontname="monospace"]',
    ...boxes.flatMap(boxLines),
    ...edges.map(edgeLine),
    '}',
    '',
  ].join('\n')
}

function boxLines({ label, wire, stations }: GraphBox, index: number): readonly string[] {
  const nodes = stations.map(({ id, lines, failed }) => {
    const text = lines.map(escapeDot).join('\\n')
    const look = `${wire ? ', shape=cds' : ''}${failed ? ', color="#c00000", penwidth=3' : ''}`
    return `${id} [label="${text}"${look}]`
  })
  if (wire) return nodes.map((n) => `  ${n}`)
  return [`  subgraph cluster_${index} {`, `    label="${escapeDot(label)}"`, ...nodes.map((n) => `    ${n}`), '  }']
}

const edgeLine = ({ from, to, direction, hops }: GraphEdge): string => {
  const look = direction === 'forward' ? 'color="#1f6feb"' : 'color="#bf6a02", style=dashed, constraint=false'
  return `  ${from} -> ${to} [label="${hops.join(', ')}", ${look}]`
}

const escapeDot = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')
