import { type IpvsServer, type IpvsService, serviceName } from '../../artefact/ipvs.ts'
import type { Ip } from '../../net/ip.ts'
import type { TransportProtocol } from '../../net/port.ts'
import { type Scheduler, schedulerOf } from './schedule.ts'

/** IPVS in one network namespace: virtual services, connections, and which server clients stick to. */
export interface Ipvs {
  readonly services: ReadonlyMap<string, VirtualService>
  /** By what the client sends: `connectionKey`. */
  readonly connections: Map<string, IpvsConnection>
  /** By what the real server sends, oldest first. */
  readonly replies: Map<string, readonly IpvsConnection[]>
  /** By virtual service and client: persistence. */
  readonly templates: Map<string, { destination: Destination; expires: number }>
}

export interface VirtualService {
  readonly service: IpvsService
  /** The kernel's list: the server added last comes first. */
  readonly destinations: readonly Destination[]
  /** Undefined: the scheduler is not modelled. */
  readonly schedule: Scheduler | undefined
}

/** A real server and its load. */
export interface Destination extends IpvsServer {
  active: number
  inactive: number
  /** Still among the servers of its service. */
  present: boolean
}

export interface IpvsConnection {
  readonly protocol: TransportProtocol
  readonly client: Ip
  readonly clientPort: number
  readonly virtual: Ip
  readonly virtualPort: number
  readonly destination: Destination
  readonly service: IpvsService
  /** Conntrack knows of the translation (IP_VS_CONN_F_NFCT). */
  readonly tracked: boolean
  established: boolean
  /** Virtual milliseconds. */
  expires: number
}

/** `start` draws where a round begins: its history is not known. */
export function createIpvs(
  services: readonly IpvsService[],
  start: (n: number, service: IpvsService) => number,
  previous?: Ipvs,
): Ipvs {
  const made = new Map(services.map((service) => [serviceName(service), virtualService(service, start, previous)]))
  for (const before of previous?.services.values() ?? []) {
    const now = made.get(serviceName(before.service))?.destinations ?? []
    for (const d of before.destinations) d.present = now.includes(d)
  }
  return {
    services: made,
    connections: previous?.connections ?? new Map(),
    replies: previous?.replies ?? new Map(),
    templates: previous?.templates ?? new Map(),
  }
}

/** A server that was there before keeps its connections, and the scheduler its place. */
function virtualService(
  service: IpvsService,
  start: (n: number, service: IpvsService) => number,
  previous: Ipvs | undefined,
): VirtualService {
  const before = previous?.services.get(serviceName(service))
  const known = (server: IpvsServer): Destination | undefined =>
    before?.destinations.find(
      (d) => d.address === server.address && d.port === server.port && d.weight === server.weight,
    )
  const destinations = service.servers
    .map((server): Destination => known(server) ?? { ...server, active: 0, inactive: 0, present: true })
    .reverse()
  const isSame = before?.service.scheduler === service.scheduler
  const schedule = isSame ? before.schedule : schedulerOf(service, (n) => start(n, service))
  return { service, destinations, schedule }
}

/** `ipvsadm -Lnc` finds it so. */
export const connectionKey = (protocol: string, client: Ip, clientPort: number, virtual: Ip, port: number): string =>
  `${protocol} ${client} ${clientPort} ${virtual} ${port}`

/** Enters a connection under both directions. */
export function hashConnection(ipvs: Ipvs, key: string, c: IpvsConnection): void {
  const expired = ipvs.connections.get(key)
  if (expired) unhashConnection(ipvs, key, expired)
  ipvs.connections.set(key, c)
  ipvs.replies.set(replyKey(c), [...(ipvs.replies.get(replyKey(c)) ?? []), c])
}

export function unhashConnection(ipvs: Ipvs, key: string, c: IpvsConnection): void {
  ipvs.connections.delete(key)
  const others = (ipvs.replies.get(replyKey(c)) ?? []).filter((other) => other !== c)
  if (others.length > 0) ipvs.replies.set(replyKey(c), others)
  else ipvs.replies.delete(replyKey(c))
}

const replyKey = ({ protocol, destination, client, clientPort }: IpvsConnection): string =>
  connectionKey(protocol, destination.address, destination.port, client, clientPort)

/** Answers are known by the real server and the client. */
export function connectionOfReply(
  { replies }: Ipvs,
  reply: {
    readonly protocol: string
    readonly src: Ip
    readonly srcPort: number
    readonly dst: Ip
    readonly dstPort: number
  },
  now: number,
): IpvsConnection | undefined {
  const key = connectionKey(reply.protocol, reply.src, reply.srcPort, reply.dst, reply.dstPort)
  return replies.get(key)?.find((c) => c.expires > now)
}
