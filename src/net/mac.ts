import { createHash } from 'node:crypto'
import type { Branded } from './ip.ts'

/** An Ethernet address, lower case with colons. Only `parseMac` and `macAt` make one. */
export type Mac = Branded<string, 'Mac'>

export function parseMac(text: string): Mac | undefined {
  return /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text) ? (text.toLowerCase() as Mac) : undefined
}

/** For literals in code and tests. Throws on anything that is no MAC address. */
export function mac(text: string): Mac {
  const parsed = parseMac(text)
  if (parsed === undefined) throw new Error(`not a MAC address: ${JSON.stringify(text)}`)
  return parsed
}

/** From six octets. */
export const macAt = (octets: readonly number[]): Mac =>
  octets.map((o) => (o & 0xff).toString(16).padStart(2, '0')).join(':') as Mac

export const macOctets = (mac: Mac): readonly number[] => mac.split(':').map((o) => Number.parseInt(o, 16))

export const broadcastMac = 'ff:ff:ff:ff:ff:ff' as Mac
export const zeroMac = '00:00:00:00:00:00' as Mac

/** Group bit of the first octet (IEEE 802): broadcast or multicast. */
export const isGroupMac = (mac: Mac): boolean => (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1

/**
 * A locally administered unicast address that depends on `seed` alone: what the kernel would draw at random must be the
 * same in every run here.
 */
export function stableMac(seed: string): Mac {
  const [first = 0, ...rest] = createHash('sha256').update(seed).digest().subarray(0, 6)
  return macAt([(first & 0xfc) | 0x02, ...rest])
}
