import type { Ip } from '../net/ip.ts'
import type { ConnectFailure, Network, Target } from './network.ts'
import type { SessionState } from './outcome.ts'
import { bgpPort, type Neighbor, type PeerSettings, type Speaker } from './speaker.ts'

/** One side's configuration of a session. */
export interface End {
  readonly speaker: Speaker
  readonly neighbor: Neighbor
  readonly settings: PeerSettings
  /** Source address. */
  readonly local: Ip
  readonly disabled: boolean
}

/** The state of one side, as `show protocols` prints it, and the reason in words. */
export interface EndStatus {
  readonly state: SessionState
  readonly info: string
  readonly because?: string
}

export interface Attempt {
  readonly near: EndStatus
  readonly far?: EndStatus
  readonly opens: number
  readonly keepalives: number
  readonly notifications: number
}

const established: EndStatus = { state: 'Established', info: '' }
const up: Attempt = { near: established, far: established, opens: 2, keepalives: 2, notifications: 0 }
/** Both sides dialled: two connections, OPEN on both, the one of the lower identifier is closed (RFC 4271 6.8). */
const upAfterCollision: Attempt = { ...up, opens: 4, notifications: 1 }

/** Texts of BIRD's last error for NOTIFICATION codes (RFC 4271 6). */
export const bgpErrors = {
  badPeerAs: 'Bad peer AS',
  badIdentifier: 'Bad BGP identifier',
  holdTime: 'Unacceptable hold time',
  holdTimer: 'Hold timer expired',
  shutdown: 'Administrative shutdown',
  deconfigured: 'Peer de-configured',
  otherChange: 'Other configuration change',
} as const

export const localAsOf = (end: { readonly speaker: Speaker; readonly settings: PeerSettings }): number =>
  end.settings.localAs ?? end.speaker.as

export const isInternal = (end: Pick<End, 'speaker' | 'settings' | 'neighbor'>): boolean =>
  end.neighbor.as === localAsOf(end)

export const isPassive = (end: Pick<End, 'settings' | 'neighbor' | 'local'>): boolean =>
  end.settings.passive === 'by address' ? end.neighbor.address > end.local : (end.settings.passive ?? false)

/** Links the session may cross: undefined for one that may cross any number. */
const allowedHops = (end: End): number | undefined => {
  const { multihop } = end.settings
  if (typeof multihop === 'number') return multihop
  return multihop === true || isInternal(end) ? undefined : 1
}

/**
 * Tries to bring one session up. `far` is the other side's configuration for this very address pair; `farSpeaker` runs
 * at the address, with or without such a configuration.
 */
export function attempt(near: End, far: End | undefined, farSpeaker: Speaker | undefined, network: Network): Attempt {
  const out = dial(near, far, farSpeaker, network)
  const back = far && dial(far, near, near.speaker, network)
  if (out === 'connected' || back === 'connected') {
    if (far) return openExchange(near, far, out === back)
  }
  return { near: waiting(out), ...(back && { far: waiting(back) }), opens: 0, keepalives: 0, notifications: 0 }
}

type Dial = 'connected' | EndStatus

const waiting = (dialled: Dial): EndStatus => (dialled === 'connected' ? { state: 'Active', info: '' } : dialled)

const passiveStatus: EndStatus = { state: 'Passive', info: '' }
const downStatus: EndStatus = { state: 'Down', info: '', because: 'the session is disabled' }

function dial(from: End, to: End | undefined, speaker: Speaker | undefined, network: Network): Dial {
  if (from.disabled) return downStatus
  if (!isReady(from, network)) return notOnLink(from)
  if (isPassive(from)) return passiveStatus
  const failure = connectFailure(from, to, speaker, network)
  if (failure) return failedStatus(failure)
  if (!to) return closed(`${speaker?.id} has no session configured for ${from.local}`)
  if (to.disabled) return closed(`the session is disabled on ${to.speaker.id}`)
  if (!isReady(to, network)) return closed(`${to.speaker.id} does not see ${from.local} as a direct neighbour`)
  if (to.settings.sourceAddress && to.settings.sourceAddress !== from.neighbor.address)
    return closed(`${to.speaker.id} takes this session at ${to.settings.sourceAddress} only`)
  const tooFar = ttlFailure(from, to, network)
  return tooFar ? failedStatus(tooFar) : 'connected'
}

const closed = (because: string): EndStatus => ({ state: 'Active', info: 'Socket: Connection closed', because })

/** eBGP without multihop waits until the neighbour is on one of its links. */
const isReady = (end: End, network: Network): boolean =>
  allowedHops(end) !== 1 || network.linkTo(end.speaker, end.neighbor.address) !== undefined

const notOnLink = (end: End): EndStatus => ({
  state: 'Idle',
  info: '',
  because: `${end.neighbor.address} is on no link of ${end.speaker.id}, and eBGP without multihop needs that`,
})

