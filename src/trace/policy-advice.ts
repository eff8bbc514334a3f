import type { Cluster } from '../cluster/cluster.ts'
import type { ClusterEvent } from '../cluster/process.ts'
import type { DropEvent } from '../linux/event.ts'
import type { Protocol } from '../net/port.ts'
import type { IpPacket } from '../packet/packet.ts'
import { nearestMisses } from '../policy/decision.ts'
import { evaluate } from '../policy/evaluate.ts'
import { nearMissSentence } from '../policy/sentence.ts'
import { policiesOf } from './policy-note.ts'
import type { Branch, Note } from './trace.ts'

/** Where a policy's rules dropped a packet: the nearest misses of the policies behind them, found by meaning. */
export function policyAdvice(cluster: Cluster, branches: readonly Branch[]): readonly Note[] {
  const notes = branches.flatMap((branch) => {
    const { reason } = branch.verdict
    if (reason !== 'policy-ingress' && reason !== 'policy-egress') return []
    const packet = lostPacket(branch)
    if (!packet) return []
    const direction = reason === 'policy-ingress' ? 'ingress' : 'egress'
    return misses(cluster, packet, direction).map((message): Note => ({ level: 'info', code: reason, message }))
  })
  return notes.filter((n, i) => notes.findIndex((m) => m.message === n.message) === i)
}

/** What the rules saw: after DNAT, before any masquerade. */
export function lostPacket(branch: Branch): IpPacket | undefined {
  const events: readonly ClusterEvent[] = branch.legs.flatMap((l) => l.hops.flatMap((h) => h.steps.map((s) => s.event)))
  const drop = events.findLast((e): e is DropEvent => e.kind === 'drop')
  return drop?.packet
}

function misses(cluster: Cluster, packet: IpPacket, direction: 'ingress' | 'egress'): readonly string[] {
  const protocol = protocolOf(packet)
  if (protocol === undefined) return []
  const known = policiesOf(cluster)
  const { payload, src, dst } = packet
  const port = 'dstPort' in payload ? payload.dstPort : undefined
  const decision = evaluate(known.policies, {
    from: known.endAt(src),
    to: known.endAt(dst),
    protocol,
    ...(port === undefined ? {} : { port }),
  })
  return nearestMisses(decision[direction]).map(({ policy, miss }) => nearMissSentence(policy.object, miss))
}

function protocolOf({ payload, src }: IpPacket): Protocol | undefined {
  switch (payload.kind) {
    case 'tcp':
    case 'udp':
    case 'sctp':
      return payload.kind
    case 'icmp':
      return src.includes(':') ? 'icmpv6' : 'icmp'
    default:
      return undefined
  }
}
