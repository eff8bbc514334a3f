import { describe, expect, test } from 'vitest'
import type { ConntrackEntry } from '../../../src/artefact/netns.ts'
import { attachmentOf } from '../../../src/linux/conntrack/attach.ts'
import { skbOf } from '../../../src/linux/skb.ts'
import { ip } from '../../../src/net/ip.ts'
import { echo, icmpError, packet, rig, states, tcp, udp } from '../netfilter/rig.ts'

const nat = '*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n'
const a = '10.0.0.1:1000'
const b = '10.0.0.2:53'

describe('UDP', () => {
  test('is new until it is answered', () => {
    const r = rig({ v4: nat })
    for (const p of [udp(a, b), udp(a, b), udp(b, a), udp(a, b)]) r.forward(p)
    expect(states(r)).toEqual(['NEW', 'NEW', 'ESTABLISHED', 'ESTABLISHED'])
  })

  test('lasts 30 s, and 120 s as an assured stream once it goes on for more than two seconds', () => {
    const r = rig({ v4: nat })
    r.forward(udp(a, b))
    r.forward(udp(b, a))
    r.clock = 1000
    r.forward(udp(a, b))
    expect(r.connections()).toEqual([`udp ${a}>${b} ${b}>${a}`])
    r.clock = 2001
    r.forward(udp(a, b))
    expect(r.connections()).toEqual([`udp ${a}>${b} ${b}>${a} ASSURED`])
    r.clock = 122_000
    expect(r.connections()).toHaveLength(1)
    r.clock = 122_001
    expect(r.connections()).toEqual([])
  })
})

describe('ICMP', () => {
  test('an echo and its answer are one connection by their id', () => {
    const r = rig({ v4: nat })
    r.forward(echo('10.0.0.1', '10.0.0.2', 7))
    r.forward(echo('10.0.0.2', '10.0.0.1', 7, 'echo-reply'))
    r.forward(echo('10.0.0.2', '10.0.0.1', 7))
    r.forward(echo('10.0.0.2', '10.0.0.1', 8, 'echo-reply'))
    expect(states(r)).toEqual(['NEW', 'ESTABLISHED', 'NEW', 'INVALID'])
  })

  test.each([
    ['about the request, back to its sender', icmpError('10.0.0.9', '10.0.0.1', udp(a, b)), 'RELATED'],
    ['about the answer', icmpError('10.0.0.9', '10.0.0.2', udp(b, a)), 'RELATED'],
    ['to somebody else', icmpError('10.0.0.9', '10.0.0.7', udp(a, b)), 'INVALID'],
    ['about an unknown flow', icmpError('10.0.0.9', '10.0.0.1', udp('10.0.0.1:1', b)), 'INVALID'],
  ])('an error %s', (_, error, expected) => {
    const r = rig({ v4: nat })
    r.forward(udp(a, b))
    r.forward(error)
    expect(states(r).at(-1)).toBe(expected)
    expect(r.connections()).toHaveLength(1)
  })

  test('an error that this machine makes belongs to the connection before that is in the table', () => {
    const r = rig({ v4: nat })
    const first = r.run('prerouting', skbOf(udp(a, b)))
    const attached = { ...skbOf(icmpError('10.0.0.9', '10.0.0.1', udp(a, b))), ...attachmentOf(first.skb) }
    const out = r.run('output', attached)
    expect(out.skb.ctinfo).toEqual({ state: 'RELATED', direction: 'reply' })
    r.run('postrouting', out.skb)
    expect(r.connections()).toEqual([])
  })

  test('neighbour discovery is not tracked', () => {
    const r = rig({ v6: nat })
    r.deliver(
      packet('fd00::1', 'ff02::1:ff00:2', {
        kind: 'icmp',
        message: { kind: 'neighbour-solicitation', target: ip('fd00::2') },
      }),
    )
    expect(states(r)).toEqual(['UNTRACKED'])
  })
})

describe('SCTP', () => {
  const sctp = (from: string, to: string, chunk: 'init' | 'init-ack' | 'data' | 'abort') => {
    const like = udp(from, to).payload
    if (like.kind !== 'udp') throw new Error('unreachable')
    return packet(from.split(':')[0] ?? '', to.split(':')[0] ?? '', {
      kind: 'sctp',
      srcPort: like.srcPort,
      dstPort: like.dstPort,
      chunk,
      data: 0,
    })
  }
  test('INIT opens, data of no association is invalid', () => {
    const r = rig({ v4: nat })
    for (const p of [
      sctp(a, b, 'data'),
      sctp(a, b, 'abort'),
      sctp(a, b, 'init'),
      sctp(b, a, 'init-ack'),
      sctp(a, b, 'data'),
    ])
      r.forward(p)
    expect(states(r)).toEqual(['INVALID', 'INVALID', 'NEW', 'ESTABLISHED', 'ESTABLISHED'])
    expect(r.connections()).toEqual([`sctp COOKIE_WAIT ${a}>${b} ${b}>${a}`])
  })
})

