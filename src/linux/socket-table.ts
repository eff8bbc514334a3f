import type { ListeningSocket } from '../artefact/netns.ts'
import type { Ip } from '../net/ip.ts'
import type { TransportProtocol } from '../net/port.ts'
import type { IpPacket } from '../packet/packet.ts'
import { derivedOnce } from './derived-once.ts'

/** Both ends of a connected socket, ours first. */
export interface Ends {
  readonly protocol: TransportProtocol
  readonly local: Ip
  readonly localPort: number
  readonly remote: Ip
  readonly remotePort: number
}

export interface ConnectedSocket {
  readonly ends: Ends
  readonly owner: string
  /** IP_TTL, where the process has set it: the kernel's own answers of this socket have it too. */
  readonly ttl?: number
  state: 'syn-sent' | 'syn-received' | 'established'
}

/** The sockets of a namespace. Connected ones are found before listening ones. */
export interface Sockets {
  listeners: ReadonlyMap<string, readonly ListeningSocket[]>
  readonly connected: Map<string, ConnectedSocket>
  /** Owners of ICMP echo ids, per family. */
  readonly pings: Map<string, string>
}

export function createSockets(listening: readonly ListeningSocket[]): Sockets {
  return { listeners: listenersOf(listening), connected: new Map(), pings: new Map() }
}

export function replaceListeners(sockets: Sockets, listening: readonly ListeningSocket[]): void {
  sockets.listeners = listenersOf(listening)
}

const listenersOf = derivedOnce(
  (listening: readonly ListeningSocket[]): ReadonlyMap<string, readonly ListeningSocket[]> => {
    const byPort = new Map<string, ListeningSocket[]>()
    for (const socket of listening) {
      const key = `${socket.protocol} ${socket.port}`
      byPort.set(key, [...(byPort.get(key) ?? []), socket])
    }
    return byPort
  },
)

/** A socket bound to the address itself wins over one bound to all (compute_score). */
export function findListener(
  sockets: Sockets,
  protocol: TransportProtocol,
  address: Ip,
  port: number,
): ListeningSocket | undefined {
  const candidates = sockets.listeners.get(`${protocol} ${port}`) ?? []
  return candidates.find((s) => s.address === address) ?? candidates.find((s) => s.address === undefined)
}

const keyOf = (e: Ends): string => `${e.protocol} ${e.local} ${e.localPort} ${e.remote} ${e.remotePort}`

export function connect(sockets: Sockets, socket: ConnectedSocket): void {
  sockets.connected.set(keyOf(socket.ends), socket)
}

export const findConnected = (sockets: Sockets, ends: Ends): ConnectedSocket | undefined =>
  sockets.connected.get(keyOf(ends))

export function close(sockets: Sockets, ends: Ends): void {
  sockets.connected.delete(keyOf(ends))
}

/** A socket of this host that waits on the same port for somebody else. */
export function awaitsAnother(sockets: Sockets, ends: Ends): ConnectedSocket | undefined {
  for (const socket of sockets.connected.values()) {
    const { protocol, localPort, local } = socket.ends
    if (protocol === ends.protocol && localPort === ends.localPort && local === ends.local) return socket
  }
  return undefined
}

type Ported = Extract<IpPacket['payload'], { srcPort: number }>

/** The ends as the receiver of the packet sees them. */
export function endsAt(packet: IpPacket, payload: Ported): Ends {
  return {
    protocol: payload.kind,
    local: packet.dst,
    localPort: payload.dstPort,
    remote: packet.src,
    remotePort: payload.srcPort,
  }
}

export const swapEnds = (e: Ends): Ends => ({
  protocol: e.protocol,
  local: e.remote,
  localPort: e.remotePort,
  remote: e.local,
  remotePort: e.localPort,
})
