import { familyOf, type Ip, ipAt, ipToBigInt } from '../../net/ip.ts'

/** Lists of `-m recent` by name. They outlive the rules that use them. */
export type RecentLists = Map<string, RecentList>

/** The addresses of a list, least recently touched first. Stamps are virtual milliseconds, oldest first. */
export interface RecentList {
  readonly entries: Map<Ip, number[]>
}

export interface RecentCheck {
  readonly op: 'set' | 'rcheck' | 'update' | 'remove'
  readonly not: boolean
  readonly seconds: number
  readonly hitcount: number
  readonly reap: boolean
  readonly name: string
}

/** ip_list_tot: addresses that one list remembers; the oldest makes room. */
const maxEntries = 100
/** Stamps kept of one address where no rule counts further (xt_recent.c, XT_RECENT_MAX_NSTAMPS is 256). */
const maxStamps = 256

/** recent_mt (net/netfilter/xt_recent.c). */
export function checkRecent(lists: RecentLists, check: RecentCheck, address: Ip, now: number): boolean {
  const list = listOf(lists, check.name)
  const stamps = list.entries.get(address)
  let matches = check.not
  if (!stamps) {
    if (check.op !== 'set') return matches
    if (list.entries.size >= maxEntries) dropOldest(list)
    list.entries.set(address, [now])
    return !matches
  }
  if (check.op === 'set') matches = !matches
  else if (check.op === 'remove') {
    list.entries.delete(address)
    return !matches
  } else {
    if (isRecent(stamps, check, now)) matches = !matches
    if (check.reap) reap(list, check, address, now, matches)
  }
  if (check.op === 'set' || (check.op === 'update' && matches)) touch(list, address, now)
  return matches
}

export function maskAddress(address: Ip, mask: Ip): Ip {
  if (familyOf(address) !== familyOf(mask)) return address
  return ipAt(ipToBigInt(address) & ipToBigInt(mask), familyOf(address))
}

function listOf(lists: RecentLists, name: string): RecentList {
  const known = lists.get(name)
  if (known) return known
  const made: RecentList = { entries: new Map() }
  lists.set(name, made)
  return made
}

function isRecent(stamps: readonly number[], { seconds, hitcount }: RecentCheck, now: number): boolean {
  const since = now - 1000 * seconds
  const hits = seconds === 0 ? stamps.length : stamps.filter((stamp) => stamp >= since).length
  return hits >= Math.max(1, hitcount)
}

/** Removes the least recent entry once it is older than `seconds`; never the one that is about to be renewed. */
function reap(list: RecentList, { op, seconds }: RecentCheck, address: Ip, now: number, matches: boolean): void {
  const oldest = list.entries.entries().next().value
  if (!oldest || (oldest[0] === address && op === 'update' && matches)) return
  const last = oldest[1].at(-1) ?? 0
  if (last < now - 1000 * seconds) list.entries.delete(oldest[0])
}

/** Also moves the entry to the end of the list. */
function touch(list: RecentList, address: Ip, now: number): void {
  const stamps = list.entries.get(address) ?? []
  list.entries.delete(address)
  list.entries.set(address, [...stamps, now].slice(-maxStamps))
}

function dropOldest(list: RecentList): void {
  const oldest = list.entries.keys().next().value
  if (oldest !== undefined) list.entries.delete(oldest)
}