describe('entering the table', () => {
  test('happens where the packet leaves or is delivered, and not before', () => {
    const r = rig({ v4: nat })
    const first = r.run('prerouting', skbOf(udp(a, b)))
    expect(r.connections()).toEqual([])
    r.run('forward', first.skb)
    expect(r.connections()).toEqual([])
    r.run('postrouting', first.skb)
    expect(r.connections()).toHaveLength(1)
  })

  test('a packet that is dropped on its way leaves nothing behind', () => {
    const r = rig({ v4: `${nat}*filter\n:FORWARD DROP [0:0]\nCOMMIT\n` })
    expect(r.forward(udp(a, b)).verdict).toBe('drop')
    expect(r.connections()).toEqual([])
  })

  test('two UDP packets of one flow that race share the first entry', () => {
    const r = rig({ v4: nat })
    const [one, two] = [r.run('prerouting', skbOf(udp(a, b))), r.run('prerouting', skbOf(udp(a, b)))]
    r.run('postrouting', one.skb)
    const late = r.run('postrouting', two.skb)
    expect(late).toMatchObject({ verdict: 'accept', skb: { connection: { id: one.skb.connection?.id } } })
  })

  test('two TCP packets that race: the second is dropped', () => {
    const r = rig({ v4: nat })
    const syn = tcp(a, b, 'S')
    const [one, two] = [r.run('prerouting', skbOf(syn)), r.run('prerouting', skbOf(syn))]
    r.run('postrouting', one.skb)
    expect(r.run('postrouting', two.skb).verdict).toBe('drop')
    expect(r.events.some((e) => e.kind === 'conntrack-clash')).toBe(true)
  })

  test('a loopback packet is placed once', () => {
    const r = rig({ v4: nat })
    const sent = r.send(udp('127.0.0.1:1', '127.0.0.1:2'))
    const received = r.run('prerouting', sent.skb)
    r.run('input', received.skb)
    expect(states(r)).toEqual(['NEW'])
  })

  test('a full table drops new connections, unless one may be evicted', () => {
    const sysctls = { 'net.netfilter.nf_conntrack_max': '1' }
    const r = rig({ v4: nat, sysctls })
    r.forward(tcp(a, b, 'S'))
    expect(r.forward(udp(a, b)).verdict).toBe('accept')
    expect(r.connections()).toEqual([`udp ${a}>${b} ${b}>${a} UNREPLIED`])
    r.forward(udp(b, a))
    r.clock = 2001
    r.forward(udp(a, b))
    expect(r.forward(tcp(a, b, 'S')).verdict).toBe('drop')
    expect(r.events.some((e) => e.kind === 'drop' && e.reason === 'ct-table-full')).toBe(true)
  })
})

test('NOTRACK keeps a packet out of conntrack and nat', () => {
  const r = rig({
    v4: `*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p udp -j CT --notrack\nCOMMIT\n*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p udp -j DNAT --to-destination 10.0.0.3\nCOMMIT\n*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -m conntrack --ctstate UNTRACKED -j DROP\nCOMMIT\n`,
  })
  expect(r.forward(udp(a, b)).verdict).toBe('drop')
  expect(r.counters()).not.toContain('+1 nat PREROUTING#1')
})

test('an entry given beforehand takes a packet past the nat rules', () => {
  const stale: ConntrackEntry = {
    protocol: 'udp',
    original: { src: ip('10.0.0.1'), dst: ip('10.96.0.10'), srcPort: 1000, dstPort: 53 },
    reply: { src: ip('10.0.0.8'), dst: ip('10.0.0.1'), srcPort: 53, dstPort: 1000 },
    status: ['ASSURED'],
    timeout: 100,
    mark: 0,
  }
  const r = rig({
    v4: '*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -d 10.96.0.10/32 -j DNAT --to-destination 10.0.0.9\nCOMMIT\n',
    conntrack: [stale],
  })
  expect(r.forward(udp(a, '10.96.0.10:53')).skb.packet.dst).toBe('10.0.0.8')
  r.clock = 200_000
  expect(r.forward(udp(a, '10.96.0.10:53')).skb.packet.dst).toBe('10.0.0.9')
})
