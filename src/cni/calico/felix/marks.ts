import { fnv32 } from '../names.ts'

/** Bits of the packet mark, each a mask of one bit but `endpoint`. */
export interface Marks {
  readonly accept: number
  readonly pass: number
  /** From 3.30. */
  readonly drop: number | undefined
  readonly scratch0: number
  readonly scratch1: number
  /** In IPVS mode: which endpoint a packet came from. */
  readonly endpoint: number
  readonly nonCaliEndpoint: number
}

/** Bits of the mask, lowest first (felix/dataplane/driver.go, felix/markbits). */
export function allocateMarks(mask: number, options: { readonly dropBit: boolean }): Marks {
  const bits = Array.from({ length: 32 }, (_, i) => (1 << i) >>> 0).filter((bit) => (mask & bit) !== 0)
  const take = (): number => bits.shift() ?? 0
  const accept = take()
  const pass = take()
  const drop = options.dropBit ? take() : undefined
  const scratch0 = take()
  const scratch1 = take()
  const endpoint = bits.reduce((sum, bit) => (sum | bit) >>> 0, 0)
  return { accept, pass, drop, scratch0, scratch1, endpoint, nonCaliEndpoint: bits[0] ?? 0 }
}

export const all = (...bits: readonly number[]): number => bits.reduce((sum, bit) => (sum | bit) >>> 0, 0)

/** What raw, INPUT, OUTPUT and mangle clear of a packet that comes in. */
export const clearedAll = (m: Marks): number => all(m.accept, m.pass, m.scratch0, m.scratch1)
export const clearedInForward = (m: Marks): number => all(m.pass, m.scratch0, m.scratch1)

export const hex = (n: number): string => `0x${n.toString(16)}`

/**
 * IPVS mode: a mark per endpoint, in the order given: the hash of its name within the mask, the next free one on collision
 * (felix/rules/endpoint_mark_mapper.go). 0 and the mark of everything else are not given out.
 */
export function endpointMarks(
  interfaces: readonly string[],
  mask: number,
  nonCali: number,
): ReadonlyMap<string, number> {
  const shift = Math.clz32(1) - Math.clz32(mask & -mask)
  const values = (mask >>> shift) + 1
  const taken = new Set([0, nonCali >>> shift])
  const marks = new Map<string, number>()
  for (const name of interfaces) {
    if (marks.has(name)) continue
    const start = fnv32(name) % values
    for (let i = 0; i < values; i++) {
      const value = (start + i) % values
      if (taken.has(value)) continue
      taken.add(value)
      marks.set(name, (value << shift) >>> 0)
      break
    }
  }
  return marks
}
