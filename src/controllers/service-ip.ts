import { type Ip, ipAt, ipToBigInt } from '../net/ip.ts'
import { broadcastOf, lastAddress, type Prefix, prefixFamily, prefixSize } from '../net/prefix.ts'

/**
 * Hands out the free addresses of a service network: from above the band that is kept for addresses written by hand
 * (`min(max(16, size/16), 256)` addresses, KEP-3070), then from the band. In order, where the API server draws lots.
 */
export function serviceIps(network: Prefix, taken: Set<string>): () => Ip | undefined {
  const first = ipToBigInt(network.address) + 1n
  const last = ipToBigInt(lastAddress(network)) - (broadcastOf(network) === undefined ? 0n : 1n)
  const above = first + staticBand(prefixSize(network), 16n, 16n, 256n)
  let at = above
  let wrapped = false
  return () => {
    for (; ; at++) {
      if (at > last && !wrapped) {
        wrapped = true
        at = first
      }
      if (wrapped ? at >= above : at > last) return undefined
      const ip = ipAt(at, prefixFamily(network))
      if (taken.has(ip)) continue
      taken.add(ip)
      return ip
    }
  }
}

/** The same for node ports: `min(max(16, size/32), 128)` ports at the bottom (KEP-3668). */
export function nodePorts({ from, to }: { readonly from: number; readonly to: number }, taken: Set<number>) {
  const above = from + Number(staticBand(BigInt(to - from + 1), 16n, 32n, 128n))
  const wraps = above > from
  let at = above
  let wrapped = false
  return (): number | undefined => {
    for (; ; at++) {
      if (at > to && wraps && !wrapped) {
        wrapped = true
        at = from
      }
      if (wrapped ? at >= above : at > to) return undefined
      if (taken.has(at)) continue
      taken.add(at)
      return at
    }
  }
}

/** A range no larger than the smallest band has none. */
function staticBand(size: bigint, least: bigint, step: bigint, most: bigint): bigint {
  if (size <= least) return 0n
  const band = size / step
  return band < least ? least : band > most ? most : band
}
