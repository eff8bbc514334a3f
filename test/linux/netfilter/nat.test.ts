import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { skbOf } from '../../../src/linux/skb.ts'
import type { IpPacket } from '../../../src/packet/packet.ts'
import { answerTo, device, echo, flow, icmpError, matched, packet, type Rig, rig, tcp, udp } from './rig.ts'

const nat = (...rules: string[]): string =>
  `*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n${rules.map((r) => `-A ${r}`).join('\n')}\nCOMMIT\n`

const serviceIp = '10.96.0.10'
const dnat = `PREROUTING -d ${serviceIp}/32 -p udp -m udp --dport 80 -j DNAT --to-destination 10.244.2.2:8080`
const masquerade = 'POSTROUTING -o eth1 -j MASQUERADE'

const back = { in: 'eth1', out: 'eth0' }

describe('DNAT', () => {
  test('rewrites the destination, and the answer comes from the address that was dialled', () => {
    const r = rig({ v4: nat(dnat) })
    const request = r.forward(udp('10.244.1.2:40000', `${serviceIp}:80`))
    expect(flow(request.skb.packet)).toBe('10.244.1.2:40000 > 10.244.2.2:8080')
    const answer = r.forward(answerTo(request.skb.packet), back)
    expect(flow(answer.skb.packet)).toBe(`${serviceIp}:80 > 10.244.1.2:40000`)
    expect(r.connections()).toEqual([`udp 10.244.1.2:40000>${serviceIp}:80 10.244.2.2:8080>10.244.1.2:40000`])
  })

  test('is decided by the first packet alone: later ones never see the chain', () => {
    const r = rig({ v4: nat(dnat) })
    for (let i = 0; i < 3; i++) {
      const { skb } = r.forward(udp('10.244.1.2:40000', `${serviceIp}:80`))
      r.forward(answerTo(skb.packet), back)
    }
    expect(r.counters()).toEqual(['+1 nat PREROUTING#1', '+1 nat POSTROUTING#0'])
    expect(r.events.flatMap((e) => (e.kind === 'nat' ? [e.why] : []))).toEqual([
      'new',
      'reply',
      'established',
      'reply',
      'established',
      'reply',
    ])
  })

  test.each([
    ['an address alone', '--to-destination 10.0.0.9', '10.0.0.9:80'],
    ['a port alone', '--to-destination :81', '10.0.0.2:81'],
    ['a range that holds the port already', '--to-destination 10.0.0.9:70-90', '10.0.0.9:80'],
    ['a range that does not: its first', '--to-destination 10.0.0.9:7000-7002', '10.0.0.9:7000'],
  ])('to %s', (_, option, expected) => {
    const r = rig({ v4: nat(`PREROUTING -p tcp -j DNAT ${option}`) })
    expect(flow(r.forward(tcp('10.0.0.1:4000', '10.0.0.2:80', 'S')).skb.packet)).toBe(`10.0.0.1:4000 > ${expected}`)
  })

  test('to a range of addresses always takes the same one for the same two ends', () => {
    const r = rig({ v4: nat('PREROUTING -p tcp -j DNAT --to-destination 10.0.0.10-10.0.0.13') })
    const chosen = ['10.0.1.1', '10.0.1.2'].map(
      (src) => r.forward(tcp(`${src}:4000`, '10.0.0.2:80', 'S')).skb.packet.dst,
    )
    const again = rig({ v4: nat('PREROUTING -p tcp -j DNAT --to-destination 10.0.0.10-10.0.0.13') })
    const repeated = ['10.0.1.1', '10.0.1.2'].map(
      (src) => again.forward(tcp(`${src}:9`, '10.0.0.2:80', 'S')).skb.packet.dst,
    )
    expect(repeated).toEqual(chosen)
  })

  test('of what this machine sends happens in OUTPUT', () => {
    const r = rig({ v4: nat(`OUTPUT -d ${serviceIp}/32 -p udp -j DNAT --to-destination 10.244.2.2:8080`) })
    const sent = r.send(udp('192.0.2.1:5000', `${serviceIp}:80`))
    expect(flow(sent.skb.packet)).toBe('192.0.2.1:5000 > 10.244.2.2:8080')
    const answer = r.deliver(answerTo(sent.skb.packet))
    expect(flow(answer.skb.packet)).toBe(`${serviceIp}:80 > 192.0.2.1:5000`)
  })
})

