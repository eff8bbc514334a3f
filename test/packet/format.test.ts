import { describe, expect, test } from 'vitest'
import { ip } from '../../src/net/ip.ts'
import { mac } from '../../src/net/mac.ts'
import { formatFlags, formatFrame, formatPacket } from '../../src/packet/format.ts'
import { type IpPacket, type IpPayload, type Tcp, tcpFlag } from '../../src/packet/packet.ts'

const between = (src: string, dst: string, payload: IpPayload): IpPacket => ({
  ...{ src: ip(src), dst: ip(dst), ttl: 64, tos: 0, id: 0, df: true },
  payload,
})
const syn: Tcp = {
  ...{ kind: 'tcp', srcPort: 41822, dstPort: 80, flags: tcpFlag.syn },
  ...{ seq: 0, ack: 0, options: 20, data: 0 },
}
const request = between('10.244.1.5', '10.96.45.67', syn)
const [a, b] = [mac('02:00:00:00:00:0a'), mac('02:00:00:00:00:0b')]

describe('formatPacket', () => {
  test.each<[string, IpPacket, string]>([
    ['a SYN', request, 'tcp SYN 10.244.1.5:41822 > 10.96.45.67:80'],
    ['a SYN over IPv6', between('fd00::5', 'fd00::1', syn), 'tcp SYN [fd00::5]:41822 > [fd00::1]:80'],
    [
      'a datagram',
      between('10.0.0.1', '10.0.0.2', { kind: 'udp', srcPort: 5353, dstPort: 53, data: 40 }),
      'udp 10.0.0.1:5353 > 10.0.0.2:53 (40 bytes)',
    ],
    [
      'an SCTP chunk',
      between('10.0.0.1', '10.0.0.2', { kind: 'sctp', srcPort: 1, dstPort: 2, chunk: 'init-ack', data: 0 }),
      'sctp INIT-ACK 10.0.0.1:1 > 10.0.0.2:2',
    ],
    [
      'an error',
      between('10.0.0.9', '10.244.1.5', {
        kind: 'icmp',
        message: { kind: 'error', type: 3, code: 3, quoted: request },
      }),
      'icmp 3/3 10.0.0.9 > 10.244.1.5 quoting {tcp SYN 10.244.1.5:41822 > 10.96.45.67:80}',
    ],
    [
      'an error with an MTU',
      between('fd00::9', 'fd00::5', {
        kind: 'icmp',
        message: { kind: 'error', type: 2, code: 0, mtu: 1450, quoted: between('fd00::5', 'fd00::1', syn) },
      }),
      'icmp6 2/0 mtu 1450 fd00::9 > fd00::5 quoting {tcp SYN [fd00::5]:41822 > [fd00::1]:80}',
    ],
    [
      'an echo request',
      between('10.0.0.1', '10.0.0.2', {
        kind: 'icmp',
        message: { kind: 'echo-request', id: 7, seq: 1, data: 56 },
      }),
      'icmp echo request 10.0.0.1 > 10.0.0.2 id 7 seq 1',
    ],
    [
      'a redirect',
      between('10.0.0.1', '10.0.0.2', {
        kind: 'icmp',
        message: { kind: 'redirect', code: 1, gateway: ip('10.0.0.3'), quoted: request },
      }),
      'icmp 5/1 to 10.0.0.3 10.0.0.1 > 10.0.0.2 quoting {tcp SYN 10.244.1.5:41822 > 10.96.45.67:80}',
    ],
    [
      'a VXLAN packet',
      between('192.168.50.11', '192.168.50.12', {
        ...{ kind: 'udp', srcPort: 50000, dstPort: 8472, data: 0 },
        vxlan: { vni: 1, inner: { dst: b, src: a, payload: { kind: 'ip', packet: request } } },
      }),
      'vxlan 1 192.168.50.11 > 192.168.50.12 {tcp SYN 10.244.1.5:41822 > 10.96.45.67:80}',
    ],
    [
      'a fragment',
      between('10.0.0.1', '10.0.0.2', {
        ...{ kind: 'fragment', whole: request, offset: 8, length: 16, more: true },
      }),
      'fragment 8-24+ of {tcp SYN 10.244.1.5:41822 > 10.96.45.67:80}',
    ],
    [
      'a neighbour solicitation',
      between('fd00::5', 'ff02::1:ff00:1', {
        kind: 'icmp',
        message: { kind: 'neighbour-solicitation', target: ip('fd00::1') },
      }),
      'icmp6 who-has fd00::1 tell fd00::5',
    ],
    [
      'another protocol',
      between('10.0.0.1', '10.0.0.2', { kind: 'other', protocol: 47, data: 0 }),
      'proto 47 10.0.0.1 > 10.0.0.2',
    ],
    [
      'IP in IP',
      between('192.168.50.11', '192.168.50.12', { kind: 'ipip', inner: request }),
      'ipip 192.168.50.11 > 192.168.50.12 {tcp SYN 10.244.1.5:41822 > 10.96.45.67:80}',
    ],
  ])('%s', (_, packet, line) => {
    expect(formatPacket(packet)).toBe(line)
  })
})

test.each([
  ['request', 'arp who-has 10.0.0.2 tell 10.0.0.1'],
  ['reply', 'arp 10.0.0.1 is-at 02:00:00:00:00:0a'],
] as const)('an ARP %s', (op, line) => {
  const arp = { op, senderMac: a, senderIp: ip('10.0.0.1'), targetMac: b, targetIp: ip('10.0.0.2') }
  expect(formatFrame({ dst: b, src: a, payload: { kind: 'arp', arp } })).toBe(line)
})

test('flags are named in the order of a handshake', () => {
  expect(formatFlags(tcpFlag.syn | tcpFlag.ack)).toBe('SYN,ACK')
  expect(formatFlags(0)).toBe('none')
})
