const bits: readonly (readonly [string, number])[] = [
  ['FIN', 1],
  ['SYN', 2],
  ['RST', 4],
  ['PSH', 8],
  ['ACK', 16],
  ['URG', 32],
]

/** The flag lists of `--tcp-flags`: bits of the TCP flags octet, `ALL` for the six, `NONE` for none. */
export const tcpFlagNames = {
  format: (mask: number): string =>
    bits
      .filter(([, bit]) => mask & bit)
      .map(([name]) => name)
      .join(',') || 'NONE',
  parse: (text: string): number | undefined => {
    let mask = 0
    for (const word of text.toUpperCase().split(',')) {
      const bit = word === 'ALL' ? 63 : word === 'NONE' ? 0 : bits.find(([name]) => name === word)?.[1]
      if (bit === undefined) return undefined
      mask |= bit
    }
    return mask
  },
}
