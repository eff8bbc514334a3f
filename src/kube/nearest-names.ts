import { editDistance } from './names.ts'

/**
 * Known names that may have been meant, best first: those that begin with what was typed (`frontend` for
 * `frontend-7c9f6b-x2k4q`), that hold it, or that are a few slips away from it or from its like-sized beginning.
 */
export function nearestNames(text: string, known: readonly string[], most = 3): readonly string[] {
  const wanted = text.toLowerCase()
  const scored = known.flatMap((name) => {
    const score = distanceTo(wanted, name.toLowerCase())
    return score <= Math.max(1, Math.floor(wanted.length / 3)) ? [{ name, score }] : []
  })
  return scored
    .sort((a, b) => a.score - b.score)
    .slice(0, most)
    .map((s) => s.name)
}

function distanceTo(wanted: string, name: string): number {
  if (name.startsWith(wanted)) return 0
  if (wanted.length > 2 && name.includes(wanted)) return 0.5
  const whole = editDistance(wanted, name)
  const beginning = editDistance(wanted, name.slice(0, wanted.length)) + 0.5
  return Math.min(whole, beginning)
}