describe('SNAT and MASQUERADE', () => {
  test('masquerade takes the address of the device it leaves by, and keeps a free port', () => {
    const r = rig({ v4: nat(masquerade) })
    const { skb } = r.forward(udp('10.244.1.2:40000', '203.0.113.9:53'))
    expect(flow(skb.packet)).toBe('198.51.100.1:40000 > 203.0.113.9:53')
    expect(flow(r.forward(answerTo(skb.packet), back).skb.packet)).toBe('203.0.113.9:53 > 10.244.1.2:40000')
  })

  test('a port that another connection uses towards the same end is changed', () => {
    const r = rig({ v4: nat(masquerade) })
    r.forward(udp('10.244.1.2:40000', '203.0.113.9:53'))
    const { packet } = r.forward(udp('10.244.1.3:40000', '203.0.113.9:53')).skb
    expect(packet.src).toBe('198.51.100.1')
    expect(packet.payload).toMatchObject({ srcPort: expect.toSatisfy((p: number) => p >= 1024 && p !== 40000) })
    expect(flow(r.forward(answerTo(packet), back).skb.packet)).toBe('203.0.113.9:53 > 10.244.1.3:40000')
  })

  test('a source keeps its mapping towards other ends', () => {
    const r = rig({ v4: nat(masquerade) })
    r.forward(udp('10.244.1.2:40000', '203.0.113.9:53'))
    const first = r.forward(udp('10.244.1.3:40000', '203.0.113.9:53')).skb.packet
    const second = r.forward(udp('10.244.1.3:40000', '203.0.113.10:53')).skb.packet
    expect(first.payload).toMatchObject({ srcPort: (second.payload as { srcPort: number }).srcPort })
  })

  test('without any rule a taken source port still changes: null binding', () => {
    const r = rig({ v4: nat('PREROUTING -p udp -j DNAT --to-destination 10.244.2.2:8080') })
    r.forward(udp('10.0.0.1:4000', '10.96.0.1:80'))
    const { packet } = r.forward(udp('10.0.0.1:4000', '10.96.0.2:80')).skb
    expect(packet).toMatchObject({
      src: '10.0.0.1',
      dst: '10.244.2.2',
      payload: { srcPort: expect.toSatisfy((p: number) => p !== 4000) },
    })
  })

  test.each([
    [40000, 1024, 65535],
    [700, 600, 1023],
    [100, 1, 511],
  ])('--random-fully moves port %i within %i to %i', (port, min, max) => {
    const r = rig({ v4: nat('POSTROUTING -j MASQUERADE --random-fully') })
    const { packet } = r.forward(udp(`10.244.1.2:${port}`, '203.0.113.9:53')).skb
    expect(packet.payload).toMatchObject({
      srcPort: expect.toSatisfy((p: number) => p >= min && p <= max && p !== port),
    })
  })

  test('an echo gets another id where its own is taken', () => {
    const r = rig({ v4: nat(masquerade) })
    r.forward(echo('10.244.1.2', '203.0.113.9', 7))
    const { packet } = r.forward(echo('10.244.1.3', '203.0.113.9', 7)).skb
    expect(packet.payload).toMatchObject({ message: { id: expect.toSatisfy((id: number) => id !== 7) } })
    const reply = r.forward(answerTo(packet), back).skb.packet
    expect(flow(reply)).toBe('203.0.113.9 > 10.244.1.3 id 7')
  })

  test('a port range of SNAT is kept to', () => {
    const r = rig({ v4: nat('POSTROUTING -p udp -j SNAT --to-source 198.51.100.7:2000-2001') })
    const ports = [1, 2].map((n) => r.forward(udp(`10.244.1.${n}:40000`, '203.0.113.9:53')).skb.packet.payload)
    expect(ports.map((p) => (p as { srcPort: number }).srcPort).sort()).toEqual([2000, 2001])
    expect(r.forward(udp('10.244.1.3:40000', '203.0.113.9:53')).verdict).toBe('drop')
    expect(r.events.filter((e) => e.kind === 'drop')).toMatchObject([{ reason: 'nat-no-port' }])
  })

  test('a device without address drops what it should masquerade', () => {
    const r = rig({ v4: nat('POSTROUTING -j MASQUERADE'), addresses: {} })
    expect(r.forward(udp('10.244.1.2:1', '203.0.113.9:53')).verdict).toBe('drop')
    expect(r.events.filter((e) => e.kind === 'drop')).toMatchObject([
      { reason: 'nat-failed', chain: 'POSTROUTING', index: 1 },
    ])
  })

  test('a masqueraded connection that now leaves elsewhere is ended', () => {
    const r = rig({ v4: nat('POSTROUTING -j MASQUERADE') })
    r.forward(udp('10.244.1.2:1', '203.0.113.9:53'))
    expect(r.forward(udp('10.244.1.2:1', '203.0.113.9:53'), { out: 'eth2' }).verdict).toBe('drop')
    expect(r.connections()).toEqual([])
  })
})

