/** Deeper nesting than this is no manifest; following it would only exhaust the stack. */
export const maxDepth = 200
/** Values that the aliases of one document may expand to. */
export const maxExpanded = 1_000_000

/** `cycle`: an alias stands inside the value that it refers to. */
export type PlainFault = 'aliases' | 'depth' | 'cycle'

/**
 * Drops nulls as the API server does (`labels: null` is no labels), in place; in maps of texts a null is the empty text.
 * Nulls in lists stay, for the schema to find. Walks shared parts once per use, so `limit` bounds what aliases expand to.
 */
export function dropNulls(root: unknown, limit = Number.POSITIVE_INFINITY): PlainFault | undefined {
  let visited = 0
  const mayCycle = limit < Number.POSITIVE_INFINITY
  const around: object[] = []
  const walk = (value: unknown, depth: number, textMap: boolean): PlainFault | undefined => {
    if (typeof value !== 'object' || value === null) return undefined
    if (mayCycle && depth > 0 && around.lastIndexOf(value, depth - 1) >= 0) return 'cycle'
    if (depth > maxDepth) return 'depth'
    around[depth] = value
    if (Array.isArray(value)) {
      for (const item of value) {
        if (++visited > limit) return 'aliases'
        const fault = walk(item, depth + 1, false)
        if (fault) return fault
      }
      return undefined
    }
    const map = value as Record<string, unknown>
    for (const key of Object.keys(map)) {
      if (++visited > limit) return 'aliases'
      if (map[key] === null) {
        if (textMap && !selectorFields.has(key)) map[key] = ''
        else delete map[key]
        continue
      }
      const fault = walk(map[key], depth + 1, textMaps.has(key))
      if (fault) return fault
    }
    return undefined
  }
  return walk(root, 0, false)
}

const textMaps = new Set(['labels', 'annotations', 'matchLabels', 'nodeSelector', 'selector', 'data', 'stringData'])
const selectorFields = new Set(['matchLabels', 'matchExpressions'])
