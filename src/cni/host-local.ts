import { familyOf, type Ip, ipAt, ipToBigInt, parseIp } from '../net/ip.ts'
import {
  broadcastOf,
  formatPrefix,
  lastAddress,
  nthAddress,
  type Prefix,
  parseInterfaceAddress,
  parsePrefix,
  prefixContains,
  prefixFamily,
  prefixSize,
} from '../net/prefix.ts'

/** One range of the host-local plugin, defaults filled in. Both ends are handed out; the gateway never is. */
export interface AddressRange {
  readonly subnet: Prefix
  readonly start: Ip
  readonly end: Ip
  readonly gateway: Ip
}

/** As it stands in a configuration. */
export interface RangeConfig {
  readonly subnet: string
  readonly rangeStart?: string
  readonly rangeEnd?: string
  readonly gateway?: string
}

export type RangeResult = { readonly range: AddressRange } | { readonly error: string }

/** plugins/ipam/host-local, Range.Canonicalize: first to last host address; the first is the gateway. */
export function addressRange(config: RangeConfig): RangeResult {
  const given = parseInterfaceAddress(config.subnet)
  const subnet = parsePrefix(config.subnet)
  if (!given || !subnet || !config.subnet.includes('/')) return { error: `invalid CIDR address: ${config.subnet}` }
  if (prefixSize(subnet) < 4n) return { error: `Network ${formatPrefix(subnet)} too small to allocate from` }
  if (given.ip !== subnet.address) return { error: hostBits(subnet) }
  const bounds = rangeBounds(config, subnet)
  if ('error' in bounds) return bounds
  const gateway = config.gateway === undefined ? nthAddress(subnet, 1) : parseIp(config.gateway)
  return gateway ? { range: { subnet, ...bounds, gateway } } : { error: `invalid IP address: ${config.gateway}` }
}

const hostBits = ({ address, length }: Prefix): string =>
  `Network has host bits set. For a subnet mask of length ${length} the network address is ${address}`

function rangeBounds(
  config: RangeConfig,
  subnet: Prefix,
): { readonly start: Ip; readonly end: Ip } | { readonly error: string } {
  const first = nthAddress(subnet, 1) ?? subnet.address
  const last = broadcastOf(subnet) === undefined ? lastAddress(subnet) : ipBefore(lastAddress(subnet))
  const start = config.rangeStart === undefined ? first : parseIp(config.rangeStart)
  const end = config.rangeEnd === undefined ? last : parseIp(config.rangeEnd)
  if (start === undefined || !prefixContains(subnet, start))
    return { error: `RangeStart ${config.rangeStart} not in network ${formatPrefix(subnet)}` }
  if (end === undefined || !prefixContains(subnet, end))
    return { error: `RangeEnd ${config.rangeEnd} not in network ${formatPrefix(subnet)}` }
  return { start, end }
}

const ipBefore = (ip: Ip): Ip => ipAt(ipToBigInt(ip) - 1n, familyOf(ip))

/**
 * Every address of a range set in the order in which host-local tries them: from the one after `last`, around, and
 * `last` itself at the very end. A `last` outside the ranges is ignored.
 */
export function* addressesFrom(ranges: readonly AddressRange[], last?: Ip): Generator<Offer> {
  const at = last === undefined ? -1 : ranges.findIndex((r) => inRange(r, last))
  const range = ranges[at]
  if (last === undefined || range === undefined) {
    for (const r of ranges) yield* walk(r, r.start, r.end)
    return
  }
  if (last !== range.end) yield* walk(range, ipAfter(last), range.end)
  for (const r of [...ranges.slice(at + 1), ...ranges.slice(0, at)]) yield* walk(r, r.start, r.end)
  yield* walk(range, range.start, last)
}

export interface Offer {
  readonly ip: Ip
  readonly range: AddressRange
}

const ipAfter = (ip: Ip): Ip => ipAt(ipToBigInt(ip) + 1n, familyOf(ip))

const inRange = (range: AddressRange, ip: Ip): boolean =>
  prefixContains(range.subnet, ip) &&
  ipToBigInt(ip) >= ipToBigInt(range.start) &&
  ipToBigInt(ip) <= ipToBigInt(range.end)

function* walk(range: AddressRange, from: Ip, to: Ip): Generator<Offer> {
  const family = prefixFamily(range.subnet)
  const end = ipToBigInt(to)
  for (let n = ipToBigInt(from); n <= end; n++) {
    const ip = ipAt(n, family)
    if (ip !== range.gateway) yield { ip, range }
  }
}

export type Allocation = Offer | { readonly error: string }

/** The store of one range set: who holds which address, and which one was given last. */
export class HostLocal {
  readonly #ranges: readonly AddressRange[]
  readonly #reserved = new Map<Ip, string>()
  #last: Ip | undefined

  constructor(ranges: readonly AddressRange[], last?: Ip) {
    this.#ranges = ranges
    this.#last = last
  }

  /** An address that is known to be held, without moving the point where the search starts. */
  reserve(ip: Ip, id: string): void {
    this.#reserved.set(ip, id)
  }

  add(id: string): Allocation {
    for (const offer of addressesFrom(this.#ranges, this.#last)) {
      if (this.#reserved.has(offer.ip)) continue
      this.#reserved.set(offer.ip, id)
      this.#last = offer.ip
      return offer
    }
    const spans = this.#ranges.map((r) => `${r.start}-${r.end}`).join(',')
    return { error: `no IP addresses available in range set: ${spans}` }
  }

  delete(id: string): void {
    for (const [ip, holder] of this.#reserved) if (holder === id) this.#reserved.delete(ip)
  }
}
