import type { NetnsId } from '../cluster/machine.ts'

/** What became of one probe, in lines that a prediction and a real kernel can share. Lines are in order of time. */
export interface Observation {
  /** As the application sees it: `connected`, `error ECONNREFUSED`, `icmp 3/3 from 10.244.0.1`, `time-out`. */
  readonly outcome: string
  /** Processes that were reached: `shop/web-1 10.244.1.2:8080 from 10.244.0.2:40001`. */
  readonly served: readonly string[]
  /** Packets at devices, per namespace. */
  readonly devices: Lines
  /** Runs of base chains with the rules that matched, per namespace. */
  readonly chains: Lines
  /** Lines of `chains` that stand in no certain place: a rule that rejects is traced after it has answered. */
  readonly late?: ReadonlySet<string>
  /** Rules of IPv4 with the packets that each matched, sorted: for a kernel that counts them and traces none. */
  readonly matched: Lines
  /** Connections that the namespace knows afterwards, sorted. */
  readonly connections: Lines
}

export type Lines = ReadonlyMap<NetnsId, readonly string[]>

export const silent = 'time-out'

/** Adds a line to those of a namespace. */
export function addLine(lines: Map<NetnsId, string[]>, netns: NetnsId, line: string): void {
  const known = lines.get(netns)
  if (known) known.push(line)
  else lines.set(netns, [line])
}
