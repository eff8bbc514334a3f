/**
 * Number of insertions, deletions, replacements and swaps of neighbours between two words (optimal string alignment): the
 * slips of people who type. Words here are field and kind names, so the quadratic table is small.
 */
export function editDistance(a: string, b: string): number {
  let [before, last] = [[] as number[], Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const costs = [at(last, j) + 1, at(row, j - 1) + 1, at(last, j - 1) + (same ? 0 : 1)]
      if (swapped) costs.push(at(before, j - 2) + 1)
      row.push(Math.min(...costs))
    }
    ;[before, last] = [last, row]
  }
  return at(last, b.length)
}

const at = (row: readonly number[], i: number): number => row[i] ?? 0

/**
 * The known name that was probably meant, ignoring case; of equals, the first. Undefined where nothing is close: a third of
 * the letters may differ, at least one.
 */
export function nearestName(text: string, known: Iterable<string>): string | undefined {
  const wanted = text.toLowerCase().slice(0, 100)
  const slips = Math.max(1, Math.floor(wanted.length / 3))
  let best: { readonly name: string; readonly distance: number } | undefined
  for (const name of known) {
    if (Math.abs(name.length - wanted.length) > slips) continue
    const distance = editDistance(wanted, name.toLowerCase())
    if (distance <= slips && distance < (best?.distance ?? Number.POSITIVE_INFINITY)) best = { name, distance }
  }
  return best?.name
}
