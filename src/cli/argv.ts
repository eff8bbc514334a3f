import yargs, { type Argv } from 'yargs'

export type { Argv }

/** An empty parser, which neither ends the process nor reads words as more than they say. */
export const newParser = (): Argv =>
  yargs()
    .exitProcess(false)
    .parserConfiguration({ 'boolean-negation': false, 'dot-notation': false, 'parse-positional-numbers': false })
