import { parseIp } from '../net/ip.ts'
import { parseMac, zeroMac } from '../net/mac.ts'
import { type BridgePortSettings, defaultPortSettings, deviceName, type Link, type LinkKind } from './link.ts'
import { present, type TextProblem } from './problem.ts'
import type { Parsed } from './text-line.ts'

const onOff = (on: boolean): string => (on ? 'on' : 'off')

/**
 * A device as `ip -d link` prints it, of each line what is modelled: flags, MTU, bridge, state; MAC; kind; port settings.
 * `index` 0 leaves the number out.
 */
export function formatLink(link: Link, index = 0): string {
  const peer = link.kind.kind === 'veth' ? `@${link.kind.peer}` : link.kind.kind === 'ipip' ? '@NONE' : ''
  const head = [
    `${index > 0 ? `${index}: ` : ''}${link.name}${peer}: <${flags(link).join(',')}>`,
    `mtu ${link.mtu}`,
    ...(link.master ? [`master ${link.master}`] : []),
    `state ${link.up ? (link.kind.kind === 'loopback' ? 'UNKNOWN' : 'UP') : 'DOWN'}`,
  ].join(' ')
  const kind = formatKind(link.kind)
  const port = link.master ? [`    bridge_slave ${formatPort(link.port ?? defaultPortSettings)}`] : []
  return [head, `    ${hardware(link)}`, ...(kind === '' ? [] : [`    ${kind}`]), ...port].join('\n')
}

function flags(link: Link): readonly string[] {
  const { kind } = link.kind
  const type = kind === 'loopback' ? ['LOOPBACK'] : kind === 'ipip' ? ['NOARP'] : ['BROADCAST', 'MULTICAST']
  const base = kind === 'tun' ? ['POINTOPOINT', 'MULTICAST', 'NOARP'] : type
  return [...base, ...(link.promiscuous ? ['PROMISC'] : []), ...(link.up ? ['UP', 'LOWER_UP'] : [])]
}

function hardware({ kind, mac }: Link): string {
  if (kind.kind === 'loopback') return `link/loopback ${mac} brd ${mac}`
  if (kind.kind === 'tun') return 'link/none'
  if (kind.kind === 'ipip')
    return `link/ipip ${kind.local ?? '0.0.0.0'} ${kind.remote ? 'peer' : 'brd'} ${kind.remote ?? '0.0.0.0'}`
  return `link/ether ${mac} brd ff:ff:ff:ff:ff:ff`
}

const formatPort = (p: BridgePortSettings): string =>
  `hairpin ${onOff(p.hairpin)} learning ${onOff(p.learning)} flood ${onOff(p.flooding)} isolated ${onOff(p.isolated)}`

function formatKind(kind: LinkKind): string {
  switch (kind.kind) {
    case 'loopback':
    case 'physical':
      return ''
    case 'tun':
      return 'tun type tun pi off'
    case 'veth':
    case 'dummy':
      return kind.kind
    case 'bridge':
      // A kernel without VLAN filtering refuses the word even with 0.
      return `bridge stp_state ${Number(kind.stp)}${kind.vlanFiltering ? ' vlan_filtering 1' : ''}`
    case 'vxlan': {
      const ends = `vxlan id ${kind.vni} local ${kind.local} dev ${kind.dev}`
      return `${ends} dstport ${kind.dstPort}${kind.learning ? '' : ' nolearning'}`
    }
    case 'ipip':
      return `ipip remote ${kind.remote ?? 'any'} local ${kind.local ?? 'any'}${kind.dev ? ` dev ${kind.dev}` : ''}`
  }
}

/**
 * Lines for `ip -batch` that make the device and set it up. Loopback, network cards and a tunl0 that its module made are there
 * already; of a veth pair one end makes both (`made`: the other end did), and `peerNetns` says where the other one goes.
 */
