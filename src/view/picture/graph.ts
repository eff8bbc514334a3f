import type { Journey, Station } from '../../trace/journey.ts'
import type { Leg, Trace } from '../../trace/trace.ts'

/** A journey as nodes and edges, for tools that draw on their own. */
export interface Graph {
  readonly boxes: readonly GraphBox[]
  readonly edges: readonly GraphEdge[]
}

export interface GraphBox {
  readonly label: string
  readonly wire: boolean
  readonly stations: readonly GraphStation[]
}

export interface GraphStation {
  /** `s0`: safe in any language. */
  readonly id: string
  readonly lines: readonly string[]
  readonly failed: boolean
}

/** One for each pair of stations and direction. `hops`: numbers of the hops that end there. */
export interface GraphEdge {
  readonly from: string
  readonly to: string
  readonly direction: Leg['direction']
  readonly hops: readonly number[]
}

export function graphOf(trace: Trace): Graph {
  const journey = trace.branches[0]?.journey ?? { boxes: [], stops: [] }
  const ids = new Map([...stationNumbers(journey)].map(([id, n]) => [id, `s${n}`] as const))
  const failed = failedStation(journey)
  const boxes = journey.boxes.map(
    (box): GraphBox => ({
      label: box.kind === box.name ? box.name : `${box.kind} ${box.name}`,
      wire: box.kind === 'wire',
      stations: box.stations.map((s) => ({ id: ids.get(s.id) ?? '', lines: stationLines(s), failed: s.id === failed })),
    }),
  )
  return { boxes, edges: edgesOf(journey, ids) }
}

const stationLines = ({ name, device, kind }: Station): readonly string[] => {
  const what = device === undefined || device === 'physical' ? kind : device
  return what === 'stack' || what === 'machine' ? [name] : [name, what]
}

/** Stations by id, numbered from 0 box by box. */
export const stationNumbers = ({ boxes }: Journey): ReadonlyMap<string, number> =>
  new Map(boxes.flatMap((b) => b.stations).map((s, i) => [s.id, i] as const))

export const failedStation = ({ stops }: Journey): string | undefined => stops.find((s) => s.failed)?.stations.at(-1)

function edgesOf({ stops }: Journey, ids: ReadonlyMap<string, string>): readonly GraphEdge[] {
  const edges = new Map<string, GraphEdge & { readonly hops: number[] }>()
  for (const direction of ['forward', 'reply'] as const) {
    let from: string | undefined
    for (const { hop, stations } of stops.filter((s) => s.direction === direction)) {
      for (const station of stations) {
        const to = ids.get(station) ?? ''
        if (from !== undefined && from !== to) {
          const key = `${direction} ${from} ${to}`
          const edge = edges.get(key) ?? { from, to, direction, hops: [] }
          edges.set(key, edge)
          if (hop.n !== undefined && !edge.hops.includes(hop.n)) edge.hops.push(hop.n)
        }
        from = to
      }
    }
  }
  return [...edges.values()]
}
