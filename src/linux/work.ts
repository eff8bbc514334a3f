import type { DeviceName, Link } from '../artefact/link.ts'
import { deviceSysctl, readSysctlNumber, type Sysctls } from '../artefact/sysctl.ts'
import type { Family, Ip } from '../net/ip.ts'
import type { IpPacket } from '../packet/packet.ts'
import type { Action } from './action.ts'
import { derivedOnce } from './derived-once.ts'
import type { Emit } from './emit.ts'
import type { DropEvent, DropReason, LinuxEvent } from './event.ts'
import type { Output } from './kernel.ts'
import type { Netns } from './netns.ts'

/** One step of a namespace: what it tells, what leaves it, and what is still to be done inside. */
export interface Work {
  readonly ns: Netns
  readonly emit: Emit<LinuxEvent>
  readonly outputs: Output[]
  /** What the action in hand asks for; done before anything that was asked for earlier. */
  readonly next: Action[]
  /** netif_rx: what a device of this namespace hands back to it, taken up when all else is done. */
  readonly backlog: Action[]
}

export const linkOf = (work: Work, device: DeviceName): Link | undefined => work.ns.links.get(device)

export function loopbackOf(work: Work): DeviceName {
  for (const link of work.ns.links.values()) if (link.kind.kind === 'loopback') return link.name
  throw new Error('a namespace without a loopback device')
}

/** What was asked of these settings before: a frame that a bridge floods asks the same of a hundred namespaces. */
const answers = derivedOnce((_: Sysctls) => new Map<string, number>())

function remembered(sysctls: Sysctls, key: string, read: () => number): number {
  const known = answers(sysctls)
  const before = known.get(key)
  if (before !== undefined) return before
  const value = read()
  known.set(key, value)
  return value
}

export function conf({ ns }: Work, family: Family, device: DeviceName, name: string): number {
  const { sysctls } = ns.state
  return remembered(sysctls, `${family} ${device} ${name}`, () => deviceSysctl(sysctls, family, device, name))
}

export function isOn({ ns }: Work, key: string): boolean {
  const { sysctls } = ns.state
  return remembered(sysctls, key, () => readSysctlNumber(sysctls, key) ?? 0) !== 0
}

export const isLocalIp = (work: Work, ip: Ip): boolean => work.ns.addresses.byIp.has(ip)

export function drop(
  work: Work,
  reason: DropReason,
  packet: IpPacket | undefined,
  detail: string,
  device?: DeviceName,
): void {
  const event: DropEvent = { kind: 'drop', reason, packet, detail }
  work.emit(device === undefined ? event : { ...event, device })
}

/** Whether packets that came in by this device may go on. For IPv6, `all` decides. */
export const isForwarding = (work: Work, family: Family, device: DeviceName): boolean =>
  conf(work, family, device, 'forwarding') !== 0