export function linkCommands(
  link: Link,
  options: { readonly made?: boolean; readonly peerNetns?: string } = {},
): readonly string[] {
  const { name, mac, mtu, kind } = link
  const address = hasMac(kind) ? ` address ${mac}` : ''
  const create = options.made ? undefined : creation(link, options.peerNetns)
  const set =
    create === undefined || kind.kind === 'tun' ? [`link set ${name}${hasMac(kind) ? address : ''} mtu ${mtu}`] : []
  return [
    ...(create === undefined ? [] : [create]),
    ...set,
    ...(link.master ? [`link set ${name} master ${link.master}`] : []),
    ...(link.master && link.port ? [`link set ${name} type bridge_slave ${formatPort(link.port)}`] : []),
    ...(link.promiscuous ? [`link set ${name} promisc on`] : []),
    ...(link.up ? [`link set ${name} up`] : []),
  ]
}

const hasMac = (kind: LinkKind): boolean => kind.kind !== 'loopback' && kind.kind !== 'ipip' && kind.kind !== 'tun'

function creation({ name, mac, mtu, kind }: Link, peerNetns: string | undefined): string | undefined {
  switch (kind.kind) {
    case 'loopback':
    case 'physical':
      return undefined
    case 'tun':
      return `tuntap add dev ${name} mode tun`
    case 'ipip':
      return name === 'tunl0' ? undefined : `link add ${name} mtu ${mtu} type ${formatKind(kind)}`
    case 'veth': {
      const netns = peerNetns === undefined ? '' : ` netns ${peerNetns}`
      return `link add ${name} address ${mac} mtu ${mtu} type veth peer name ${kind.peer}${netns}`
    }
    case 'bridge':
      // A kernel without VLAN filtering refuses even to be told that it is off.
      return `link add ${name} address ${mac} mtu ${mtu} type bridge stp_state ${Number(kind.stp)}${kind.vlanFiltering ? ' vlan_filtering 1' : ''} mcast_snooping 0`
    case 'vxlan':
    case 'dummy':
      return `link add ${name} address ${mac} mtu ${mtu} type ${formatKind(kind)}`
  }
}

/** Reads `ip -d link`, whole or `-o`. Without `-d` devices have no kind and are taken for network cards. */
export function parseLinks(text: string): Parsed<Link> {
  const entries: Link[] = []
  const problems: TextProblem[] = []
  for (const { line, words } of blocks(text)) {
    const link = readLink(words)
    if ('found' in link) problems.push({ line, ...link })
    else entries.push(link)
  }
  return { entries, problems }
}

/** A device's lines in one, with the line on which it begins. */
function blocks(text: string): readonly { readonly line: number; readonly words: readonly string[] }[] {
  const found: { line: number; words: string[] }[] = []
  for (const [index, raw] of text.split('\n').entries()) {
    const words = raw.replaceAll('\\', ' ').trim().split(/\s+/)
    if (raw.trim() === '' || raw.startsWith('#')) continue
    if (/^\s/.test(raw) && found.length > 0) found.at(-1)?.words.push(...words)
    else found.push({ line: index + 1, words })
  }
  return found
}

type Failure = Pick<TextProblem, 'found' | 'expected'>

function readLink(words: readonly string[]): Link | Failure {
  const at = /^\d+:$/.test(words[0] ?? '') ? 1 : 0
  const named = /^([^@\s]+?)(?:@(\S+?))?:$/.exec(words[at] ?? '')
  const flagList = /^<(.*)>$/.exec(words[at + 1] ?? '')?.[1]?.split(',')
  const mtu = Number(valueAfter(words, 'mtu'))
  if (!named || !flagList || !Number.isInteger(mtu))
    return { found: words.slice(0, 4).join(' '), expected: 'a device of "ip -d link": 2: eth0: <...> mtu 1500 ...' }
  const name = deviceName(named[1] ?? '')
  const kind = readKind(words, named[2])
  if ('found' in kind) return kind
  const master = valueAfter(words, 'master')
  return present<Link>({
    name,
    mac: parseMac(words[words.findIndex((w) => w.startsWith('link/')) + 1] ?? '') ?? zeroMac,
    mtu,
    up: flagList.includes('UP'),
    master: master === undefined ? undefined : deviceName(master),
    port: words.includes('bridge_slave') ? readPort(words) : undefined,
    promiscuous: flagList.includes('PROMISC') || undefined,
    kind,
  })
}

