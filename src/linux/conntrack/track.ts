import { protocolNumber } from '../../packet/packet.ts'
import type { Skb } from '../skb.ts'
import type { Connection, ConntrackInfo, Tuple } from './connection.ts'
import type { ConntrackEnvironment } from './environment.ts'
import { quotedBy, relateError } from './icmp-error.ts'
import { trackProtocol } from './protocol.ts'
import type { Found } from './table.ts'
import { conntrackSetting } from './timeout.ts'
import { invertTuple, isIcmpProtocol, tupleKey, tupleOf } from './tuple.ts'

export type TrackResult =
  | { readonly kind: 'tracked'; readonly skb: Skb }
  /** Too many connections, and none that may be thrown out. */
  | { readonly kind: 'table-full'; readonly max: number }

/** nf_conntrack_in: to which connection the packet belongs, and how. A packet that was placed before is left alone. */
export function track(skb: Skb, env: ConntrackEnvironment): TrackResult {
  if (skb.connection !== undefined || skb.ctinfo?.state === 'UNTRACKED') return { kind: 'tracked', skb }
  const { message } = skb.packet.payload.kind === 'icmp' ? skb.packet.payload : { message: undefined }
  if (message?.kind === 'neighbour-solicitation' || message?.kind === 'neighbour-advertisement') {
    return placed(skb, undefined, { state: 'UNTRACKED' }, env)
  }
  if (message && quotedBy(message)) {
    const related = relateError(skb.packet, env)
    if (typeof related === 'string') return unplaced(skb, related, env)
    return placed(skb, related.connection, { state: 'RELATED', direction: related.direction }, env)
  }
  const tuple = tupleOf(skb.packet)
  if (!tuple) return unplaced(skb, noTuple(skb), env)
  return trackTuple(skb, tuple, env)
}

function trackTuple(skb: Skb, tuple: Tuple, env: ConntrackEnvironment): TrackResult {
  const max = conntrackSetting(env.sysctl, 'max')
  const known = lookUp(env, tuple)
  if (!known && max > 0 && env.table.size() >= max && !evict(env)) return { kind: 'table-full', max }
  const { connection, direction } = known ?? { connection: begin(tuple, env), direction: 'original' as const }
  const outcome = trackProtocol(connection, skb.packet, direction, env)
  switch (outcome.kind) {
    case 'invalid':
      return unplaced(skb, outcome.why, env)
    case 'repeat':
      destroy(connection, 'reopened', env)
      return trackTuple(skb, tuple, env)
    case 'destroy':
      destroy(connection, outcome.why, env)
      break
    case 'ok':
      break
  }
  const established = direction === 'reply' || connection.seenReply
  if (direction === 'reply') connection.seenReply = true
  return placed(skb, connection, { state: established ? 'ESTABLISHED' : 'NEW', direction }, env)
}

/** Finds a tuple among the confirmed connections, telling of one that turns out to have expired. */
export const lookUp = (env: ConntrackEnvironment, tuple: Tuple): Found | undefined =>
  env.table.find(tuple, env.now, (c) => env.emit({ kind: 'conntrack-destroy', connection: c.id, why: 'timed out' }))

function begin(original: Tuple, env: ConntrackEnvironment): Connection {
  return {
    id: env.table.nextId(),
    original,
    reply: invertTuple(original),
    confirmed: false,
    seenReply: false,
    assured: false,
    natDone: { src: false, dst: false },
    mark: 0,
    tcpState: 'none',
    expires: Number.POSITIVE_INFINITY,
  }
}

/** early_drop: the oldest connection that is not assured makes room (the kernel looks at a few hash buckets alone). */
function evict(env: ConntrackEnvironment): boolean {
  const oldest = env.table.all().find((c) => c.expires <= env.now || !c.assured)
  if (oldest) destroy(oldest, 'evicted: the table is full', env)
  return oldest !== undefined
}

export function destroy(c: Connection, why: string, env: ConntrackEnvironment): void {
  env.table.remove(c)
  env.emit({ kind: 'conntrack-destroy', connection: c.id, why })
}

function placed(
  skb: Skb,
  connection: Connection | undefined,
  ctinfo: ConntrackInfo,
  env: ConntrackEnvironment,
): TrackResult {
  env.emit({
    kind: 'conntrack',
    hook: env.hook,
    state: ctinfo.state,
    ...('direction' in ctinfo && { direction: ctinfo.direction }),
    ...(connection && { connection: connection.id }),
  })
  return { kind: 'tracked', skb: { ...skb, connection, ctinfo } }
}

function unplaced(skb: Skb, why: string, env: ConntrackEnvironment): TrackResult {
  env.emit({ kind: 'conntrack', hook: env.hook, state: 'INVALID', why })
  return { kind: 'tracked', skb: { ...skb, connection: undefined, ctinfo: { state: 'INVALID' } } }
}

function noTuple({ packet }: Skb): string {
  if (packet.payload.kind === 'fragment') return 'a fragment without the ports of its packet'
  return isIcmpProtocol(protocolNumber(packet)) ? 'an ICMP message that is neither echo nor error' : 'no known header'
}

/** Whether two connections are the same flow with the same translation. */
export const sameFlow = (a: Connection, b: Connection): boolean =>
  tupleKey(a.original) === tupleKey(b.original) && tupleKey(a.reply) === tupleKey(b.reply)
