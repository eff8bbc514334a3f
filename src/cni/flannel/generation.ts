import { isAtLeast, type Version, version } from '../version.ts'

/** What the reference describes; taken where no image tag says a release. */
export const newestFlannel = version('v0.28.9')

/** Where flanneld's rules stand and how they read: network/ipmasq.go, later pkg/trafficmngr/iptables. */
export interface RuleGeneration {
  /** `flat`: in POSTROUTING and FORWARD themselves. `flannel`: the one FLANNEL chain of the first releases. */
  readonly chains: 'own' | 'flat' | 'flannel'
  /** The jumps to the own chains come first, or last. */
  readonly jump: 'appended' | 'inserted'
  /** A rule that leaves alone what kube-proxy marked. */
  readonly returnsMarked: boolean
  /** Local pods by their podCIDR, or all pods by the network. */
  readonly returns: 'by-subnet' | 'by-network'
  /** A rule that keeps the source of what comes from outside to local pods. */
  readonly keepsInbound: boolean
  /** A rule that masquerades what comes from nodes and outside to remote pods. */
  readonly masqueradesInbound: boolean
  readonly randomFully: boolean
  readonly forwards: boolean
  readonly ipv6: boolean
  readonly comments?: { readonly masq: string; readonly masquerade: string; readonly forward: string }
}

const flanneld = { masq: 'flanneld masq', masquerade: 'flanneld masq', forward: 'flanneld forward' }

const first: RuleGeneration = {
  chains: 'flannel',
  jump: 'appended',
  returnsMarked: false,
  returns: 'by-network',
  keepsInbound: false,
  masqueradesInbound: false,
  randomFully: false,
  forwards: false,
  ipv6: false,
}

/** What each release changed, oldest first. */
const changes: readonly (readonly [since: string, change: Partial<RuleGeneration>])[] = [
  ['v0.5.4', { masqueradesInbound: true }],
  ['v0.5.6', { chains: 'flat' }],
  ['v0.8.0-rc2', { keepsInbound: true }],
  ['v0.9.1', { forwards: true }],
  ['v0.11.0', { randomFully: true }],
  ['v0.15.0', { ipv6: true }],
  ['v0.16.2', { comments: { ...flanneld, masquerade: 'flannel masq' } }],
  ['v0.17.0', { comments: flanneld }],
  ['v0.20.0', { chains: 'own', jump: 'inserted' }],
  ['v0.20.2', { returnsMarked: true }],
  ['v0.21.0', { returns: 'by-subnet' }],
  ['v0.21.3', { jump: 'appended' }],
]

export const ruleGeneration = (v: Version): RuleGeneration =>
  Object.assign({}, first, ...changes.filter(([since]) => isAtLeast(v, since)).map(([, change]) => change))