const valueAfter = (words: readonly string[], name: string): string | undefined => {
  const at = words.indexOf(name)
  return at < 0 ? undefined : words[at + 1]
}

function readPort(words: readonly string[]): BridgePortSettings {
  const own = words.slice(words.indexOf('bridge_slave'))
  const is = (name: string, otherwise: boolean) => (valueAfter(own, name) ?? onOff(otherwise)) === 'on'
  return {
    hairpin: is('hairpin', false),
    learning: is('learning', true),
    flooding: is('flood', true),
    isolated: is('isolated', false),
  }
}

const kindsExpected =
  'a veth, bridge, vxlan, ipip, tun or dummy device, a network card or loopback (no other is modelled)'
const otherKinds = [
  'vlan',
  'bond',
  'macvlan',
  'ipvlan',
  'wireguard',
  'geneve',
  'gre',
  'gretap',
  'sit',
  'vrf',
  'team',
  'ifb',
  'tap',
]

/** Where the kind begins: after the hardware line. */
function readKind(words: readonly string[], peer: string | undefined): LinkKind | Failure {
  const hardwareAt = words.findIndex((w) => w.startsWith('link/'))
  const own = words.slice(hardwareAt + 1)
  const end = own.indexOf('bridge_slave')
  const part = end < 0 ? own : own.slice(0, end)
  if (words[hardwareAt] === 'link/loopback') return { kind: 'loopback' }
  const kind = part.find((w) => modelled.has(w) || otherKinds.includes(w))
  if (kind === undefined) return { kind: 'physical' }
  if (!modelled.has(kind)) return { found: kind, expected: kindsExpected }
  return readModelled(kind, part.slice(part.indexOf(kind) + 1), peer)
}

const modelled = new Set(['veth', 'bridge', 'vxlan', 'ipip', 'tun', 'dummy'])

function readModelled(kind: string, own: readonly string[], peer: string | undefined): LinkKind | Failure {
  const dev = valueAfter(own, 'dev')
  switch (kind) {
    case 'veth':
      return { kind: 'veth', peer: deviceName(peer ?? '') }
    case 'bridge':
      return {
        kind: 'bridge',
        stp: (valueAfter(own, 'stp_state') ?? '0') !== '0',
        vlanFiltering: (valueAfter(own, 'vlan_filtering') ?? '0') !== '0',
      }
    case 'vxlan':
      return readVxlan(own, dev)
    case 'ipip':
      return {
        kind: 'ipip',
        local: parseIp(valueAfter(own, 'local') ?? ''),
        remote: parseIp(valueAfter(own, 'remote') ?? ''),
        ...(dev === undefined ? {} : { dev: deviceName(dev) }),
      }
    case 'tun':
      return { kind: 'tun' }
    default:
      return { kind: 'dummy' }
  }
}

function readVxlan(own: readonly string[], dev: string | undefined): LinkKind | Failure {
  const local = parseIp(valueAfter(own, 'local') ?? '')
  if (local === undefined || dev === undefined)
    return { found: `vxlan ${own.slice(0, 6).join(' ')}`, expected: 'a vxlan with local ADDRESS and dev DEVICE' }
  return {
    kind: 'vxlan',
    vni: Number(valueAfter(own, 'id')),
    local,
    dev: deviceName(dev),
    dstPort: Number(valueAfter(own, 'dstport') ?? 8472),
    learning: !own.includes('nolearning'),
  }
}
