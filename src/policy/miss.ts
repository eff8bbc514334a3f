import type { LabelSelector, Labels } from '../kube/objects/meta.ts'
import { matchesLabelSelector } from '../kube/selector.ts'
import type { Ip } from '../net/ip.ts'
import type { Protocol } from '../net/port.ts'
import type { Prefix } from '../net/prefix.ts'

/** One field in which a rule and a connection differ: what the rule wants, and what was found. */
export type Miss =
  /** The rule names pods (or nodes), and the other end is none. */
  | { readonly field: 'end'; readonly wants: 'pod' | 'node'; readonly found: 'pod' | 'node' | 'address' }
  | { readonly field: 'namespace'; readonly wants: string; readonly found: string }
  | {
      readonly field: 'namespace-label' | 'pod-label' | 'node-label'
      /** One term of a selector, as kubectl writes it. */
      readonly wants: string
      readonly key: string
      readonly found: string | undefined
    }
  /** An address outside all of these blocks; or no address known. */
  | { readonly field: 'address'; readonly wants: readonly Prefix[]; readonly found: Ip | undefined }
  | { readonly field: 'except'; readonly wants: Prefix; readonly found: Ip }
  | { readonly field: 'domain'; readonly wants: readonly string[]; readonly found: string | undefined }
  | { readonly field: 'protocol'; readonly wants: Protocol; readonly found: Protocol }
  | {
      readonly field: 'port'
      readonly wants: { readonly from: number; readonly to: number }
      readonly found: number | undefined
      /** The name that stood for the number. */
      readonly name?: string
      /** What the client dialled, where a Service changed it. */
      readonly dialled?: number
    }
  /** No port of this name on the destination, or the destination is no pod. */
  | { readonly field: 'port-name'; readonly wants: string; readonly pod: boolean }
  /** The rule has no usable entry here. */
  | { readonly field: 'entry' }

type LabelField = 'namespace-label' | 'pod-label' | 'node-label'

/** The terms of a selector that do not hold. None exactly if the selector matches. */
export function selectorMisses(selector: LabelSelector, labels: Labels, field: LabelField): Miss[] {
  if (matchesLabelSelector(selector, labels)) return []
  return termsOf(selector)
    .filter((term) => !matchesLabelSelector(term.selector, labels))
    .map(({ key, text }) => ({ field, wants: text, key, found: Object.hasOwn(labels, key) ? labels[key] : undefined }))
}

interface Term {
  readonly key: string
  readonly text: string
  readonly selector: LabelSelector
}

/** A selector as its parts, which must all hold. */
export function termsOf(selector: LabelSelector): readonly Term[] {
  const labels = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => ({
    key,
    text: `${key}=${value}`,
    selector: { matchLabels: { [key]: value } },
  }))
  const expressions = (selector.matchExpressions ?? []).map((e) => ({
    key: e.key,
    text: formatExpression(e),
    selector: { matchExpressions: [e] },
  }))
  return [...labels, ...expressions]
}

function formatExpression(e: NonNullable<LabelSelector['matchExpressions']>[number]): string {
  const values = (e.values ?? []).join(',')
  switch (e.operator) {
    case 'In':
      return `${e.key} in (${values})`
    case 'NotIn':
      return `${e.key} notin (${values})`
    case 'Exists':
      return e.key
    case 'DoesNotExist':
      return `!${e.key}`
  }
}
