import { describe, expect, test } from 'vitest'
import { type Skb, skbOf } from '../../../src/linux/skb.ts'
import { mac } from '../../../src/net/mac.ts'
import type { IpPacket } from '../../../src/packet/packet.ts'
import { device, echo, icmpError, matched, packet, rig, tcp, udp } from './rig.ts'

/** What becomes of a packet at filter FORWARD under one rule that drops. */
function verdict(rule: string, skb: Skb, family: 'v4' | 'v6' = 'v4'): 'matches' | 'passes' | 'undecided' {
  const r = rig({
    [family]: `*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD ${rule} -j DROP\nCOMMIT\n`,
    local: ['10.0.0.9', 'fd00::9'],
  })
  const result = r.run('forward', { ...skb, inDevice: skb.inDevice ?? device('eth0'), outDevice: device('cni0') })
  if (result.verdict === 'undecided') return 'undecided'
  // The linear walk without the sieve must agree.
  const slow = rig({
    [family]: `*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD ${rule} -j DROP\nCOMMIT\n`,
    local: ['10.0.0.9', 'fd00::9'],
    everyRule: true,
  })
  const again = slow.run('forward', { ...skb, inDevice: skb.inDevice ?? device('eth0'), outDevice: device('cni0') })
  expect(again.verdict).toBe(result.verdict)
  const misses = slow.events.filter((e) => e.kind === 'rule-miss')
  expect(misses.every((e) => e.failed !== '')).toBe(true)
  return result.verdict === 'drop' ? 'matches' : 'passes'
}

const web = skbOf(tcp('10.0.0.1:40000', '10.0.0.2:80', 'S'))
const laterFragment = skbOf({
  ...packet('10.0.0.1', '10.0.0.2', {
    kind: 'fragment',
    whole: udp('10.0.0.1:40000', '10.0.0.2:53'),
    offset: 1480,
    length: 8,
    more: false,
  }),
  df: false,
})
const firstFragment = skbOf({
  ...packet('10.0.0.1', '10.0.0.2', {
    kind: 'fragment',
    whole: udp('10.0.0.1:40000', '10.0.0.2:53'),
    offset: 0,
    length: 1480,
    more: true,
  }),
  df: false,
})
const other = (protocol: number): IpPacket => packet('10.0.0.1', '10.0.0.2', { kind: 'other', protocol, data: 4 })

describe('the IP header and the devices', () => {
  test.each([
    ['-s 10.0.0.0/8', web, 'matches'],
    ['-s 10.0.0.2/32', web, 'passes'],
    ['! -s 10.0.0.0/8', web, 'passes'],
    ['! -s 10.0.0.2/32', web, 'matches'],
    ['-d 10.0.0.2/32', web, 'matches'],
    ['-d 10.0.0.0/30', web, 'matches'],
    ['-d 0.0.0.0/0', web, 'matches'],
    ['-d 10.0.0.3/32', web, 'passes'],
    ['-i eth+', web, 'matches'],
    ['-i eth', web, 'passes'],
    ['! -i eth+', web, 'passes'],
    ['-o cni0', web, 'matches'],
    ['-o cni', web, 'passes'],
    ['-p tcp', web, 'matches'],
    ['! -p tcp', web, 'passes'],
    ['-p 6', web, 'matches'],
    ['-p all', web, 'matches'],
    ['-p 4', skbOf(other(4)), 'matches'],
    ['-p ipencap', skbOf(other(4)), 'matches'],
    ['-p udp', web, 'passes'],
    ['-f', laterFragment, 'matches'],
    ['-f', firstFragment, 'passes'],
    ['! -f', web, 'matches'],
    ['-p udp', laterFragment, 'matches'],
  ] as const)('%s', (rule, skb, expected) => {
    expect(verdict(rule, skb)).toBe(expected)
  })
})

describe('ports and TCP flags', () => {
  test.each([
    ['-p tcp -m tcp --dport 80', web, 'matches'],
    ['-p tcp -m tcp --dport 70:90', web, 'matches'],
    ['-p tcp -m tcp --dport 81', web, 'passes'],
    ['-p tcp -m tcp ! --dport 80', web, 'passes'],
    ['-p tcp -m tcp ! --dport 81', web, 'matches'],
    ['-p tcp -m tcp --sport 40000', web, 'matches'],
    ['-p tcp -m tcp --sport 1:1023', web, 'passes'],
    ['-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN', web, 'matches'],
    ['-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN', web, 'passes'],
    ['-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN', skbOf(tcp('10.0.0.1:1', '10.0.0.2:80', 'S.')), 'passes'],
    ['-p udp -m udp --dport 53', firstFragment, 'matches'],
    ['-p udp -m udp --dport 53', laterFragment, 'passes'],
    ['-p udp -m udp ! --dport 54', laterFragment, 'passes'],
    ['-p tcp -m multiport --dports 22,80,443', web, 'matches'],
    ['-p tcp -m multiport --dports 22,8000:8100', web, 'passes'],
    ['-p tcp -m multiport ! --dports 22,443', web, 'matches'],
    ['-p tcp -m multiport --sports 80', web, 'passes'],
    ['-p tcp -m multiport --ports 40000', web, 'matches'],
    ['-p udp -m multiport ! --dports 1', laterFragment, 'passes'],
  ] as const)('%s', (rule, skb, expected) => {
    expect(verdict(rule, skb)).toBe(expected)
  })
})

