import { parseIp } from '../net/ip.ts'
import { parseMac } from '../net/mac.ts'
import { type DeviceName, deviceName } from './link.ts'
import type { FdbEntry } from './netns.ts'
import { present } from './problem.ts'
import { type Parsed, parseLines, type WordReader } from './text-line.ts'

type Flag = FdbEntry['flags'][number]
/** The order in which `bridge fdb` prints them. */
const order: readonly Flag[] = ['self', 'extern_learn', 'master', 'permanent', 'static']

/** What stands after `bridge fdb append`: `02:00:0a:f4:02:00 dev flannel.1 dst 192.168.50.12 self permanent`. */
export const formatFdb = (entry: FdbEntry): string => line(entry, 'master')

/** A line of `bridge fdb`, which names the bridge of a port: `... dev veth1 master cni0 static`. */
export const listFdb = (entry: FdbEntry, bridge: DeviceName): string => line(entry, `master ${bridge}`)

function line(entry: FdbEntry, master: string): string {
  const flags = order.filter((f) => entry.flags.includes(f)).map((f) => (f === 'master' ? master : f))
  return [entry.mac, 'dev', entry.dev, ...(entry.dst ? ['dst', entry.dst] : []), ...flags].join(' ')
}

/**
 * Reads `bridge fdb` listings and `bridge fdb append|add|replace` commands; for a command without flags bridge means
 * `self permanent`, and `permanent` where no state is named.
 */
export const parseFdb = (text: string): Parsed<FdbEntry> => parseLines(text, readEntry)

function readEntry(words: WordReader): FdbEntry | undefined {
  const mac = words.take(parseMac, 'a MAC address')
  const flags = new Set<Flag>()
  let dev: DeviceName | undefined
  let dst: FdbEntry['dst'] | undefined
  while (words.more) {
    const name = words.next()
    if (name === 'dev') dev = words.take(deviceName, 'a device name')
    else if (name === 'dst') dst = words.take(parseIp, 'an IP address')
    else if (name === 'local') flags.add('permanent')
    else if (name === 'temp') flags.add('static')
    else if (name === 'master') {
      flags.add('master')
      words.maybe((w) => (w === '' || isWord(w) ? undefined : w))
    } else if (isFlag(name)) flags.add(name)
    else readOther(name, words)
  }
  if (words.problem || mac === undefined) return undefined
  if (dev === undefined) return words.bad(words.line.text, 'dev DEVICE')
  if (words.line.command) addDefaults(flags)
  return present<FdbEntry>({ mac, dev, dst, flags: order.filter((f) => flags.has(f)) })
}

const isFlag = (word: string): word is Flag => (order as readonly string[]).includes(word)
const others = ['vlan', 'port', 'vni', 'src_vni', 'via', 'link-netnsid', 'nhid']
const noEffect = ['use', 'offload', 'sticky', 'router', 'added_by_user', 'stale', 'dynamic']
const isWord = (word: string): boolean =>
  isFlag(word) || others.includes(word) || noEffect.includes(word) || word === 'dst'

/** What would change where frames go is told; the rest is passed over. */
function readOther(name: string, words: WordReader): undefined {
  if (name === 'vlan' && words.maybe((w) => (w === '1' ? w : undefined))) return
  if (noEffect.includes(name)) return
  words.bad(name, 'dev, dst, self, master, permanent, static or extern_learn (anything else is not modelled)')
}

function addDefaults(flags: Set<Flag>): undefined {
  if (!flags.has('self') && !flags.has('master')) flags.add('self')
  if (!flags.has('permanent') && !flags.has('static')) flags.add('permanent')
}
