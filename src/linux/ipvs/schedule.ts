import type { IpvsService } from '../../artefact/ipvs.ts'
import { familyOf, type Ip, ipv4ToUint32, ipv6Groups } from '../../net/ip.ts'
import type { Destination, VirtualService } from './table.ts'

/** Who asks, and what for: what the hashing schedulers look at. */
export interface Asked {
  readonly source: Ip
  readonly sourcePort: number
  readonly destination: Ip
}

/** Chooses a real server; undefined: none is there to take the connection. */
export type Scheduler = (service: VirtualService, asked: Asked) => Destination | undefined

/** By the name that `ipvsadm -s` takes. Undefined: it is not modelled here. */
export function schedulerOf({ scheduler, flags }: IpvsService, start: (n: number) => number): Scheduler | undefined {
  switch (scheduler) {
    case 'rr':
      return roundRobin(start)
    case 'wrr':
      return weightedRoundRobin(start)
    case 'lc':
      return least((d) => overhead(d))
    case 'wlc':
      return least((d) => overhead(d) / d.weight)
    case 'sed':
      return least(expectedDelay)
    case 'nq':
      return neverQueue
    case 'sh':
      return sourceHash(flags?.includes('sh-port') === true)
    case 'dh':
      return destinationHash
    default:
      return undefined
  }
}

const usable = ({ weight }: Destination): boolean => weight > 0

/**
 * ip_vs_rr_schedule: the next after the last one. Where it stood before the first connection that we see, nobody knows:
 * `start` draws it.
 */
function roundRobin(start: (n: number) => number): Scheduler {
  let last: Destination | undefined
  let begun = false
  return ({ destinations }) => {
    const willing = destinations.filter(usable)
    if (!begun && willing.length > 0) {
      begun = true
      last = willing[start(willing.length)]
      return last
    }
    const at = last ? destinations.indexOf(last) : -1
    const order = [...destinations.slice(at + 1), ...destinations.slice(0, at + 1)]
    last = order.find(usable)
    return last
  }
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b))

/** ip_vs_wrr_schedule: rounds of falling weight, of which each takes whoever weighs as much. */
function weightedRoundRobin(start: (n: number) => number): Scheduler {
  let at = -1
  let weight = 0
  let begun = false
  return ({ destinations }) => {
    const weights = destinations.filter(usable).map((d) => d.weight)
    const step = weights.reduce(gcd, 0)
    const most = Math.max(0, ...weights) - (step - 1)
    if (weights.length === 0) return undefined
    if (!begun || weight > most) weight = most
    const next = (): Destination | undefined => {
      for (let turns = 0; turns <= destinations.length * (most + 1); turns++) {
        at++
        if (at >= destinations.length) {
          at = 0
          weight -= step
          if (weight <= 0) weight = most
        }
        const candidate = destinations[at]
        if (candidate && candidate.weight >= weight) return candidate
      }
      return undefined
    }
    const total = weights.reduce((sum, w) => sum + w, 0) / step
    for (let skip = begun ? 0 : start(total); skip > 0; skip--) next()
    begun = true
    return next()
  }
}

/** Active connections count for 256 inactive ones (ip_vs_dest_conn_overhead). */
const overhead = ({ active, inactive }: Destination): number => active * 256 + inactive
const expectedDelay = ({ active, weight }: Destination): number => (active + 1) / weight

/** The first of those that cost least. */
const least =
  (cost: (d: Destination) => number): Scheduler =>
  ({ destinations }) =>
    destinations
      .filter(usable)
      .reduce<Destination | undefined>((best, d) => (best && cost(best) <= cost(d) ? best : d), undefined)

/** ip_vs_nq_schedule: an idle server at once, else the shortest expected delay. */
const neverQueue: Scheduler = (service, asked) =>
  service.destinations.find((d) => usable(d) && d.active === 0) ?? least(expectedDelay)(service, asked)

const tableBits = 8
const tableSize = 2 ** tableBits
/** hash_32 (include/linux/hash.h): GOLDEN_RATIO_32. */
const hash32 = (value: number): number => Math.imul(value, 0x61c88647) >>> (32 - tableBits)

/** IPv6 addresses are folded into 32 bits. */
function folded(ip: Ip): number {
  if (familyOf(ip) === 'ipv4') return ipv4ToUint32(ip)
  const groups = ipv6Groups(ip)
  return [0, 2, 4, 6].reduce((sum, i) => sum ^ (((groups[i] ?? 0) << 16) | (groups[i + 1] ?? 0)), 0)
}

/** ip_vs_sh_schedule: a table in which each server stands as often as it weighs. */
const sourceHash =
  (withPort: boolean): Scheduler =>
  ({ destinations }, { source, sourcePort }) => {
    const seats = destinations.flatMap((d) => Array<Destination>(Math.max(0, d.weight)).fill(d))
    if (seats.length === 0) return undefined
    return seats[(hash32((withPort ? sourcePort : 0) + folded(source)) % tableSize) % seats.length]
  }

/** ip_vs_dh_schedule. */
const destinationHash: Scheduler = ({ destinations }, { destination }) => {
  if (destinations.length === 0) return undefined
  const chosen = destinations[(hash32(folded(destination)) % tableSize) % destinations.length]
  return chosen && usable(chosen) ? chosen : undefined
}
