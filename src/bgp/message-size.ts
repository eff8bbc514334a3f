import { type Prefix, prefixFamily } from '../net/prefix.ts'
import type { PathAttributes } from './attributes.ts'

/** Octets of a BGP message at most (RFC 4271 4.1), and of its header with the two length fields of UPDATE. */
const messageSize = 4096
const updateOverhead = 19 + 2 + 2

/** Octets of a prefix in an UPDATE: length and as many octets as the length needs. */
export const nlriSize = (p: Prefix): number => 1 + Math.ceil(p.length / 8)

/** UPDATEs that carry this many octets of prefixes with one attribute set, or of withdrawals (no attributes). */
export function updateCount(octets: number, attributes: PathAttributes | undefined, sample: Prefix): number {
  if (octets === 0) return 0
  const room = messageSize - updateOverhead - (attributes ? attributesSize(attributes, sample) : familyOverhead(sample))
  const size = nlriSize(sample)
  return Math.ceil(octets / Math.max(size, room - (room % size)))
}

/** MP_UNREACH_NLRI: header 4, AFI and SAFI 3. IPv4 withdrawals stand in the message itself. */
const familyOverhead = (sample: Prefix): number => (prefixFamily(sample) === 'ipv6' ? 7 : 0)

function attributesSize(a: PathAttributes, sample: Prefix): number {
  // NEXT_HOP, or MP_REACH_NLRI: header 4, AFI, SAFI, length 4, one address 16, reserved 1.
  const nextHop = prefixFamily(sample) === 'ipv6' ? 25 : 7
  const asPath = 3 + (a.asPath.length > 0 ? 2 + 4 * a.asPath.length : 0)
  const fixed = 4 + asPath + nextHop + [a.localPref, a.med, a.originatorId].filter((x) => x !== undefined).length * 7
  const cluster = a.clusterList ? 3 + 4 * a.clusterList.length : 0
  return fixed + cluster + communitiesSize(a, 2, 4) + communitiesSize(a, 3, 12)
}

function communitiesSize(a: PathAttributes, parts: number, octets: number): number {
  const count = a.communities?.filter((c) => c.length === parts).length ?? 0
  return count > 0 ? 3 + octets * count : 0
}
