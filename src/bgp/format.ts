import { formatPrefix } from '../net/prefix.ts'
import type { Convergence } from './converge.ts'
import type { RibPath, SessionStatus } from './outcome.ts'
import type { Speaker } from './speaker.ts'

/** Clock of the listings, `08:44:14`. There is no time in a convergence, so the caller names one. */
export interface Clock {
  readonly since: string
}

/**
 * `birdc show protocols` as Calico's BIRD (1.6) prints it: columns of 8, 8, 8, 6 and 11, never cut; the information of a
 * BGP session is its state (13 wide) and the last error.
 */
export function formatProtocols(sessions: readonly SessionStatus[], { since }: Clock): string {
  const own = ['static1 Static', 'kernel1 Kernel', 'device1 Device', 'direct1 Direct']
  const lines = own.map((protocol) => {
    const [name = '', proto = ''] = protocol.split(' ')
    return line(name, proto, 'up', since, '')
  })
  const header = line('name', 'proto', 'state', 'since', 'info', 'table')
  return [header, ...lines, ...sessions.map((s) => sessionLine(s, since))].map((l) => `${l}\n`).join('')
}

function sessionLine({ name, state, info }: SessionStatus, since: string): string {
  const protocolState = state === 'Established' ? 'up' : state === 'Down' ? 'down' : 'start'
  return line(name, 'BGP', protocolState, since, `${state.padEnd(13)} ${info}`)
}

const line = (name: string, proto: string, state: string, since: string, info: string, table = 'master'): string =>
  [name.padEnd(8), proto.padEnd(8), table.padEnd(8), state.padEnd(6), since.padEnd(11), info].join(' ')

/** `birdc show route`: one line for each path. */
export const formatRoutes = (paths: readonly RibPath[], clock: Clock): string =>
  paths.map((path) => `${routeLine(path, clock)}\n`).join('')

/** `birdc show route all`: with the attributes below each path. */
export const formatRoutesAll = (paths: readonly RibPath[], clock: Clock): string =>
  paths.map((path) => [routeLine(path, clock), ...attributeLines(path)].map((l) => `${l}\n`).join('')).join('')

function routeLine(path: RibPath, { since }: Clock): string {
  const { target, from } = path
  const direct = from === undefined || (target.kind === 'unicast' && target.gateway === from)
  const by = `[${path.protocol} ${since}${direct ? '' : ` from ${from}`}]`
  const words = [formatPrefix(path.prefix).padEnd(18), targetText(path), by, ...(path.best ? ['*'] : []), rank(path)]
  const { attributes } = path
  if (!attributes) return words.join(' ')
  const last = attributes.asPath.at(-1)
  return `${words.join(' ')} [${last === undefined ? '' : `AS${last}`}${originLetter[attributes.origin]}]`
}

const originLetter = { igp: 'i', egp: 'e', incomplete: '?' } as const

function targetText({ target }: RibPath): string {
  if (target.kind !== 'unicast') return target.kind
  return target.gateway === undefined ? `dev ${target.device}` : `via ${target.gateway} on ${target.device}`
}

/** Preference, for BGP with the IGP metric: `?` unknown, `-` without a next hop. */
function rank({ preference, attributes, target }: RibPath): string {
  if (!attributes) return `(${preference})`
  return `(${preference}/${target.kind === 'unicast' ? (target.metric ?? '?') : '-'})`
}

const typeNames = { static: 'static', direct: 'device', kernel: 'inherit', bgp: 'BGP' } as const

function attributeLines({ source, kernel, attributes: a }: RibPath): readonly string[] {
  const type = `\tType: ${typeNames[source]} unicast univ`
  if (kernel) return [type, `\tKernel.source: ${kernel.protocol}`, `\tKernel.metric: ${kernel.metric}`]
  if (!a) return [type]
  const [standard, large] = [2, 3].map((parts) =>
    (a.communities ?? []).filter((c) => c.length === parts).map((c) => ` (${c.join(parts === 2 ? ',' : ', ')})`),
  )
  return [
    type,
    `\tBGP.origin: ${a.origin === 'incomplete' ? 'Incomplete' : a.origin.toUpperCase()}`,
    `\tBGP.as_path:${a.asPath.map((as) => ` ${as}`).join('')}`,
    `\tBGP.next_hop: ${a.nextHop}`,
    ...(a.med === undefined ? [] : [`\tBGP.med: ${a.med}`]),
    ...(a.localPref === undefined ? [] : [`\tBGP.local_pref: ${a.localPref}`]),
    ...(standard?.length ? [`\tBGP.community:${standard.join('')}`] : []),
    ...(a.originatorId === undefined ? [] : [`\tBGP.originator_id: ${a.originatorId}`]),
    ...(a.clusterList ? [`\tBGP.cluster_list:${a.clusterList.map((c) => ` ${c}`).join('')}`] : []),
    ...(large?.length ? [`\tBGP.large_community:${large.join('')}`] : []),
  ]
}

/** Both listings of one speaker, as two calls of birdc. */
export const formatSpeaker = (convergence: Convergence, speaker: Speaker, clock: Clock): string =>
  `${formatProtocols(convergence.sessions(speaker.id), clock)}\n${formatRoutes(convergence.routes(speaker.id), clock)}`
