import { parseIp } from '../net/ip.ts'
import { parseMac } from '../net/mac.ts'
import { deviceName } from './link.ts'
import type { Neighbour } from './netns.ts'
import { type Parsed, parseLines, type WordReader } from './text-line.ts'

/** What stands after `ip neigh add`: `10.244.2.0 dev flannel.1 lladdr 02:00:0a:f4:02:00 nud permanent`. */
export const formatNeighbour = (n: Neighbour): string => `${n.ip} dev ${n.dev} lladdr ${n.mac} nud ${n.state}`

/** A line of `ip neigh` (without its final blank). */
export const listNeighbour = (n: Neighbour): string => `${n.ip} dev ${n.dev} lladdr ${n.mac} ${n.state.toUpperCase()}`

/** Reads `ip neigh` listings and `ip neigh add ...` commands. Entries that are being resolved, or failed, are no entries. */
export const parseNeighbours = (text: string): Parsed<Neighbour> => parseLines(text, readNeighbour)

const states: Readonly<Record<string, Neighbour['state'] | 'none'>> = {
  permanent: 'permanent',
  noarp: 'noarp',
  reachable: 'reachable',
  stale: 'stale',
  // A known address that is being checked again is used meanwhile.
  delay: 'stale',
  probe: 'stale',
  incomplete: 'none',
  failed: 'none',
  none: 'none',
}

function readNeighbour(words: WordReader): Neighbour | undefined {
  if (words.peek() === 'to') words.next()
  const ip = words.take(parseIp, 'an IP address')
  let dev: Neighbour['dev'] | undefined
  let mac: Neighbour['mac'] | undefined
  let state: Neighbour['state'] | 'none' | undefined
  while (words.more) {
    const name = words.next()
    if (name === 'dev') dev = words.take(deviceName, 'a device name')
    else if (name === 'lladdr') mac = words.take(parseMac, 'a MAC address')
    else if (name === 'nud' || name === 'state')
      state = words.take((w) => states[w.toLowerCase()], `one of ${Object.keys(states).join(', ')}`)
    else if (states[name.toLowerCase()]) state = states[name.toLowerCase()]
    else if (!['router', 'extern_learn', 'managed', 'proxy', 'offload'].includes(name))
      words.bad(name, 'dev, lladdr, nud or a state')
  }
  if (words.problem || ip === undefined || state === 'none') return undefined
  if (dev === undefined) return words.bad(words.line.text, 'dev DEVICE')
  if (mac === undefined) return words.bad(words.line.text, 'lladdr MAC')
  return { ip, dev, mac, state: state ?? 'permanent' }
}