describe('REDIRECT', () => {
  const redirect = (chain: string) =>
    rig({ v4: nat(`${chain} -p tcp -j REDIRECT --to-ports 8443`), v6: nat(`${chain} -p tcp -j REDIRECT`) })
  test('sends what comes in to the address of its device', () => {
    expect(flow(redirect('PREROUTING').deliver(tcp('10.0.0.1:1', '10.0.0.2:80', 'S')).skb.packet)).toBe(
      '10.0.0.1:1 > 192.0.2.1:8443',
    )
  })
  test('sends what this machine sends to its loopback', () => {
    expect(flow(redirect('OUTPUT').send(tcp('192.0.2.1:1', '10.0.0.2:80', 'S')).skb.packet)).toBe(
      '192.0.2.1:1 > 127.0.0.1:8443',
    )
    expect(flow(redirect('OUTPUT').send(tcp('[fd00::1]:1', '[fd00::2]:80', 'S')).skb.packet)).toBe('fd00::1:1 > ::1:80')
  })
})

describe('ICMP errors about translated packets', () => {
  test('an error of the server reaches the client with the addresses that it knows, inside and out', () => {
    const r = rig({ v4: nat(dnat, masquerade) })
    const request = r.forward(udp('10.244.1.2:40000', `${serviceIp}:80`)).skb.packet
    expect(flow(request)).toBe('198.51.100.1:40000 > 10.244.2.2:8080')
    const error = r.forward(icmpError('10.244.2.2', '198.51.100.1', request), back)
    expect(flow(error.skb.packet)).toBe(`${serviceIp} > 10.244.1.2 about 10.244.1.2:40000 > ${serviceIp}:80`)
    expect(matched(r)).toHaveLength(2)
  })

  test('so does one of a router on the way, whose address becomes the one that was dialled', () => {
    const r = rig({ v4: nat(dnat) })
    const request = r.forward(udp('10.244.1.2:40000', `${serviceIp}:80`)).skb.packet
    const error = r.forward(icmpError('192.0.2.77', '10.244.1.2', request, 11, 0), back)
    expect(flow(error.skb.packet)).toBe(`${serviceIp} > 10.244.1.2 about 10.244.1.2:40000 > ${serviceIp}:80`)
  })

  test('an error of the client about the answer reaches the server', () => {
    const r = rig({ v4: nat(dnat) })
    const request = r.forward(udp('10.244.1.2:40000', `${serviceIp}:80`)).skb.packet
    const answer = r.forward(answerTo(request), back).skb.packet
    const error = r.forward(icmpError('10.244.1.2', serviceIp, answer))
    expect(flow(error.skb.packet)).toBe('10.244.1.2 > 10.244.2.2 about 10.244.2.2:8080 > 10.244.1.2:40000')
  })

  test('the echo id in the quote is restored as well', () => {
    const r = rig({ v4: nat('POSTROUTING -j MASQUERADE --random-fully') })
    const request = r.forward(echo('10.244.1.2', '203.0.113.9', 7)).skb.packet
    const error = r.forward(icmpError('203.0.113.1', '198.51.100.1', request, 11, 0), back).skb.packet
    expect(flow(error)).toBe('203.0.113.1 > 10.244.1.2 about 10.244.1.2 > 203.0.113.9 id 7')
  })

  test('a redirect of a translated connection is dropped', () => {
    const r = rig({ v4: nat(dnat) })
    const request = r.forward(udp('10.244.1.2:40000', `${serviceIp}:80`)).skb.packet
    const redirect = packet('192.0.2.77', '10.244.1.2', {
      kind: 'icmp',
      message: { kind: 'redirect', code: 1, gateway: request.src, quoted: request },
    })
    expect(r.forward(redirect, back).verdict).toBe('drop')
  })
})

