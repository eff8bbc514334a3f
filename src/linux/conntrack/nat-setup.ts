import type { IpRange, PortRange } from '../../artefact/iptables/rule.ts'
import { protocolNumbers } from '../../net/port.ts'
import type { Connection, Tuple } from './connection.ts'
import { addressInRange, isInAddressRange } from './nat-address.ts'
import type { Manip } from './rewrite.ts'
import type { ConntrackTable } from './table.ts'
import { invertTuple, isIcmpProtocol, tupleKey } from './tuple.ts'

/** What a NAT target asks for (struct nf_nat_range2). */
export interface NatRequest {
  readonly address?: IpRange
  readonly ports?: PortRange
  /** `--random` and `--random-fully`: a random port even where the old one is free. */
  readonly random: boolean
  readonly persistent: boolean
}

export interface NatEnvironment {
  readonly table: ConntrackTable
  readonly now: number
  /** A uniform integer below `n` that decides no verdict. */
  readonly noise: (n: number) => number
}

/**
 * nf_nat_setup_info: fixes what the connection's answers will look like, and with that its translation. Does nothing to a
 * connection that is in the table already.
 */
export function setUpNat(c: Connection, manip: Manip, request: NatRequest, env: NatEnvironment): void {
  if (c.confirmed) return
  const current = invertTuple(c.reply)
  c.reply = invertTuple(uniqueTuple(current, c, manip, request, env))
  c.natDone[manip] = true
}

/**
 * Null binding: no rule asked for a translation, so the address stays. A source port that another connection's answers
 * already use still changes.
 */
export function bindUnchanged(c: Connection, manip: Manip, env: NatEnvironment): void {
  const ip = manip === 'src' ? c.reply.dst : c.reply.src
  setUpNat(c, manip, { address: { from: ip, to: ip }, random: false, persistent: false }, env)
}

/** get_unique_tuple: the old tuple, a mapping that the source has already, or the first free port from a start. */
function uniqueTuple(current: Tuple, c: Connection, manip: Manip, request: NatRequest, env: NatEnvironment): Tuple {
  if (manip === 'src' && !request.random) {
    const kept = isInRange(current, request) ? current : mappingOfSource(current, c, request, env)
    if (kept && !isTaken(kept, c, env)) return kept
  }
  const address = request.address && addressInRange(request.address, current, manip, request.persistent)
  const moved: Tuple = { ...current, ...(address && { [manip]: address }) }
  if (!request.random) {
    const { ports } = request
    if (ports) {
      const fits = portFits(moved, manip, ports)
      if (fits && (ports.from === ports.to || !isTaken(moved, c, env))) return moved
    } else if (!isTaken(moved, c, env)) return moved
  }
  return searchPort(moved, c, manip, request, env)
}

/** nf_nat_used_tuple: whether another connection already awaits these answers. Two racing packets of one flow may. */
function isTaken(tuple: Tuple, c: Connection, env: NatEnvironment): boolean {
  const other = env.table.find(invertTuple(tuple), env.now)?.connection
  return other !== undefined && other !== c && tupleKey(other.original) !== tupleKey(c.original)
}

/** find_appropriate_src: a source that is translated already keeps its translation towards other destinations. */
function mappingOfSource(current: Tuple, c: Connection, request: NatRequest, env: NatEnvironment): Tuple | undefined {
  for (const other of env.table.fromSource(c.original)) {
    if (other.expires <= env.now) continue
    const { src, srcPort } = invertTuple(other.reply)
    const candidate = { ...current, src, srcPort }
    if (isInRange(candidate, request)) return candidate
  }
  return undefined
}

const isInRange = (tuple: Tuple, { address, ports }: NatRequest): boolean =>
  (!address || isInAddressRange(address, tuple, 'src')) && (!ports || portFits(tuple, 'src', ports))

function portFits(tuple: Tuple, manip: Manip, ports: PortRange): boolean {
  if (!hasPorts(tuple) && !isIcmpProtocol(tuple.protocol)) return true
  const port = tuple[portField(tuple, manip)]
  return port >= ports.from && port <= ports.to
}

/** NF_NAT_MAX_ATTEMPTS: how many ports are tried from one start. */
const maxAttempts = 128

/** nf_nat_l4proto_unique_tuple. Where nothing is free the last port tried stays, and the packet fails when confirmed. */
function searchPort(tuple: Tuple, c: Connection, manip: Manip, request: NatRequest, env: NatEnvironment): Tuple {
  const range = searchRange(tuple, manip, request.ports)
  if (!range) return tuple
  const field = portField(tuple, manip)
  const size = range.to - range.from + 1
  const fromStart = manip === 'dst' && !request.random && !isIcmpProtocol(tuple.protocol)
  let offset = fromStart ? 0 : env.noise(size)
  let tried = tuple
  for (let attempts = Math.min(size, maxAttempts); ; attempts = Math.floor(attempts / 2)) {
    for (let i = 0; i < attempts; i++, offset++) {
      tried = { ...tuple, [field]: range.from + (offset % size) }
      if (!isTaken(tried, c, env)) return tried
    }
    if (attempts >= size || attempts < 16) return tried
    offset = env.noise(size)
  }
}

/** Ports stay in the class of the old one: privileged, below 1024, or above. Undefined where none may be chosen. */
function searchRange(tuple: Tuple, manip: Manip, asked: PortRange | undefined): PortRange | undefined {
  if (isIcmpProtocol(tuple.protocol)) return asked ?? { from: 0, to: 65535 }
  if (!hasPorts(tuple)) return undefined
  if (asked) return asked.from <= asked.to ? asked : { from: asked.to, to: asked.from }
  if (manip === 'dst') return undefined
  if (tuple.srcPort < 512) return { from: 1, to: 511 }
  return tuple.srcPort < 1024 ? { from: 600, to: 1023 } : { from: 1024, to: 65535 }
}

const portField = (tuple: Tuple, manip: Manip): 'srcPort' | 'dstPort' =>
  manip === 'src' || isIcmpProtocol(tuple.protocol) ? 'srcPort' : 'dstPort'

const withPorts: ReadonlySet<number> = new Set([protocolNumbers.tcp, protocolNumbers.udp, protocolNumbers.sctp])
const hasPorts = (tuple: Tuple): boolean => withPorts.has(tuple.protocol)
