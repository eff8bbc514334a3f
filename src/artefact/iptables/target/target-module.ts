import type { ExtensionModule } from '../module.ts'
import type { Target } from '../rule.ts'

type OfKind<T extends { readonly kind: string }, K> = T extends unknown ? (K extends T['kind'] ? T : never) : never

export type TargetOf<K extends Target['kind']> = OfKind<Target, K>
/** A target extension: what may follow `-j` and is no chain. */
export type TargetModule<K extends Target['kind']> = ExtensionModule<TargetOf<K>>