describe('IPv6', () => {
  test('is translated by the same code', () => {
    const r = rig({
      v6: nat(
        'PREROUTING -d fd96::a/128 -p tcp -j DNAT --to-destination [fd00:2::2]:8080',
        'POSTROUTING -j MASQUERADE',
      ),
      addresses: { 'eth1/6': 'fd00:1::1' },
    })
    const { skb } = r.forward(tcp('[fd00:1::2]:40000', '[fd96::a]:80', 'S'))
    expect(flow(skb.packet)).toBe('fd00:1::1:40000 > fd00:2::2:8080')
    expect(flow(r.forward(answerTo(skb.packet), back).skb.packet)).toBe('fd96::a:80 > fd00:1::2:40000')
  })
})

test('ctstate DNAT and ctorigdst hold in both directions', () => {
  const filter = `*filter\n:FORWARD DROP [0:0]\n-A FORWARD -m conntrack --ctstate DNAT --ctorigdst ${serviceIp}/32 -j ACCEPT\nCOMMIT\n`
  const r = rig({ v4: nat(dnat) + filter })
  const request = r.forward(udp('10.244.1.2:40000', `${serviceIp}:80`))
  expect(request.verdict).toBe('accept')
  expect(r.forward(answerTo(request.skb.packet), back).verdict).toBe('accept')
  expect(r.forward(udp('10.244.1.2:40000', '10.244.2.2:8081')).verdict).toBe('drop')
})

test('a packet over loopback is translated once', () => {
  const r = rig({
    v4: nat(
      'OUTPUT -p tcp -j DNAT --to-destination 127.0.0.1:8080',
      'PREROUTING -p tcp -j DNAT --to-destination 10.0.0.9',
    ),
  })
  const sent = r.send(tcp('127.0.0.1:1', '127.0.0.1:80', 'S'))
  const received = r.run('prerouting', { ...sent.skb, inDevice: device('lo') })
  expect(flow(r.run('input', received.skb).skb.packet)).toBe('127.0.0.1:1 > 127.0.0.1:8080')
})

