const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
] as const

/** Milliseconds as nft prints a time: `1h30m`, `10s`. */
export function formatTime(milliseconds: number): string {
  let rest = Math.round(milliseconds)
  let text = ''
  for (const [unit, size] of units) {
    const count = Math.floor(rest / size)
    if (count > 0) text += `${count}${unit}`
    rest -= count * size
  }
  return text === '' ? '0s' : text
}

/** `3h`, `10800s`, `1m30s`; a bare number is seconds. In milliseconds. */
export function parseTime(text: string): number | undefined {
  if (/^\d{1,12}$/.test(text)) return Number(text) * 1000
  if (!/^(\d{1,12}(ms|d|h|m|s))+$/.test(text)) return undefined
  let total = 0
  for (const [, count, unit] of text.matchAll(/(\d+)(ms|d|h|m|s)/g)) {
    total += Number(count) * (units.find(([name]) => name === unit)?.[1] ?? 0)
  }
  return total
}
