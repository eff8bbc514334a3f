import { formatPacket } from '../../packet/format.ts'
import { packetLength } from '../../packet/length.ts'
import type { IpPacket } from '../../packet/packet.ts'
import type { Stop } from '../../trace/journey.ts'
import { placeName, type ShownStep, shownSteps, trivialSummary } from '../text.ts'

/** What a picture tells of one stop. */
export interface StopText {
  /** `12`, or empty for a wire. */
  readonly number: string
  /** `PREROUTING`. */
  readonly place: string
  readonly node: string | undefined
  readonly summary: string
  readonly packetIn: string | undefined
  readonly packetOut: string | undefined
  readonly steps: readonly ShownStep[]
}

export function stopText({ hop }: Stop, detail: 0 | 1 | 2): StopText {
  const steps = shownSteps(hop, detail)
  return {
    number: hop.n === undefined ? '' : String(hop.n),
    place: placeName(hop.place),
    node: hop.node,
    summary: shownSteps(hop, 0).length === 0 ? trivialSummary(hop) : '',
    packetIn: hop.packetIn && packetText(hop.packetIn),
    packetOut: hop.packetOut && packetText(hop.packetOut),
    steps,
  }
}

const packetText = (packet: IpPacket): string =>
  `${formatPacket(packet)}  len ${packetLength(packet)} ttl ${packet.ttl}`

/** One line per step, the evidence beneath it. */
export const stepLines = (step: ShownStep): readonly string[] => [
  `${step.outer ? 'outer ' : ''}${step.label}  ${step.text}`,
  ...(step.evidence ?? []).map((line) => `    ${line}`),
]