describe('laws', () => {
  const rules = [
    'PREROUTING -d 10.96.0.0/16 -p udp -j DNAT --to-destination 10.244.2.2:8080',
    'PREROUTING -d 10.96.0.0/16 -p tcp -j DNAT --to-destination 10.244.2.2-10.244.2.5',
    'PREROUTING -d 10.97.0.0/16 -p tcp -j DNAT --to-destination 10.244.3.3:7000-7010 --random',
    'POSTROUTING -s 10.244.0.0/25 -j MASQUERADE --random-fully',
    'POSTROUTING -s 10.244.0.128/25 -j SNAT --to-source 198.51.100.5-198.51.100.9',
    'POSTROUTING -s 10.245.0.0/16 -j MASQUERADE',
  ]
  const octet = fc.integer({ min: 1, max: 254 })
  const port = fc.integer({ min: 1, max: 65535 })
  const client = fc.tuple(fc.constantFrom('10.244.0', '10.245.0', '192.0.2'), octet).map((p) => p.join('.'))
  const target = fc.tuple(fc.constantFrom('10.96.0', '10.97.0', '203.0.113'), octet).map((p) => p.join('.'))
  const anyPacket: fc.Arbitrary<IpPacket> = fc
    .tuple(client, port, target, port, fc.constantFrom('udp', 'tcp', 'icmp'))
    .map(([from, sport, to, dport, kind]) => {
      if (kind === 'icmp') return echo(from, to, sport)
      return kind === 'udp' ? udp(`${from}:${sport}`, `${to}:${dport}`) : tcp(`${from}:${sport}`, `${to}:${dport}`, 'S')
    })
  const packets = fc.array(anyPacket, { minLength: 1, maxLength: 8 })
  const plain = (r: Rig) => r.events.map((e) => JSON.stringify(e))

  test('an answer comes from the address that was dialled, to the one that dialled', () => {
    fc.assert(
      fc.property(packets, (sent) => {
        const r = rig({ v4: nat(...rules) })
        for (const p of sent) {
          const request = r.forward(p)
          if (request.verdict !== 'accept') continue
          const answer = r.forward(answerTo(request.skb.packet), back)
          expect(answer.verdict).toBe('accept')
          expect(flow(answer.skb.packet)).toBe(flow(answerTo(p)))
          expect(answer.skb.packet.ttl).toBe(64)
        }
      }),
      { numRuns: 150 },
    )
  })

  test('no two connections expect the same answers', () => {
    fc.assert(
      fc.property(packets, (sent) => {
        const r = rig({ v4: nat(...rules) })
        for (const p of sent) r.forward(p)
        const replies = r.nf.conntrack.all().map((c) => JSON.stringify(c.reply))
        expect(new Set(replies).size).toBe(replies.length)
      }),
      { numRuns: 100 },
    )
  })

  test('a connection that is established never sees a nat chain again', () => {
    fc.assert(
      fc.property(packets, (sent) => {
        const r = rig({ v4: nat(...rules) })
        for (const p of sent) r.forward(p)
        const before = r.counters()
        for (const p of sent) r.forward(p)
        expect(r.counters()).toEqual(before)
      }),
      { numRuns: 100 },
    )
  })

  test('the same packets through the same rules tell the same story', () => {
    fc.assert(
      fc.property(packets, (sent) => {
        const [one, two] = [rig({ v4: nat(...rules) }), rig({ v4: nat(...rules) })]
        for (const p of sent) {
          one.forward(p)
          two.forward(p)
        }
        expect(plain(one)).toEqual(plain(two))
      }),
      { numRuns: 50 },
    )
  })

  test('telling of every rule changes no verdict, no counter and no address', () => {
    const filter =
      '*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -d 10.244.2.0/24 -p tcp -m tcp --dport 1:30000 -j DROP\n-A FORWARD -s 10.244.0.0/26 ! -d 10.244.2.2/32 -j DROP\n-A FORWARD -p udp -m udp ! --dport 8080 -j RETURN\nCOMMIT\n'
    fc.assert(
      fc.property(packets, (sent) => {
        const text = nat(...rules) + filter
        const [quiet, loud] = [rig({ v4: text }), rig({ v4: text, everyRule: true })]
        for (const p of sent) {
          const [a, b] = [quiet.forward(p), loud.forward(p)]
          expect(b.verdict).toBe(a.verdict)
          expect(b.skb.packet).toEqual(a.skb.packet)
        }
        expect(loud.counters()).toEqual(quiet.counters())
        expect(plain(loud).filter((e) => !e.includes('"rule-miss"'))).toEqual(plain(quiet))
      }),
      { numRuns: 100 },
    )
  })
})

test('what skbOf makes has not been tracked', () => {
  expect(skbOf(udp('10.0.0.1:1', '10.0.0.2:2')).ctinfo).toBeUndefined()
})
