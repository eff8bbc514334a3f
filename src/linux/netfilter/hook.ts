import type { TableName } from '../../artefact/iptables/rule.ts'
import type { Skb } from '../skb.ts'

export type Hook = 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting'

/** What runs at a hook, besides tables: connection tracking, and the entry of a new connection into its table. */
export type Stage = TableName | 'conntrack' | 'confirm'

/** Everything at each hook, lowest NF_IP_PRI_* first (include/uapi/linux/netfilter_ipv4.h). */
export const stagesAt = {
  prerouting: ['raw', 'conntrack', 'mangle', 'nat'],
  input: ['mangle', 'filter', 'security', 'nat', 'confirm'],
  forward: ['mangle', 'filter', 'security'],
  output: ['raw', 'conntrack', 'mangle', 'nat', 'filter', 'security'],
  postrouting: ['mangle', 'nat', 'confirm'],
} as const satisfies Record<Hook, readonly Stage[]>

/** NF_IP_PRI_* of each; nat rewrites sources at its second place. What iptables registered is older than nftables' chains. */
export function stagePriority(stage: Stage, hook: Hook): number {
  if (stage === 'nat') return hook === 'prerouting' || hook === 'output' ? -100 : 100
  return priorities[stage]
}

const priorities: Readonly<Record<Exclude<Stage, 'nat'>, number>> = {
  raw: -300,
  conntrack: -200,
  mangle: -150,
  filter: 0,
  security: 50,
  confirm: Number.MAX_SAFE_INTEGER,
}

export type HookResult =
  | { readonly verdict: 'accept'; readonly skb: Skb }
  | { readonly verdict: 'drop'; readonly skb: Skb }
  /** Dropped by REJECT: the caller sends the answer, then forgets the packet. */
  | { readonly verdict: 'reject'; readonly skb: Skb; readonly answer: RejectAnswer }
  /** Taken out of the hook: whoever took it sends it on. */
  | { readonly verdict: 'stolen'; readonly skb: Skb }
  /** A rule that cannot be evaluated was reached. */
  | { readonly verdict: 'undecided'; readonly skb: Skb }

/** ICMP numbers of the packet's own family. */
export type RejectAnswer =
  | { readonly kind: 'icmp'; readonly type: number; readonly code: number }
  | { readonly kind: 'tcp-reset' }
