import fc from 'fast-check'
import { type Family, type Ip, ipAt } from '../../src/net/ip.ts'
import { type Mac, macAt } from '../../src/net/mac.ts'
import type { Arp, Frame, IcmpMessage, IpPacket, IpPayload } from '../../src/packet/packet.ts'

export const anyIp = (family: Family): fc.Arbitrary<Ip> =>
  fc.bigInt({ min: 1n, max: family === 'ipv4' ? 0xffffffffn : (1n << 128n) - 1n }).map((n) => ipAt(n, family))

export const anyFamily = (): fc.Arbitrary<Family> => fc.constantFrom('ipv4', 'ipv6')

export const anyMac = (): fc.Arbitrary<Mac> =>
  fc.array(fc.nat(255), { minLength: 6, maxLength: 6 }).map((octets) => macAt(octets))

const octet = () => fc.nat(255)
const word = () => fc.nat(0xffff)
const long = () => fc.nat(0xffffffff)
const data = () => fc.nat(1400)
const port = word

/** A packet that the wire can carry whole: no fragment, and nothing that only an IPv4 header has in IPv6. */
export function anyPacket(depth = 2): fc.Arbitrary<IpPacket> {
  return anyFamily().chain((family) => packetOf(family, depth))
}

export function packetOf(family: Family, depth = 2): fc.Arbitrary<IpPacket> {
  return fc.record({
    src: anyIp(family),
    dst: anyIp(family),
    ttl: octet(),
    tos: octet(),
    id: family === 'ipv4' ? word() : fc.constant(0),
    df: family === 'ipv4' ? fc.boolean() : fc.constant(true),
    payload: payloadOf(family, depth),
  })
}

export function anyFrame(depth = 2): fc.Arbitrary<Frame> {
  const payload = fc.oneof(
    { weight: 3, arbitrary: anyPacket(depth).map((packet) => ({ kind: 'ip', packet }) as const) },
    { weight: 1, arbitrary: anyArp().map((arp) => ({ kind: 'arp', arp }) as const) },
  )
  return fc.record({ dst: anyMac(), src: anyMac(), payload })
}

function anyArp(): fc.Arbitrary<Arp> {
  return fc.record({
    op: fc.constantFrom('request', 'reply'),
    senderMac: anyMac(),
    senderIp: anyIp('ipv4'),
    targetMac: anyMac(),
    targetIp: anyIp('ipv4'),
  })
}

function payloadOf(family: Family, depth: number): fc.Arbitrary<IpPayload> {
  const flat = [anyTcp(), anyUdp(), anySctp(), anyOther(), echo()]
  if (depth === 0) return fc.oneof(...flat)
  return fc.oneof(...flat, ...nested(depth - 1), icmp(family, depth - 1))
}

const anyTcp = () =>
  fc.record({
    kind: fc.constant('tcp' as const),
    srcPort: port(),
    dstPort: port(),
    flags: octet(),
    seq: long(),
    ack: long(),
    options: fc.nat(10).map((n) => 4 * n),
    data: data(),
  })

const anyUdp = () => fc.record({ kind: fc.constant('udp' as const), srcPort: port(), dstPort: port(), data: data() })

const anySctp = () =>
  fc.record({
    kind: fc.constant('sctp' as const),
    srcPort: port(),
    dstPort: port(),
    chunk: fc.constantFrom('init', 'init-ack', 'abort', 'data'),
    // Room for no parameter, or for the header of one.
    data: fc.oneof(fc.constant(0), fc.integer({ min: 4, max: 1400 })),
  })

// Numbers that IANA leaves unassigned or keeps for experiments: no IPv6 extension header is among them.
const anyOther = () =>
  fc.record({
    kind: fc.constant('other' as const),
    protocol: fc.integer({ min: 149, max: 254 }),
    data: data(),
  })

function nested(depth: number): fc.Arbitrary<IpPayload>[] {
  const udp = { kind: fc.constant('udp' as const), srcPort: port(), dstPort: port(), data: fc.constant(0) }
  const vxlan = fc.record({ vni: fc.nat(0xffffff), inner: anyFrame(depth) })
  return [
    fc.record({ kind: fc.constant('ipip' as const), inner: anyPacket(depth) }),
    fc.record({ ...udp, vxlan }),
    fc.record({ ...udp, tunnelled: anyPacket(depth) }),
  ]
}

const echo = () =>
  fc
    .record({ kind: fc.constantFrom('echo-request', 'echo-reply'), id: word(), seq: word(), data: data() })
    .map((message): IpPayload => ({ kind: 'icmp', message }))

function icmp(family: Family, depth: number): fc.Arbitrary<IpPayload> {
  const quoted = packetOf(family, depth)
  const messages: fc.Arbitrary<IcmpMessage>[] = [errorOf(family, quoted), redirectOf(family, quoted)]
  return fc
    .oneof(...messages, ...(family === 'ipv6' ? neighbour() : []))
    .map((message): IpPayload => ({ kind: 'icmp', message }))
}

function errorOf(family: Family, quoted: fc.Arbitrary<IpPacket>): fc.Arbitrary<IcmpMessage> {
  const kind = fc.constant('error' as const)
  const [type, plain] = family === 'ipv4' ? [[3, 11, 12], 3] : [[1, 3, 4], 7]
  const mtu = family === 'ipv4' ? { type: 3, code: 4, max: 0xffff } : { type: 2, code: 0, max: 0xffffffff }
  return fc.oneof(
    fc.record({ kind, type: fc.constantFrom(...type), code: fc.nat(plain), quoted }),
    fc.record({
      kind,
      type: fc.constant(mtu.type),
      code: fc.constant(mtu.code),
      mtu: fc.integer({ min: 1, max: mtu.max }),
      quoted,
    }),
  )
}

/** A quotation in an ICMPv6 redirect loses up to seven bytes; the IP header that it starts with still tells its length. */
function redirectOf(family: Family, quoted: fc.Arbitrary<IpPacket>): fc.Arbitrary<IcmpMessage> {
  const code = family === 'ipv4' ? fc.nat(3) : fc.constant(0)
  return fc.record({ kind: fc.constant('redirect' as const), code, gateway: anyIp(family), quoted })
}

function neighbour(): fc.Arbitrary<IcmpMessage>[] {
  const target = anyIp('ipv6')
  return [
    fc.record(
      { kind: fc.constant('neighbour-solicitation' as const), target, sourceMac: anyMac() },
      { requiredKeys: ['kind', 'target'] },
    ),
    fc.record({
      kind: fc.constant('neighbour-advertisement' as const),
      target,
      targetMac: anyMac(),
      solicited: fc.boolean(),
      override: fc.boolean(),
    }),
  ]
}
