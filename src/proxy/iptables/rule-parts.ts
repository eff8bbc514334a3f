import type { Match, Negatable, Rule, Target } from '../../artefact/iptables/rule.ts'
import type { Origin, OriginObject } from '../../artefact/origin.ts'
import { type Ip, ip } from '../../net/ip.ts'
import type { TransportProtocol } from '../../net/port.ts'
import { hostPrefix, type Prefix } from '../../net/prefix.ts'
import type { DetectLocal, ProxySettings } from '../proxy-settings.ts'

/** A rule and the chain that it is appended to. The table is known where it stands. */
export interface ChainRule {
  readonly chain: string
  readonly rule: Rule
}

export const rule = (chain: string, parts: Rule): ChainRule => ({ chain, rule: parts })

export const comment = (text: string): Match => ({ kind: 'comment', text })
export const jump = (chain: string): Target => ({ kind: 'jump', chain })
export const host = (address: Ip): Negatable<Prefix> => ({ value: hostPrefix(address) })

/** `-m tcp --dport 80`; the match prints `-m tcp` alone without a port. */
export const transport = (protocol: TransportProtocol, port?: number): Match =>
  port === undefined ? { kind: protocol } : { kind: protocol, dport: { value: { from: port, to: port } } }

export const isLocalDestination: Match = { kind: 'addrtype', dstType: { value: ['LOCAL'] } }
export const isLocalSource: Match = { kind: 'addrtype', srcType: { value: ['LOCAL'] } }

const fullMask = { ipv4: ip('255.255.255.255'), ipv6: ip('ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff') } as const

/** The affinity list of an endpoint chain is named for it. */
export const remember = (list: string, { family }: ProxySettings): Match => ({
  kind: 'recent',
  op: { value: 'set' },
  name: list,
  mask: fullMask[family],
  side: 'source',
})

export const isRemembered = (list: string, seconds: number, { family }: ProxySettings): Match => ({
  kind: 'recent',
  op: { value: 'rcheck' },
  seconds,
  reap: true,
  name: list,
  mask: fullMask[family],
  side: 'source',
})

/** The match of "from a pod of this node" or of its contrary; undefined without a detector. */
export function detect(by: DetectLocal, not?: 'not'): Pick<Rule, 'source' | 'inInterface'> | undefined {
  const negation = not && ({ not: true } as const)
  switch (by.by) {
    case 'none':
      return undefined
    case 'source':
      return { source: { ...negation, value: by.prefix } }
    case 'interface':
      return { inInterface: { ...negation, value: by.pattern } }
  }
}

export const origin = (note: string, object?: OriginObject): Origin => ({
  by: 'kube-proxy',
  note,
  ...(object && { object }),
})
