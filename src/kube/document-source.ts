import type { FieldPath } from './field-path.ts'
import { jsonOffsetOf } from './json.ts'
import type { Source } from './source.ts'
import { yamlOffsetOf } from './yaml.ts'

/** A file's text with what is needed to turn offsets into lines, worked out when first asked for. */
export class SourceText {
  readonly path: string
  readonly text: string
  #lineStarts: Uint32Array | undefined

  constructor(path: string, text: string) {
    this.path = path
    this.text = text
  }

  /** 1-based. */
  lineAt(offset: number): number {
    this.#lineStarts ??= lineStartsOf(this.text)
    const starts = this.#lineStarts
    let [low, high] = [0, starts.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((starts[middle] ?? 0) <= offset) low = middle + 1
      else high = middle
    }
    return low
  }

  /** 1-based. */
  columnAt(offset: number): number {
    return offset - this.text.lastIndexOf('\n', offset - 1)
  }
}

function lineStartsOf(text: string): Uint32Array {
  const starts = [0]
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return Uint32Array.from(starts)
}

/** A stretch of a file that holds one object. */
export interface Stretch {
  readonly format: 'yaml' | 'json'
  readonly from: number
  readonly to: number
}

/** Costs nothing until a line is asked for; then the stretch is read again, with positions. */
export function documentSource(file: SourceText, stretch: Stretch): Source {
  const offsetOf = (path: FieldPath): number => {
    if (path.length === 0) return stretch.from
    if (stretch.format === 'json') return jsonOffsetOf(file.text, stretch.from, path)
    // The first line keeps its column, so an entry of a list stands as it did.
    const indent = file.columnAt(stretch.from) - 1
    const text = ' '.repeat(indent) + file.text.slice(stretch.from, stretch.to)
    return stretch.from + Math.max(0, yamlOffsetOf(text, path) - indent)
  }
  return {
    file: file.path,
    get line() {
      return file.lineAt(stretch.from)
    },
    lineOf: (path) => file.lineAt(offsetOf(path)),
  }
}
