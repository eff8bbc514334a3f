import type { ExtensionModule } from '../module.ts'
import type { Match } from '../rule.ts'

type OfKind<M extends { readonly kind: string }, K> = M extends unknown ? (K extends M['kind'] ? M : never) : never

export type MatchKind = Exclude<Match['kind'], 'unknown'>
export type MatchOf<K extends MatchKind> = OfKind<Match, K>
export type MatchModule<K extends MatchKind> = ExtensionModule<MatchOf<K>>
