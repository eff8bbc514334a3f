import { parseSelector, type Selector, withPrefix } from '../../../kube/calico-selector.ts'
import type { EntityRule } from '../../../kube/objects/calico.ts'

const namespaceLabel = 'projectcalico.org/namespace'

/** Undefined for a text that does not parse: it selects nothing, and the caller says so. */
const parsed = (text: string | undefined): Selector | undefined => {
  if (text === undefined || text.trim() === '') return undefined
  const result = parseSelector(text)
  return result.ok ? result.selector : nothing
}

/** What a broken selector selects. */
const nothing: Selector = { kind: 'not', of: { kind: 'all' } }

const join = (parts: readonly (Selector | undefined)[]): Selector | undefined => {
  const given = parts.filter((p) => p !== undefined)
  const [first] = given
  return given.length <= 1 ? first : { kind: 'and', of: given }
}

/**
 * Whom one side of a rule means (libcalico-go updateprocessors, GetEndpointSelector): namespace labels are looked up under
 * `pcns.`, and a policy with a namespace means its own unless a namespaceSelector says otherwise. Undefined: anyone.
 */
export function peerSelector(entity: EntityRule, namespace: string | undefined): Selector | undefined {
  const { selector, notSelector, namespaceSelector, serviceAccounts } = entity
  const accounts = accountSelector(serviceAccounts)
  const own = parsed(selector)
  const asked = own !== undefined || accounts !== undefined || (notSelector ?? '') !== ''
  return join([namespaces(namespaceSelector, namespace, asked), accounts, own])
}

function namespaces(text: string | undefined, own: string | undefined, asked: boolean): Selector | undefined {
  const given = parsed(text)
  if (given !== undefined) return withPrefix(given, 'pcns.')
  return own !== undefined && asked ? isIn(own) : undefined
}

const isIn = (namespace: string): Selector => ({ kind: 'compare', key: namespaceLabel, op: '==', value: namespace })

function accountSelector(accounts: EntityRule['serviceAccounts']): Selector | undefined {
  const { names = [], selector } = accounts ?? {}
  const byName: Selector | undefined =
    names.length === 0
      ? undefined
      : { kind: 'in', key: 'projectcalico.org/serviceaccount', values: [...new Set(names)].sort() }
  const byLabel = parsed(selector)
  return join([byName, byLabel && withPrefix(byLabel, 'pcsa.')])
}

/** Whom a rule names as not meant. */
export const excludedSelector = (entity: EntityRule): Selector | undefined => parsed(entity.notSelector)

/** Whom a policy is about: those of its namespace, or of the namespaces that it selects. */
export function policySelector(policy: {
  readonly namespace?: string
  readonly spec: {
    readonly selector?: string
    readonly namespaceSelector?: string
    readonly serviceAccountSelector?: string
  }
}): Selector {
  const { selector, namespaceSelector, serviceAccountSelector } = policy.spec
  const accounts = parsed(serviceAccountSelector)
  const spaces = parsed(namespaceSelector)
  const own = parsed(selector)
  const all = join([
    spaces && withPrefix(spaces, 'pcns.'),
    accounts && withPrefix(accounts, 'pcsa.'),
    policy.namespace === undefined ? own : join([own, isIn(policy.namespace)]),
  ])
  return all ?? { kind: 'all' }
}

/** As Felix has it at hand when it names a group of policies. */
export function policySelectorText(policy: {
  readonly namespace?: string
  readonly spec: { readonly selector?: string }
}): string {
  const { selector = '' } = policy.spec
  if (policy.namespace === undefined) return selector === '' ? 'all()' : selector
  const scope = `${namespaceLabel} == '${policy.namespace}'`
  return selector === '' ? scope : `(${selector}) && ${scope}`
}
