import type { DeviceName } from '../artefact/link.ts'
import type { LinuxEvent } from '../linux/event.ts'
import type { Input } from '../linux/kernel.ts'
import type { IpPacket } from '../packet/packet.ts'

/** What is told of a visit: by the kernel, and by the processes that it hands packets to. */
export type ClusterEvent = LinuxEvent | PassageEvent

/** A packet crosses between the kernel and a process that carries packets, out of or into a TUN device or a socket. */
export interface PassageEvent {
  readonly kind: 'passage'
  readonly to: 'process' | 'kernel'
  readonly process: string
  /** The TUN device whose packets the process carries. */
  readonly device: DeviceName
  readonly by: 'tun' | 'socket'
  /** The carried packet, as it crosses. */
  readonly packet: IpPacket
  /** Through a socket: the other end, `192.168.0.101:8285`. */
  readonly peer?: string
  /** How the process found the peer. */
  readonly because?: string
}

/** A program in a namespace that packets pass through. It owns TUN devices and a socket, and answers what comes out of them. */
export interface Process {
  readonly name: string
  readonly devices: readonly DeviceName[]
  /** Owner of its listening sockets. */
  readonly owner: string
  /** A packet that the kernel sent out by one of its devices. */
  readonly packetRead: (device: DeviceName, packet: IpPacket) => Reaction
  /** A datagram for its socket. */
  readonly datagramReceived: (packet: IpPacket) => Reaction
}

/** What a process tells, and what it hands back to the kernel of its namespace. */
export interface Reaction {
  readonly events: readonly ClusterEvent[]
  readonly inputs: readonly Input[]
}