function failedStatus({ kind, because }: ConnectFailure): EndStatus {
  const reason = because === undefined ? {} : { because }
  if (kind === 'timeout') return { state: 'Connect', info: '', ...reason }
  return {
    state: 'Active',
    info: kind === 'refused' ? 'Socket: Connection refused' : 'Socket: No route to host',
    ...reason,
  }
}

function connectFailure(
  from: End,
  to: End | undefined,
  speaker: Speaker | undefined,
  network: Network,
): ConnectFailure | undefined {
  const port = from.neighbor.port ?? bgpPort
  const address = from.neighbor.address
  const target: Target = speaker ? { speaker, address } : { address }
  const failure = network.canConnect({ speaker: from.speaker, address: from.local }, target, port)
  if (failure) return failure
  if (!speaker) return { kind: 'refused', because: `no BGP speaker runs at ${address}` }
  return notListening(speaker, address, port) ?? (to && passwordFailure(from, to))
}

function notListening({ id, listen }: Speaker, address: Ip, port: number): ConnectFailure | undefined {
  const open = listen?.port ?? bgpPort
  if (open !== port) return { kind: 'refused', because: `${id} listens on port ${open}, not ${port}` }
  if (!listen?.addresses || listen.addresses.includes(address)) return undefined
  return { kind: 'refused', because: `${id} does not listen on ${address}` }
}

/** A wrong MD5 digest: the far kernel drops the SYN without an answer. */
function passwordFailure(from: End, to: End): ConnectFailure | undefined {
  if (from.settings.password === to.settings.password) return undefined
  return { kind: 'timeout', because: `the TCP MD5 passwords of ${from.speaker.id} and ${to.speaker.id} differ` }
}

/** A TTL that does not last to the far end, or that its TTL security takes for forged. */
function ttlFailure(from: End, to: End, network: Network): ConnectFailure | undefined {
  const target: Target = { speaker: to.speaker, address: from.neighbor.address }
  const hops = 1 + routersBetween(from, target, network)
  for (const [sender, receiver] of [
    [from, to],
    [to, from],
  ] as const) {
    const ttl = sender.settings.ttlSecurity ? 255 : (allowedHops(sender) ?? 64)
    if (ttl < hops)
      return { kind: 'timeout', because: `${sender.speaker.id} sends with TTL ${ttl}, ${hops} links away` }
    const least = receiver.settings.ttlSecurity ? 256 - (allowedHops(receiver) ?? 64) : 1
    if (ttl - (hops - 1) < least)
      return { kind: 'timeout', because: `TTL security of ${receiver.speaker.id} asks for TTL ${least} or more` }
  }
  return undefined
}

const routersBetween = (from: End, target: Target, network: Network): number =>
  network.hops?.({ speaker: from.speaker, address: from.local }, target) ??
  (network.linkTo(from.speaker, target.address) === undefined ? 1 : 0)

function openExchange(near: End, far: End, collision: boolean): Attempt {
  const errorAtFar = openError(near, far)
  const errorAtNear = openError(far, near)
  if (!errorAtFar && !errorAtNear) return collision ? upAfterCollision : up
  return {
    near: failedOpen(errorAtNear, errorAtFar),
    far: failedOpen(errorAtFar, errorAtNear),
    opens: 2,
    keepalives: (errorAtNear ? 0 : 1) + (errorAtFar ? 0 : 1),
    notifications: (errorAtNear ? 1 : 0) + (errorAtFar ? 1 : 0),
  }
}

interface OpenError {
  readonly text: string
  readonly because: string
}

function failedOpen(own: OpenError | undefined, others: OpenError | undefined): EndStatus {
  if (own) return { state: 'Idle', info: `BGP Error: ${own.text}`, because: own.because }
  return { state: 'Idle', info: `Received: ${others?.text}`, because: others?.because ?? '' }
}

/** What `receiver` finds wrong with the OPEN of `sender`, in the order in which BIRD looks. */
function openError(sender: End, receiver: End): OpenError | undefined {
  const [from, at] = [sender.speaker.id, receiver.speaker.id]
  const { holdTime = 240, routerId } = sender.speaker
  if (holdTime > 0 && holdTime < 3)
    return {
      text: bgpErrors.holdTime,
      because: `${from} offers a hold time of ${holdTime} s; 0 or at least 3 is allowed`,
    }
  if (routerId === '0.0.0.0' || (isInternal(receiver) && routerId === receiver.speaker.routerId))
    return { text: bgpErrors.badIdentifier, because: `${from} and ${at} both have the router id ${routerId}` }
  if (localAsOf(sender) !== receiver.neighbor.as)
    return {
      text: bgpErrors.badPeerAs,
      because: `${from} is AS ${localAsOf(sender)}, and ${at} expects AS ${receiver.neighbor.as}`,
    }
  return undefined
}
