/** A word of a rule. `raw` is how it stood, quotes included. */
export interface Token {
  readonly text: string
  readonly raw: string
  /** Quoted words are never options. */
  readonly quoted: boolean
}

/**
 * Splits a line as iptables-restore does: double quotes group, and only inside them a backslash escapes. `shell` also
 * takes single quotes and escapes outside quotes, as in a line copied from a script. Undefined: a quote stays open.
 */
export function tokenize(line: string, shell = false): readonly Token[] | undefined {
  const tokens: Token[] = []
  let at = 0
  while (at < line.length) {
    if (isBlank(line[at])) {
      at++
      continue
    }
    const word = readWord(line, at, shell)
    if (word === undefined) return undefined
    tokens.push(word.token)
    at = word.end
  }
  return tokens
}

const isBlank = (c: string | undefined): boolean => c === ' ' || c === '\t' || c === '\r' || c === '\n'

function readWord(line: string, start: number, shell: boolean): { token: Token; end: number } | undefined {
  let text = ''
  let quote = ''
  let quoted = false
  let at = start
  for (; at < line.length; at++) {
    const c = line[at] ?? ''
    if (quote !== '') {
      if (c === quote) quote = ''
      else if (c === '\\' && quote === '"' && at + 1 < line.length) text += line[++at]
      else text += c
    } else if (isBlank(c)) break
    else if (c === '"' || (shell && c === "'")) {
      quote = c
      quoted = true
    } else if (shell && c === '\\' && at + 1 < line.length) text += line[++at]
    else text += c
  }
  return quote === '' ? { token: { text, raw: line.slice(start, at), quoted }, end: at } : undefined
}

/** xtables_save_string (libxtables): bare when made of letters, digits, `_` and `-` only; else quoted and escaped. */
export function quote(text: string): string {
  if (/^[A-Za-z0-9_-]+$/.test(text)) return text
  return `"${text.replace(/["\\']/g, (c) => `\\${c}`)}"`
}
