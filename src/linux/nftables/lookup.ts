import type { SetUse } from '../../artefact/nft/expression.ts'
import type { NftElement } from '../../artefact/nft/value.ts'
import type { NftScope } from './evaluate.ts'
import { runtimeSet } from './sets.ts'

export type Find = (key: readonly string[], now: number) => NftElement | undefined

/** Finds elements of the set or map that a rule names or holds. */
export function lookupFor(use: SetUse, scope: NftScope): Find {
  if (use.kind === 'anonymous') {
    const set = runtimeSet({ elements: use.elements }, 0)
    return (key, now) => set.find(key, now)
  }
  const { name } = use
  return (key, now) => scope.sets(name)?.find(key, now)
}
