import type { Convergence } from '../bgp/converge.ts'
import type { SessionStatus } from '../bgp/outcome.ts'
import type { Speaker } from '../bgp/speaker.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { familyOf, type Ip } from '../net/ip.ts'
import { formatPrefix, type Prefix, prefixContains } from '../net/prefix.ts'
import { lostPacket } from './policy-advice.ts'
import type { Branch, Note } from './trace.ts'

/** Where a packet was lost for want of a route that BGP should have brought: the session or filter that did not. */
export function bgpAdvice(cluster: Cluster, branches: readonly Branch[]): readonly Note[] {
  const { bgp } = cluster
  if (!bgp) return []
  const notes = branches
    .filter((b) => b.verdict.result !== 'delivered')
    .flatMap((branch) => routedAt(branch).flatMap(({ node, dst }) => missing(bgp(familyOf(dst)), node, dst) ?? []))
    .map((message): Note => ({ level: 'info', code: 'bgp-route-missing', message }))
  return notes.filter((n, i) => notes.findIndex((m) => m.message === n.message) === i)
}

interface Routed {
  readonly node: string
  readonly dst: Ip
}

/** Each node that looked a destination up, and what it looked for. */
function routedAt(branch: Branch): readonly Routed[] {
  const found = branch.legs.flatMap((leg) =>
    leg.hops.flatMap((hop) => {
      const { node } = hop
      if (node === undefined || hop.place.kind === 'machine') return []
      return hop.steps.flatMap(({ event }): Routed[] =>
        event.kind === 'route' ? [{ node, dst: event.packet.dst }] : [],
      )
    }),
  )
  const lost = lostPacket(branch)
  const at = branch.verdict.place?.node
  return lost && at !== undefined ? [...found, { node: at, dst: lost.dst }] : found
}

function missing(bgp: Convergence, node: string, dst: Ip): string | undefined {
  const speakers = bgp.speakers()
  const owner = speakers.find((s) => s.id !== node && originates(s, dst))
  if (!owner || !speakers.some((s) => s.id === node)) return undefined
  if (bgp.kernelRoutes(node).some((r) => r.kind === 'unicast' && prefixContains(r.prefix, dst))) return undefined
  const prefix = originates(owner, dst)
  // A route that BIRD has but leaves to Felix is not missing.
  if (!prefix || bgp.routes(node).some((r) => r.source === 'bgp' && prefixContains(r.prefix, dst))) return undefined
  return `${node} has no BGP route to ${formatPrefix(prefix)} of ${owner.id}: ${because(bgp, node, owner, prefix)}`
}

/** The block of a speaker that holds the address; not what it announces of Services. */
const originates = (speaker: Speaker, dst: Ip): Prefix | undefined =>
  speaker.routes.find((r) => r.source === 'kernel' && r.target.kind === 'device' && prefixContains(r.prefix, dst)) &&
  (speaker.routes.find((r) => r.source === 'static' && prefixContains(r.prefix, dst))?.prefix ??
    speaker.routes.find((r) => r.source === 'kernel' && prefixContains(r.prefix, dst))?.prefix)

function because(bgp: Convergence, node: string, owner: Speaker, prefix: Prefix): string {
  const sessions = bgp.sessions(node)
  const direct = sessions.find((s) => s.peer === owner.id || owner.addresses.includes(s.neighbor.address))
  if (direct)
    return direct.state === 'Established' ? filtered(bgp, node, owner, direct, prefix) : down(bgp, node, direct)
  if (sessions.length === 0)
    return `${node} has no BGP session: the node-to-node mesh leaves it out and no BGPPeer selects it`
  return reflected(bgp, node, owner, sessions, prefix)
}

/** The side that waits for the other does not know why; the other does. */
function down(bgp: Convergence, node: string, session: SessionStatus): string {
  const { name, peer, because: why } = session
  const far = peer === undefined ? undefined : bgp.sessions(peer).find((s) => s.peer === node)
  const other = far === undefined ? '' : `, on ${peer} ${stateOf(far)}`
  const reason = why ?? far?.because
  return `session ${name} is ${stateOf(session)}${other}${reason === undefined ? '' : `: ${reason}`}`
}

const stateOf = ({ state, info }: SessionStatus): string => `${state}${info === '' ? '' : ` (${info})`}`

function filtered(bgp: Convergence, node: string, owner: Speaker, session: SessionStatus, prefix: Prefix): string {
  const back = bgp.sessions(owner.id).find((s) => s.peer === node)
  const sent = back && bgp.advertised(owner.id, back.name).some((a) => same(a.prefix, prefix))
  return sent
    ? `session ${session.name} is Established and ${owner.id} announces it: the import filter of ${session.name} on ${node} rejects it`
    : `session ${session.name} is Established, but the export filter of ${back?.name ?? 'the session'} on ${owner.id} rejects it`
}

/** No session with the owner: the speakers in between should have passed it on. */
function reflected(
  bgp: Convergence,
  node: string,
  owner: Speaker,
  sessions: readonly SessionStatus[],
  prefix: Prefix,
): string {
  const notUp = sessions.filter((s) => s.state !== 'Established')
  const [first] = notUp
  if (first && notUp.length === sessions.length) return down(bgp, node, first)
  const between = sessions.flatMap((s) =>
    s.peer !== undefined && s.state === 'Established' ? [{ name: s.name, peer: s.peer }] : [],
  )
  const holder = between.find(({ peer }) => bgp.routes(peer).some((r) => same(r.prefix, prefix)))
  if (!holder) {
    const names = between.map((b) => b.peer).join(', ')
    const own = bgp.sessions(owner.id)
    if (own.length === 0) return `${owner.id} has no BGP session at all`
    return `its peers (${names}) do not have it either; sessions of ${owner.id}: ${own.map((s) => `${s.name} ${s.state}`).join(', ')}`
  }
  const toNode = bgp.sessions(holder.peer).find((s) => s.peer === node)
  const client = toNode?.settings.rrClient === true
  return client
    ? `${holder.peer} has it and ${node} is its client, but the export filter of ${toNode.name} rejects it`
    : `${holder.peer} has it, but passes nothing on between peers inside the AS, for it is no route reflector to them (no routeReflectorClusterID on ${holder.peer}, or the same one on both)`
}

const same = (a: Prefix, b: Prefix): boolean => a.address === b.address && a.length === b.length
