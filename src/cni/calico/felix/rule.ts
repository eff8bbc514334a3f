import type { Origin } from '../../../artefact/origin.ts'
import { hex } from './marks.ts'

/**
 * One rule as Felix writes it: the pieces of the text that it hands to iptables-restore and hashes. Long options, because the
 * hash is taken over the text.
 */
export interface FelixRule {
  readonly comments?: readonly string[]
  readonly match?: string
  /** `--jump ACCEPT`; absent for a rule that only carries a comment. */
  readonly action?: string
  readonly origin?: Origin
  /** Felix's own accounts, besides jumps and cleared marks, which always are. */
  readonly bookkeeping?: true
}

export interface FelixChain {
  readonly name: string
  readonly rules: readonly FelixRule[]
}

/** What Felix writes after `-A CHAIN` and its own comment: comments, match, action. */
export const ruleText = ({ comments = [], match = '', action = '' }: FelixRule): string =>
  [...comments.map((c) => `-m comment --comment "${commentText(c)}"`), match, action].filter((t) => t !== '').join(' ')

/** Characters that might end the quoting become `_`; 256 at most. */
const commentText = (text: string): string => text.replace(/[^\w @%+=:,./-]/g, '_').slice(0, 256)

export const jumpTo = (chain: string): string => `--jump ${chain}`
export const goTo = (chain: string): string => `--goto ${chain}`
export const clearMark = (mask: number): string => `--jump MARK --set-mark 0/${hex(mask)}`
export const setMark = (mark: number): string => setMaskedMark(mark, mark)
export const setMaskedMark = (mark: number, mask: number): string => `--jump MARK --set-mark ${hex(mark)}/${hex(mask)}`

export const markIsSet = (mark: number): string => `-m mark --mark ${hex(mark)}/${hex(mark)}`
export const markIsClear = (mark: number): string => `-m mark --mark 0/${hex(mark)}`
export const markIsNotClear = (mark: number): string => `-m mark ! --mark 0/${hex(mark)}`

/** `side`: `src`, or `dst,dst` for a set of addresses with ports. */
export const inSet = (set: string, side: string): string => `-m set --match-set ${set} ${side}`
export const notInSet = (set: string, side: string): string => `-m set ! --match-set ${set} ${side}`

export const conntrackIs = (states: string): string => `-m conntrack --ctstate ${states}`

export const nflog = (group: 1 | 2, prefix: string): string =>
  `--jump NFLOG --nflog-group ${group} --nflog-prefix ${prefix.slice(0, 64)} --nflog-range 80`
