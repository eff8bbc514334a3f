import { formatSelector, type Selector } from '../../../kube/calico-selector.ts'
import { hashedId } from '../names.ts'

/** What the set of everything that a selector selects is called: `s:` and a hash. */
export const selectorId = (s: Selector): string => hashedId('s', formatSelector(s))
