import type { Visit } from '../cluster/loop.ts'
import type { NetnsId } from '../cluster/machine.ts'
import { packetFamily } from '../packet/packet.ts'
import { addLine, type Lines } from './observation.ts'
import type { ProbeReply } from './observer-message.ts'

const line = (rule: string, packets: number): string => `${rule}: ${packets} packet${packets === 1 ? '' : 's'}`

/** How many packets each rule of the IPv4 tables has matched, as counters tell: `nat KUBE-SERVICES#3: 2 packets`, sorted. */
export function matchedIn(visits: readonly Visit[]): Lines {
  const counts = new Map<NetnsId, Map<string, number>>()
  for (const { netns, events } of visits) {
    const mine = counts.get(netns) ?? new Map<string, number>()
    counts.set(netns, mine)
    let table: string | undefined
    for (const event of events) {
      if (event.kind === 'stage')
        table = event.stage === 'nftables' || packetFamily(event.packet) === 'ipv6' ? undefined : event.stage
      if (event.kind !== 'rule' || table === undefined) continue
      const rule = `${table} ${event.chain}#${event.index}`
      mine.set(rule, (mine.get(rule) ?? 0) + 1)
    }
  }
  const lines = [...counts].map(([id, mine]) => [id, [...mine].map(([rule, n]) => line(rule, n)).toSorted()] as const)
  return new Map(lines.filter(([, mine]) => mine.length > 0))
}

/** The same, of a kernel whose rules were counted. */
export function matchedOf({ matched }: ProbeReply, idOf: (name: string) => NetnsId): Lines {
  const lines = new Map<NetnsId, string[]>()
  for (const [name, rules] of Object.entries(matched))
    for (const [table, chain, place, packets] of rules)
      addLine(lines, idOf(name), line(`${table} ${chain}#${place}`, packets))
  return new Map([...lines].map(([id, mine]) => [id, mine.toSorted()]))
}
