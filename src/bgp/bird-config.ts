import { type Family, families, familyOf } from '../net/ip.ts'
import { formatPrefix, prefixFamily } from '../net/prefix.ts'
import { acceptAll, type Filter } from './filter.ts'
import { type FilterText, formatFunctions, formatStatements } from './format-filter.ts'
import { forEachSession } from './node.ts'
import { localAddress } from './peer-class.ts'
import { isInternal, isPassive, localAsOf } from './session.ts'
import type { LocalRoute, Neighbor, PeerSettings, Speaker } from './speaker.ts'

/**
 * `bird.conf` for BIRD 2 (2.0.12): the daemon then does what the speaker does here. Direct and kernel routes are found by
 * BIRD itself; only static ones are written. `krt_tunnel`, which BIRD 2 does not have, is left out.
 */
export function formatBirdConfig(speaker: Speaker): string {
  const used = families.filter((family) => speaker.addresses.some((a) => familyOf(a) === family))
  const filters = [
    speaker.kernel?.exportFilter ?? [],
    ...speaker.peers.flatMap(({ settings }) => [settings.importFilter ?? [], settings.exportFilter ?? []]),
  ]
  const blocks = [
    [`router id ${speaker.routerId};`],
    ...formatFunctions(filters, 'bird2').map((text) => [text]),
    ['protocol device {', '  scan time 2;', '}'],
    ['protocol direct direct1 {', ...used.map((f) => `  ${f};`), '}'],
    ...used.map((family, i) => kernelBlock(speaker, family, i + 1)),
    ...used.map((family, i) => staticBlock(speaker, family, i + 1)),
    ...bgpBlocks(speaker),
  ]
  return `${blocks.map((lines) => lines.join('\n')).join('\n\n')}\n`
}

function kernelBlock({ kernel = {} }: Speaker, family: Family, n: number): readonly string[] {
  const text: FilterText = { dialect: 'bird2', internalPeer: 'false' }
  return [
    `protocol kernel kernel${n} {`,
    `  ${family} {`,
    '    import all;',
    ...filterLines('export', kernel.exportFilter ?? acceptAll, text),
    '  };',
    '  learn;',
    '  persist;',
    '  scan time 2;',
    // 0 lets krt_metric decide; the default is 32.
    '  metric 0;',
    ...(kernel.mergePaths ? ['  merge paths on;'] : []),
    '}',
  ]
}

function staticBlock({ routes }: Speaker, family: Family, n: number): readonly string[] {
  const own = routes.filter((r) => r.source === 'static' && prefixFamily(r.prefix) === family)
  const lines = own.map((r) => `  route ${formatPrefix(r.prefix)} ${targetText(r)};`)
  return [`protocol static static${n} {`, `  ${family};`, ...lines, '}']
}

function targetText({ target }: LocalRoute): string {
  if (target.kind === 'device') return `via "${target.device}"`
  return target.kind === 'gateway' ? `via ${target.gateway}` : target.kind
}

function bgpBlocks(speaker: Speaker): readonly (readonly string[])[] {
  const blocks: (readonly string[])[] = []
  forEachSession(speaker, (_session, { settings }, neighbor) => blocks.push(bgpBlock(speaker, settings, neighbor)))
  return blocks
}

function bgpBlock(speaker: Speaker, settings: PeerSettings, neighbor: Neighbor): readonly string[] {
  const local = localAddress(speaker, settings, neighbor)
  const end = { speaker, settings, neighbor }
  const lines = [
    ...(settings.description === undefined ? [] : [`description "${settings.description}";`]),
    `local ${[local, portText(speaker.listen?.port), `as ${localAsOf(end)}`].filter(Boolean).join(' ')};`,
    `neighbor ${[neighbor.address, portText(neighbor.port), `as ${neighbor.as}`].filter(Boolean).join(' ')};`,
    ...sessionLines(settings, isInternal(end)),
    ...(local !== undefined && isPassive({ ...end, local }) ? ['passive on;'] : []),
    ...timerLines(speaker, settings),
    ...routeLines(settings),
    ...channelLines(settings, neighbor, isInternal(end)),
  ]
  return [`protocol bgp '${neighbor.name}' {`, ...lines.map((l) => `  ${l}`), '}']
}

const portText = (port: number | undefined): string => (port === undefined ? '' : `port ${port}`)

function sessionLines({ multihop, ttlSecurity, password }: PeerSettings, internal: boolean): readonly string[] {
  const hops = typeof multihop === 'number' ? `multihop ${multihop};` : 'multihop;'
  return [
    multihop || internal ? hops : 'direct;',
    ...(ttlSecurity ? ['ttl security on;'] : []),
    ...(password === undefined ? [] : [`password "${password}";`]),
  ]
}

function timerLines({ holdTime }: Speaker, { keepalive, gracefulRestart }: PeerSettings): readonly string[] {
  return [
    ...(holdTime === undefined ? [] : [`hold time ${holdTime};`]),
    ...(keepalive === undefined ? [] : [`keepalive time ${keepalive};`]),
    `graceful restart ${gracefulRestart ? 'on' : 'off'};`,
    ...(typeof gracefulRestart === 'number' ? [`graceful restart time ${gracefulRestart};`] : []),
    'connect delay time 1;',
    'connect retry time 5;',
    'error wait time 5, 30;',
  ]
}

function routeLines({ rrClient, clusterId, localPref, allowLocalAs }: PeerSettings): readonly string[] {
  return [
    'deterministic med on;',
    ...(rrClient ? ['rr client;'] : []),
    ...(clusterId === undefined ? [] : [`rr cluster id ${clusterId};`]),
    ...(localPref === undefined ? [] : [`default bgp_local_pref ${localPref};`]),
    ...(allowLocalAs === undefined ? [] : [`allow local as ${allowLocalAs};`]),
  ]
}

function channelLines(settings: PeerSettings, neighbor: Neighbor, internal: boolean): readonly string[] {
  const text: FilterText = { dialect: 'bird2', internalPeer: internal ? 'true' : 'false' }
  const { nextHop = 'auto' } = settings
  return [
    `${familyOf(neighbor.address)} {`,
    ...filterLines('import', settings.importFilter ?? acceptAll, text).map((l) => l.slice(2)),
    ...filterLines('export', settings.exportFilter ?? acceptAll, text).map((l) => l.slice(2)),
    ...(nextHop === 'auto' ? [] : [`  next hop ${nextHop};`]),
    '  gateway recursive;',
    '};',
  ]
}

const filterLines = (direction: 'import' | 'export', filter: Filter, text: FilterText): readonly string[] => [
  `    ${direction} filter {`,
  ...formatStatements(filter, text, '      '),
  // BIRD wants a decision; falling off the end rejects.
  '      reject;',
  '    };',
]