describe('what else a packet carries', () => {
  const ping = skbOf(echo('10.0.0.1', '10.0.0.2', 7))
  const error = skbOf(icmpError('10.0.0.1', '10.0.0.2', udp('10.0.0.2:1', '10.0.0.1:2'), 3, 4))
  const bridged: Skb = { ...web, physIn: device('veth1'), physOut: device('veth2') }
  test.each([
    ['-p icmp -m icmp --icmp-type 8', ping, 'matches'],
    ['-p icmp -m icmp --icmp-type 0', ping, 'passes'],
    ['-p icmp -m icmp ! --icmp-type 0', ping, 'matches'],
    ['-p icmp -m icmp --icmp-type any', ping, 'matches'],
    ['-p icmp -m icmp --icmp-type 3/4', error, 'matches'],
    ['-p icmp -m icmp --icmp-type 3/3', error, 'passes'],
    ['-p icmp -m icmp --icmp-type 3', error, 'matches'],
    ['-m mark --mark 0x4000/0x4000', { ...web, mark: 0xc000 }, 'matches'],
    ['-m mark --mark 0x4000/0x4000', { ...web, mark: 0x8000 }, 'passes'],
    ['-m mark ! --mark 0x4000/0x4000', { ...web, mark: 0x8000 }, 'matches'],
    ['-m mark --mark 0x80000000/0x80000000', { ...web, mark: 0x80000001 }, 'matches'],
    ['-m addrtype --dst-type LOCAL', skbOf(udp('10.0.0.1:1', '10.0.0.9:2')), 'matches'],
    ['-m addrtype --dst-type LOCAL', web, 'passes'],
    ['-m addrtype ! --dst-type LOCAL', web, 'matches'],
    ['-m addrtype --src-type LOCAL --dst-type LOCAL', skbOf(udp('10.0.0.1:1', '10.0.0.9:2')), 'passes'],
    ['-m mac --mac-source 02:00:00:00:00:01', { ...web, sourceMac: mac('02:00:00:00:00:01') }, 'matches'],
    ['-m mac ! --mac-source 02:00:00:00:00:02', { ...web, sourceMac: mac('02:00:00:00:00:01') }, 'matches'],
    ['-m mac ! --mac-source 02:00:00:00:00:02', web, 'passes'],
    ['-m iprange --src-range 10.0.0.1-10.0.0.5', web, 'matches'],
    ['-m iprange ! --src-range 10.0.0.1-10.0.0.5', web, 'passes'],
    ['-m iprange --dst-range 10.0.0.3-10.0.0.5', web, 'passes'],
    ['-m pkttype --pkt-type broadcast', { ...web, packetType: 'broadcast' as const }, 'matches'],
    ['-m pkttype --pkt-type unicast', { ...web, packetType: 'host' as const }, 'matches'],
    ['-m physdev --physdev-in veth1', bridged, 'matches'],
    ['-m physdev --physdev-in veth+ --physdev-out veth2', bridged, 'matches'],
    ['-m physdev --physdev-out veth1', bridged, 'passes'],
    ['-m physdev --physdev-is-bridged', bridged, 'matches'],
    ['-m physdev --physdev-is-bridged', web, 'passes'],
    ['-m physdev ! --physdev-is-bridged', web, 'matches'],
    ['-m physdev ! --physdev-in veth1', web, 'matches'],
    ['-m comment --comment "anything"', web, 'matches'],
    ['-m set --match-set nowhere src', web, 'undecided'],
    ['-m made_up --option', web, 'undecided'],
    ['-s 10.9.0.0/16 -m made_up --option', web, 'passes'],
    ['-m made_up --option -p udp', web, 'passes'],
  ] as const)('%s', (rule, skb, expected) => {
    expect(verdict(rule, skb)).toBe(expected)
  })
})

