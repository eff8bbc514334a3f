import type { ExtensionModule, GivenOption, OptionSpec } from './module.ts'
import type { Match, Target } from './rule.ts'

/** An extension named in a rule, with the options given to it so far. */
export interface Loaded {
  readonly name: string
  /** Undefined: an extension that is not modelled. */
  readonly module: ExtensionModule<Match> | ExtensionModule<Target> | undefined
  readonly given: Map<string, GivenOption>
  /** The options as they stood, for an extension that is kept as text. */
  readonly raw: string[]
  /** An option that is not modelled was given: keep the whole as text. */
  opaque: boolean
}

export const load = (name: string, module: Loaded['module']): Loaded => ({
  name,
  module,
  given: new Map(),
  raw: [],
  opaque: false,
})

/** The one spelling of an option that the module models, and how many values it takes. */
export function optionOf(
  module: Loaded['module'],
  name: string,
): readonly [canonical: string, arity: number] | undefined {
  const options = module?.options
  if (!options || !Object.hasOwn(options, name)) return undefined
  const spec: OptionSpec | undefined = options[name]
  if (typeof spec !== 'string') return spec === undefined ? undefined : [name, spec]
  const target = options[spec]
  return typeof target === 'number' ? [spec, target] : undefined
}

/** Whether the option belongs to the module, modelled or kept as text. */
export const hasOption = (module: ExtensionModule<Match> | ExtensionModule<Target>, name: string): boolean =>
  optionOf(module, name) !== undefined || (module.kept?.includes(name) ?? false)
