import { compareIps } from '../net/ip.ts'
import type { Prefix } from '../net/prefix.ts'
import { applyChange } from './apply-change.ts'
import type { PathAttributes } from './attributes.ts'
import { bestOf, type Candidate, mergeable } from './best-path.ts'
import type { Change } from './change.ts'
import { connect, sessionPair } from './connect.ts'
import { Fabric, localIndex } from './fabric.ts'
import { kernelRoute } from './kernel-routes.ts'
import { nodeNamed, sessionNamed } from './named.ts'
import type { Network } from './network.ts'
import { forEachSession, type SpeakerNode, sessionAt } from './node.ts'
import type { KernelRoute, PathTarget, RibPath, Run, SessionStatus } from './outcome.ts'
import { none } from './rib.ts'
import { type RunOptions, runRounds } from './rounds.ts'
import { isInternal } from './session.ts'
import type { Speaker } from './speaker.ts'

/** Speakers that have told each other everything. Answers are worked out when asked for; `apply` changes them. */
export interface Convergence {
  /** What it took from the start. */
  readonly run: Run
  readonly speakers: () => readonly Speaker[]
  readonly sessions: (speaker: string) => readonly SessionStatus[]
  /** Loc-RIB with every path that was accepted, sorted by prefix, the best first. */
  readonly routes: (speaker: string) => readonly RibPath[]
  /** What BIRD has in the kernel table, sorted by prefix. Of a killed or stopped speaker: what it left there. */
  readonly kernelRoutes: (speaker: string) => readonly KernelRoute[]
  /** Adj-RIB-Out of one session. */
  readonly advertised: (speaker: string, session: string) => readonly Advertised[]
  /** UPDATE messages that the speaker has sent since the start. */
  readonly updatesSent: (speaker: string) => number
  /** Changes that happen at once, and what the network then says until it is quiet again. */
  readonly apply: (changes: readonly Change[], options?: RunOptions) => Run
}

export interface Advertised {
  readonly prefix: Prefix
  readonly attributes: PathAttributes
}

/** Starts all speakers at once and lets them talk until nobody has news. Throws on two speakers with one id. */
export function converge(speakers: readonly Speaker[], network: Network, options: RunOptions = {}): Convergence {
  const fabric = new Fabric(network)
  const prefixes = speakers.reduce((n, s) => n + s.routes.length, 0)
  for (const speaker of speakers) fabric.add(speaker, Math.min(prefixes, 1 << 20))
  connect(fabric)
  const run = runRounds(fabric, options)
  return {
    run,
    speakers: () => fabric.nodes.map((node) => node.speaker),
    sessions: (id) => sessionsOf(fabric, nodeNamed(fabric, id)),
    routes: (id) => ribOf(fabric, nodeNamed(fabric, id)),
    kernelRoutes: (id) => kernelRoutesOf(fabric, nodeNamed(fabric, id)),
    advertised: (id, session) => advertisedTo(fabric, nodeNamed(fabric, id), session),
    updatesSent: (id) => nodeNamed(fabric, id).updatesSent,
    apply: (changes, opts = {}) => {
      for (const change of changes) applyChange(fabric, change, (node) => kernelRoutesOf(fabric, node))
      connect(fabric)
      return runRounds(fabric, opts)
    },
  }
}

function sessionsOf(fabric: Fabric, node: SpeakerNode): readonly SessionStatus[] {
  const found: SessionStatus[] = []
  forEachSession(node.speaker, (session, { settings }, neighbor) => {
    const { remote } = sessionPair(fabric, node, session) ?? {}
    const status = node.status.get(session)
    const idle = { state: 'Idle', info: '' } as const
    found.push({
      name: neighbor.name,
      neighbor,
      settings,
      type: isInternal({ speaker: node.speaker, settings, neighbor }) ? 'ibgp' : 'ebgp',
      ...(remote && { peer: remote.speaker.id }),
      ...(node.running !== 'up' ? { state: 'Down', info: '' } : node.isUp(session) ? up : (status ?? idle)),
    })
  })
  return found
}

const up = { state: 'Established', info: '' } as const

function ribOf(fabric: Fabric, node: SpeakerNode): readonly RibPath[] {
  if (node.running !== 'up') return []
  return numbersByPrefix(fabric, node).flatMap((number) => {
    const candidates = fabric.candidates(node, number)
    const best = bestOf(candidates)
    const merged = best && node.speaker.kernel?.mergePaths ? mergeable(best, candidates) : []
    const prefix = fabric.tables.prefixes.at(number)
    return candidates
      .map((c) => ribPath(node, prefix, c, c === best, merged.includes(c)))
      .sort((a, b) => Number(b.best) - Number(a.best) || (a.protocol < b.protocol ? -1 : 1))
  })
}

function ribPath(node: SpeakerNode, prefix: Prefix, c: Candidate, best: boolean, merged: boolean): RibPath {
  return {
    prefix,
    protocol: protocolOf(node, c.source),
    source: c.route.source,
    best,
    merged,
    preference: c.route.preference,
    target: targetOf(c),
    ...(c.route.source === 'kernel' && { kernel: { protocol: c.route.protocol ?? 3, metric: c.route.metric ?? 0 } }),
    ...(c.bgp && { attributes: c.bgp.attributes, from: c.bgp.address }),
  }
}

function targetOf({ route, bgp }: Candidate): PathTarget {
  const { target } = route
  if (target?.kind === 'gateway') return { kind: 'unicast', device: target.device, gateway: target.gateway }
  if (target?.kind === 'device') return { kind: 'unicast', device: target.device }
  if (target) return { kind: target.kind }
  if (!bgp?.resolution) return { kind: 'unreachable' }
  return { kind: 'unicast', gateway: bgp.attributes.nextHop, ...bgp.resolution }
}

/** BIRD numbers unnamed protocols; there is one of each kind. */
function protocolOf({ speaker }: SpeakerNode, source: number): string {
  return source >= 0 ? sessionAt(speaker, source).neighbor.name : `${speaker.routes[localIndex(source)]?.source}1`
}

function kernelRoutesOf(fabric: Fabric, node: SpeakerNode): readonly KernelRoute[] {
  if (node.running !== 'up') return node.leftBehind
  const { kernel = {} } = node.speaker
  return numbersByPrefix(fabric, node).flatMap((number) => {
    const prefix = fabric.tables.prefixes.at(number)
    return kernelRoute(prefix, fabric.candidates(node, number), kernel, (source) => protocolOf(node, source)) ?? []
  })
}

function numbersByPrefix({ tables }: Fabric, { rib }: SpeakerNode): readonly number[] {
  const numbers: number[] = []
  for (let number = 0; number < rib.size; number++) if (rib.first(number) !== none) numbers.push(number)
  return numbers.sort((a, b) => comparePrefixes(tables.prefixes.at(a), tables.prefixes.at(b)))
}

export const comparePrefixes = (a: Prefix, b: Prefix): number => compareIps(a.address, b.address) || a.length - b.length

function advertisedTo(fabric: Fabric, node: SpeakerNode, name: string): readonly Advertised[] {
  const session = sessionNamed(node, name)
  if (!node.isUp(session)) return []
  const found: Advertised[] = []
  for (const [prefix, { from, values }] of node.adverts) {
    const value = from === session ? none : (values[node.classNumber(session)] ?? none)
    if (value === none) continue
    found.push({ prefix: fabric.tables.prefixes.at(prefix), attributes: fabric.tables.attributes.at(value) })
  }
  return found.sort((a, b) => comparePrefixes(a.prefix, b.prefix))
}