describe('IPv6', () => {
  const v6 = skbOf(tcp('[fd00::1]:40000', '[fd00:0:0:1::2]:80', 'S'))
  test.each([
    ['-d fd00:0:0:1::/64', v6, 'matches'],
    ['-d fd00:0:0:2::/64', v6, 'passes'],
    ['-d fd00:0:0:1::2/128', v6, 'matches'],
    ['-d fd00:0:0:2::2/128', v6, 'passes'],
    ['! -s fd00::/16', v6, 'passes'],
    ['-s fd00::/17 -p tcp -m tcp --dport 80', v6, 'matches'],
    ['-m addrtype --dst-type LOCAL', skbOf(udp('[fd00::1]:1', '[fd00::9]:2')), 'matches'],
    ['-p ipv6-icmp -m icmp6 --icmpv6-type 128', skbOf(echo('fd00::1', 'fd00::2', 3)), 'matches'],
    ['-p ipv6-icmp -m icmp6 --icmpv6-type 129', skbOf(echo('fd00::1', 'fd00::2', 3)), 'passes'],
  ] as const)('%s', (rule, skb, expected) => {
    expect(verdict(rule, skb, 'v6')).toBe(expected)
  })
})

describe('matches that count or draw', () => {
  const filter = (...rules: string[]) =>
    `*filter\n:FORWARD ACCEPT [0:0]\n${rules.map((r) => `-A FORWARD ${r}`).join('\n')}\nCOMMIT\n`

  test('statistic asks for a lot, tells of it, and does not draw where an earlier condition fails', () => {
    const r = rig({
      v4: filter(
        '-p udp -m statistic --mode random --probability 0.5 -j DROP',
        '-p tcp -m statistic --mode random --probability 0.5 -j DROP',
      ),
      lots: [true],
    })
    expect(r.run('forward', web).verdict).toBe('drop')
    expect(r.events.filter((e) => e.kind === 'choice')).toEqual([
      { kind: 'choice', table: 'filter', chain: 'FORWARD', index: 2, taken: true, numerator: 2 ** 30 },
    ])
  })

  test('statistic nth takes the packet that was asked for out of every n', () => {
    const r = rig({ v4: filter('-m statistic --mode nth --every 3 --packet 1 -j DROP') })
    expect([1, 2, 3, 4, 5, 6].map(() => r.run('forward', web).verdict)).toEqual([
      'accept',
      'drop',
      'accept',
      'accept',
      'drop',
      'accept',
    ])
  })

  test('recent remembers a source for as long as was asked', () => {
    const r = rig({
      v4: filter(
        '-m recent --rcheck --seconds 10 --reap --name L --mask 255.255.255.255 --rsource -j DROP',
        '-p tcp -m recent --set --name L --mask 255.255.255.255 --rsource',
      ),
    })
    const at = (seconds: number, skb = web): string => {
      r.clock = seconds * 1000
      return r.run('forward', skb).verdict
    }
    expect([at(0), at(9), at(10), at(11), at(12), at(12, skbOf(tcp('10.0.0.7:1', '10.0.0.2:80', 'S')))]).toEqual([
      'accept',
      'drop',
      'drop',
      'accept',
      'drop',
      'accept',
    ])
  })

  test('recent --update with a hit count drops the fourth packet of a minute', () => {
    const r = rig({
      v4: filter(
        '-m recent --set --name S --mask 255.255.255.255 --rsource',
        '-m recent --update --seconds 60 --hitcount 4 --name S --mask 255.255.255.255 --rsource -j DROP',
      ),
    })
    expect([1, 2, 3, 4].map(() => r.run('forward', web).verdict)).toEqual(['accept', 'accept', 'accept', 'drop'])
  })

  test('recent --remove forgets, and a mask makes one entry of a network', () => {
    const r = rig({
      v4: filter(
        '-p tcp -m recent --set --name S --mask 255.255.255.0 --rsource',
        '-p udp -m recent --remove --name S --mask 255.255.255.0 --rsource -j DROP',
      ),
    })
    r.run('forward', web)
    const neighbour = skbOf(udp('10.0.0.200:1', '10.0.0.2:2'))
    expect([r.run('forward', neighbour).verdict, r.run('forward', neighbour).verdict]).toEqual(['drop', 'accept'])
  })

  test('limit lets a burst pass and then one packet per interval', () => {
    const r = rig({ v4: filter('-m limit --limit 1/sec --limit-burst 2 -j ACCEPT', '-j DROP') })
    const at = (ms: number): string => {
      r.clock = ms
      return r.run('forward', web).verdict
    }
    expect([at(0), at(0), at(0), at(1000), at(1500)]).toEqual(['accept', 'accept', 'drop', 'accept', 'drop'])
  })

  test('a rule that only counts or logs goes on even where its condition is unknown', () => {
    const r = rig({ v4: filter('-m made_up --option', '-m made_up --option -j LOG', '-p tcp -j DROP') })
    expect(r.run('forward', web).verdict).toBe('drop')
    expect(matched(r)).toEqual(['filter FORWARD#3 drop'])
  })
})
