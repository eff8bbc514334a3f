import picocolors from 'picocolors'

/** Colours by meaning. Words and symbols carry it as well: nothing depends on colour. */
export interface Paint {
  readonly good: (text: string) => string
  readonly bad: (text: string) => string
  readonly change: (text: string) => string
  readonly object: (text: string) => string
  readonly evidence: (text: string) => string
  readonly place: (text: string) => string
}

export function paintFor(colour: boolean): Paint {
  // Undefined would mean: ask the environment.
  const c = picocolors.createColors(colour === true)
  return { good: c.green, bad: c.red, change: c.yellow, object: c.cyan, evidence: c.dim, place: c.bold }
}

/** Symbols, with an ASCII fallback for terminals without UTF-8. */
export interface Symbols {
  readonly place: string
  readonly step: string
  readonly last: string
  readonly to: string
  readonly yes: string
  readonly no: string
  readonly warn: string
  readonly wire: string
}

export const unicode: Symbols = { place: '●', step: '├─', last: '└─', to: '→', yes: '✔', no: '✖', warn: '⚠', wire: '═' }
export const ascii: Symbols = { place: '*', step: '|-', last: '`-', to: '->', yes: 'ok', no: 'x', warn: '!', wire: '=' }
