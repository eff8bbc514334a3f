import { familyOf, parseIp } from '../net/ip.ts'
import { broadcastOf, formatInterfaceAddress, networkOf, parseInterfaceAddress } from '../net/prefix.ts'
import { type DeviceName, deviceName } from './link.ts'
import type { Address } from './netns.ts'
import { present, type TextProblem } from './problem.ts'
import { type Parsed, textLines, WordReader } from './text-line.ts'

/** What stands after `ip addr add`: `10.244.1.1/24 brd 10.244.1.255 scope global dev cni0`. */
export const formatAddress = (a: Address): string => `${attributes(a)} dev ${a.dev}${flags(a)}`

const flags = (a: Address): string => (a.noPrefixRoute ? ' noprefixroute' : '')

const attributes = (a: Address): string =>
  [formatInterfaceAddress(a), ...(a.broadcast ? ['brd', a.broadcast] : []), 'scope', a.scope].join(' ')

/** A line of `ip -o addr`, for the device with this index. `secondary`: an earlier address has the same prefix. */
export function listAddress(a: Address, index: number, secondary = false): string {
  const life = '\\       valid_lft forever preferred_lft forever'
  if (familyOf(a.ip) === 'ipv6') return `${index}: ${a.dev}    inet6 ${attributes(a)}${flags(a)} ${life}`
  return `${index}: ${a.dev}    inet ${attributes(a)}${secondary ? ' secondary' : ''}${flags(a)} ${a.dev}${life}`
}

/** Reads `ip addr` (whole or `-o`), and `ip addr add ...` commands. */
export function parseAddresses(text: string): Parsed<Address> {
  const entries: Address[] = []
  const problems: TextProblem[] = []
  let current: DeviceName | undefined
  for (const line of textLines(text)) {
    const header = /^\d+: ([^\s@:]+)(?:@\S+)?:? /.exec(line.text)
    if (header) current = deviceName(header[1] ?? '')
    const at = line.words.findIndex((w) => w === 'inet' || w === 'inet6')
    if (at < 0 && !line.command && (header || line.indented)) continue
    const reader = new WordReader(line, line.words.slice(at + 1))
    const value = readAddress(reader, line.command ? undefined : current)
    if (reader.problem) problems.push(reader.problem)
    else if (value) entries.push(value)
  }
  return { entries, problems }
}

interface Draft {
  scope?: Address['scope'] | undefined
  broadcast?: Address['broadcast'] | 'derived' | undefined
  dev?: DeviceName | undefined
  noPrefixRoute?: true | undefined
}

function readAddress(words: WordReader, current: DeviceName | undefined): Address | undefined {
  const own = words.take(parseInterfaceAddress, 'an address with a length: 10.244.1.1/24')
  const draft: Draft = {}
  while (words.more && !words.peek()?.includes('\\')) readAttribute(words, draft)
  const dev = draft.dev ?? current
  if (own === undefined || words.problem) return undefined
  if (dev === undefined) return words.bad(words.line.text, 'dev DEVICE')
  const broadcast = draft.broadcast === 'derived' ? broadcastOf(networkOf(own.ip, own.length)) : draft.broadcast
  return present<Address>({
    ...own,
    dev,
    scope: draft.scope ?? (dev === 'lo' ? 'host' : 'global'),
    broadcast,
    noPrefixRoute: draft.noPrefixRoute,
  })
}

const scopes = ['global', 'link', 'host'] as const

function readAttribute(words: WordReader, draft: Draft): undefined {
  const name = words.next()
  switch (name) {
    case 'brd':
    case 'broadcast':
      draft.broadcast = words.take((w) => (w === '+' ? ('derived' as const) : parseIp(w)), 'a broadcast address or +')
      return
    case 'scope':
      draft.scope = words.take(
        (w) => scopes.find((s) => s === (w === 'universe' ? 'global' : w)),
        'global, link or host',
      )
      return
    case 'dev':
      draft.dev = words.take(deviceName, 'a device name')
      return
    case 'noprefixroute':
      draft.noPrefixRoute = true
      return
    case 'label':
    case 'metric':
    case 'proto':
    case 'valid_lft':
    case 'preferred_lft':
      words.next()
      return
    case 'peer':
      words.bad('peer', 'an address without a peer (not modelled)')
  }
  // Flags (secondary, dynamic, nodad, ...) and the label change nothing here.
}
