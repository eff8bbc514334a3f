import { describe, expect, test } from 'vitest'
import { deviceName } from '../../src/artefact/link.ts'
import type { SendRequest } from '../../src/linux/kernel.ts'
import { listFdb, listNeighbours, updateNetns } from '../../src/linux/netns.ts'
import { ip } from '../../src/net/ip.ts'
import { tcpFlag } from '../../src/packet/packet.ts'
import { hopLine } from './hop.ts'
import { Lab } from './lab.ts'
import { World } from './world.ts'

/**
 * Two hosts and a router between them, in both families: a (10.0.1.2, fd00:1::2) - r - b (10.0.2.2, fd00:2::2).
 * Nothing is known beforehand, so every neighbour is asked for.
 */
function twoNetworks(more: readonly string[] = []): Lab {
  const lab = new Lab()
  const lines = `
    r link add ra type veth peer name eth0 address 02:00:00:00:01:02 netns a
    r link add rb type veth peer name eth0 address 02:00:00:00:02:02 netns b
    r link set ra up address 02:00:00:00:01:01
    r link set rb up address 02:00:00:00:02:01
    a link set eth0 up
    b link set eth0 up
    r addr add 10.0.1.1/24 dev ra
    r addr add 10.0.2.1/24 dev rb
    r addr add fd00:1::1/64 dev ra
    r addr add fd00:2::1/64 dev rb
    a addr add 10.0.1.2/24 dev eth0
    a addr add fd00:1::2/64 dev eth0
    b addr add 10.0.2.2/24 dev eth0
    b addr add fd00:2::2/64 dev eth0
    a route add default via 10.0.1.1 dev eth0
    a route add default via fd00:1::1 dev eth0
    b route add default via 10.0.2.1 dev eth0
    b route add default via fd00:2::1 dev eth0`
  for (const line of [...lines.trim().split('\n'), ...more]) {
    const [ns = '', ...words] = line.trim().split(' ')
    lab.run(ns, `ip ${words.join(' ')}`, () => '')
  }
  lab.sysctl('r', ['net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'])
  const open = (protocol: 'udp' | 'tcp' | 'sctp') => ({ protocol, address: undefined, port: 80, owner: 'server' })
  lab.space('b').sockets = [open('udp'), open('tcp'), open('sctp')]
  return lab
}

const udp = (dst: string, dstPort: number, more: Partial<SendRequest> = {}, data = 10): SendRequest => ({
  src: undefined,
  dst: ip(dst),
  ttl: 64,
  tos: 0,
  df: true,
  owner: 'client',
  payload: { kind: 'udp', srcPort: 40000, dstPort, data },
  ...more,
})
const ping = (dst: string): SendRequest => ({
  ...udp(dst, 0),
  payload: { kind: 'icmp', message: { kind: 'echo-request', id: 7, seq: 1, data: 56 } },
})
const tcp = (dst: string, dstPort: number): SendRequest => ({
  ...udp(dst, 0),
  payload: { kind: 'tcp', srcPort: 40000, dstPort, flags: tcpFlag.syn, seq: 5, ack: 0, options: 20, data: 0 },
})
const sctp = (dst: string, dstPort: number): SendRequest => ({
  ...udp(dst, 0),
  payload: { kind: 'sctp', srcPort: 40000, dstPort, chunk: 'init', data: 0 },
})

function follow(lab: Lab, ns: string, request: SendRequest) {
  const world = new World(lab, true)
  world.run(ns, { kind: 'send', request })
  const client = world.outputs.flatMap((o): string[] => {
    if (o.kind === 'deliver' && o.owner === 'client') {
      const { payload } = o.packet
      return [`${payload.kind} from ${o.packet.src} ttl ${o.packet.ttl}`]
    }
    if (o.kind !== 'error' || o.owner !== 'client') return []
    const message = o.icmp?.payload.kind === 'icmp' ? o.icmp.payload.message : undefined
    return [message?.kind === 'error' ? `${o.errno} ${message.type}/${message.code} from ${o.icmp?.src}` : o.errno]
  })
  const drops = world.told.flatMap(({ ns: at, event }) => (event.kind === 'drop' ? [`${at} ${event.reason}`] : []))
  const hops = world.told.flatMap(({ ns: at, event }) =>
    event.kind === 'receive' || event.kind === 'transmit' ? [`${at} ${hopLine(event)}`] : [],
  )
  return { client, drops, hops, world }
}

describe('what a client is told, in both families', () => {
  test.each([
    ['an open UDP port answers', udp('10.0.2.2', 80), ['udp from 10.0.2.2 ttl 63'], []],
    ['and over IPv6', udp('fd00:2::2', 80), ['udp from fd00:2::2 ttl 63'], []],
    ['a closed UDP port', udp('10.0.2.2', 81), ['ECONNREFUSED 3/3 from 10.0.2.2'], ['b not-listening']],
    ['and over IPv6', udp('fd00:2::2', 81), ['ECONNREFUSED 1/4 from fd00:2::2'], ['b not-listening']],
    ['an open TCP port', tcp('10.0.2.2', 80), ['tcp from 10.0.2.2 ttl 63'], []],
    ['a closed TCP port', tcp('fd00:2::2', 81), ['ECONNREFUSED'], ['b not-listening']],
    ['an open SCTP port', sctp('10.0.2.2', 80), ['sctp from 10.0.2.2 ttl 63'], []],
    ['a closed SCTP port', sctp('10.0.2.2', 81), ['ECONNREFUSED'], ['b not-listening']],
    ['ping', ping('10.0.2.2'), ['icmp from 10.0.2.2 ttl 63'], []],
    ['ping over IPv6', ping('fd00:2::2'), ['icmp from fd00:2::2 ttl 63'], []],
    ['ping of the router’s far side', ping('10.0.2.1'), ['icmp from 10.0.2.1 ttl 64'], []],
    ['TTL 1', udp('10.0.2.2', 80, { ttl: 1 }), ['EHOSTUNREACH 11/0 from 10.0.1.1'], ['r ttl-expired']],
    ['hop limit 1', udp('fd00:2::2', 80, { ttl: 1 }), ['EHOSTUNREACH 3/0 from fd00:1::1'], ['r ttl-expired']],
    ['no route on the router', udp('10.9.0.1', 80), ['ENETUNREACH 3/0 from 10.0.1.1'], ['r no-route']],
    ['and over IPv6', udp('fd00:9::1', 80), ['ENETUNREACH 1/0 from fd00:1::1'], ['r no-route']],
    ['nobody has the address', udp('10.0.2.9', 80), ['EHOSTUNREACH 3/1 from 10.0.1.1'], ['r neigh-missing']],
    ['and over IPv6', udp('fd00:2::9', 80), ['EHOSTUNREACH 1/3 from fd00:1::1'], ['r neigh-missing']],
    ['nobody has it on the own network', udp('10.0.1.9', 80), ['EHOSTUNREACH 3/1 from 10.0.1.2'], ['a neigh-missing']],
  ])('%s', (_, request, client, drops) => {
    const seen = follow(twoNetworks(), 'a', request)
    expect(seen.client, seen.hops.join('\n')).toEqual(client)
    expect(seen.drops).toEqual(drops)
  })

  test.each([
    ['unreachable', '10.9.0.0/16', '10.9.0.1', ['EHOSTUNREACH 3/1 from 10.0.1.1'], 'r unreachable-route'],
    ['prohibit', '10.9.0.0/16', '10.9.0.1', ['EHOSTUNREACH 3/13 from 10.0.1.1'], 'r prohibit-route'],
    ['blackhole', '10.9.0.0/16', '10.9.0.1', [], 'r blackhole-route'],
    ['prohibit', 'fd00:9::/64', 'fd00:9::1', ['EACCES 1/1 from fd00:1::1'], 'r prohibit-route'],
    ['blackhole', 'fd00:9::/64', 'fd00:9::1', [], 'r blackhole-route'],
  ])('a route of type %s on the router, %s', (type, dst, to, client, dropped) => {
    const seen = follow(twoNetworks([`r route add ${type} ${dst}`]), 'a', udp(to, 80))
    expect([seen.client, seen.drops]).toEqual([client, [dropped]])
  })

  test.each([
    ['no route', [], udp('10.0.2.2', 80), 'ENETUNREACH'],
    ['prohibit', ['c route add prohibit 10.0.0.0/8'], udp('10.0.2.2', 80), 'EACCES'],
    ['unreachable', ['c route add unreachable 10.0.0.0/8'], udp('10.0.2.2', 80), 'EHOSTUNREACH'],
    ['blackhole', ['c route add blackhole 10.0.0.0/8'], udp('10.0.2.2', 80), 'EINVAL'],
    ['a source that is not here', [], udp('10.0.2.2', 80, { src: ip('1.2.3.4') }), 'EADDRNOTAVAIL'],
  ])('on the host itself: %s', (_, more, request, errno) => {
    const lab = new Lab()
    lab.space('c')
    for (const line of more) lab.run('c', line.replace('c ', 'ip '), () => '')
    expect(follow(lab, 'c', request).client).toEqual([errno])
  })
})

describe('sizes', () => {
  const small = ['r link set rb mtu 1400', 'b link set eth0 mtu 1400']
  test.each([
    ['DF does not fit', udp('10.0.2.2', 80, {}, 1472), ['EMSGSIZE 3/4 from 10.0.1.1']],
    ['IPv6 never fits by fragments of a router', udp('fd00:2::2', 80, {}, 1452), ['EMSGSIZE 2/0 from fd00:1::1']],
    ['without DF it arrives in pieces', udp('10.0.2.2', 80, { df: false }, 1472), ['udp from 10.0.2.2 ttl 63']],
    ['too big for the own device', udp('10.0.2.2', 80, {}, 1473), ['EMSGSIZE']],
  ])('%s', (_, request, client) => {
    expect(follow(twoNetworks(small), 'a', request).client).toEqual(client)
  })
  test('the way that OUTPUT leads to has a smaller MTU: the system call fails, and an ICMP error tells why', () => {
    const lab = twoNetworks([
      'r link add rc type veth peer name eth1 address 02:00:00:00:03:02 netns a',
      'r link set rc up address 02:00:00:00:03:01 mtu 1400',
      'a link set eth1 up mtu 1400',
      'a addr add 10.0.3.2/24 dev eth1',
    ])
    lab.restore(
      'a',
      '*nat\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -d 10.0.2.9/32 -p udp -m udp --dport 80 -j DNAT --to-destination 10.0.3.1:80\nCOMMIT\n',
    )
    expect(follow(lab, 'a', udp('10.0.2.9', 80, {}, 1472)).client).toEqual(['EMSGSIZE', 'EMSGSIZE 3/4 from 10.0.2.9'])
  })
  test.each([
    ['IPv4: about the first alone', '10.9.9.9', 1],
    ['IPv6: about each', 'fd00:9::9', 2],
  ])('errors about fragments, %s', (_, dst, errors) => {
    const { hops } = follow(twoNetworks(), 'a', udp(dst, 80, { df: false }, 2000))
    expect(
      hops.filter((h) => h.startsWith('r ra out') && h.includes('icmp')),
      hops.join('\n'),
    ).toHaveLength(errors)
  })
  test('pieces are of a multiple of eight bytes', () => {
    const { hops } = follow(twoNetworks(small), 'a', udp('10.0.2.2', 80, { df: false }, 1472))
    const pieces = hops.filter((h) => h.startsWith('r rb out') && h.includes('frag'))
    expect(pieces.map((h) => /len (\d+) frag (\S+)/.exec(h)?.slice(1))).toEqual([
      ['1396', '0+'],
      ['124', '1376'],
    ])
  })
})

describe('sysctls', () => {
  test('without ip_forward a router is a silent end', () => {
    const lab = twoNetworks()
    lab.sysctl('r', ['net.ipv4.ip_forward=0', 'net.ipv6.conf.all.forwarding=0'])
    expect(follow(lab, 'a', udp('10.0.2.2', 80)).drops).toEqual(['r ip-forward-off'])
    expect(follow(lab, 'a', udp('fd00:2::2', 80)).drops).toEqual(['r ip-forward-off'])
  })
  test.each([
    ['0', false],
    ['1', true],
    ['2', false],
  ])('rp_filter %s and a source that is reached another way', (mode, filtered) => {
    const lab = twoNetworks(['a addr add 10.0.2.77/32 dev eth0'])
    lab.sysctl('r', [`net.ipv4.conf.all.rp_filter=${mode}`])
    // ARP from such a source would be filtered as well.
    lab.neighbour('a', 'add', '10.0.1.1 lladdr 02:00:00:00:01:01 dev eth0'.split(' '))
    lab.neighbour('r', 'add', '10.0.2.77 lladdr 02:00:00:00:02:77 dev rb'.split(' '))
    expect(follow(lab, 'a', udp('10.0.2.2', 80, { src: ip('10.0.2.77') })).drops.includes('r rp-filter')).toBe(filtered)
  })
  test.each([
    ['0', true],
    ['1', false],
  ])('arp_ignore %s for an address of another device', (mode, answered) => {
    const lab = twoNetworks(['a route add 10.0.2.1 dev eth0 scope link'])
    lab.sysctl('r', [`net.ipv4.conf.all.arp_ignore=${mode}`])
    expect(follow(lab, 'a', ping('10.0.2.1')).client.includes('icmp from 10.0.2.1 ttl 64')).toBe(answered)
  })
})

describe('what a kernel learns', () => {
  test('neighbours stay when artefacts are rendered again', () => {
    const { world } = follow(twoNetworks(), 'a', udp('10.0.2.2', 80))
    const router = world.spaces.get('r')
    if (!router) throw new Error('no router')
    const before = listNeighbours(router).map((n) => `${n.ip} ${n.dev} ${n.mac}`)
    expect(before).toEqual(['10.0.1.2 ra 02:00:00:00:01:02', '10.0.2.2 rb 02:00:00:00:02:02'])
    updateNetns(router, { ...router.state })
    expect(listNeighbours(router).map((n) => `${n.ip} ${n.dev} ${n.mac}`)).toEqual(before)
  })
  test('ARP is asked three times, a second apart', () => {
    const { hops } = follow(twoNetworks(), 'a', udp('10.0.1.9', 80))
    expect(hops.filter((h) => h.startsWith('a eth0 out') && h.includes('req 10.0.1.2'))).toHaveLength(3)
  })
})

/** A switch with three hosts h1, h2, h3 (10.0.0.1 to .3). */
function switched(more: readonly string[] = []): Lab {
  const lab = new Lab()
  const run = (line: string): void => {
    const [ns = '', ...words] = line.split(' ')
    lab.run(ns, `ip ${words.join(' ')}`, () => '')
  }
  run('sw link add br0 type bridge')
  run('sw link set br0 up')
  for (const n of [1, 2, 3]) {
    run(`sw link add p${n} type veth peer name eth0 address 02:00:00:00:00:0${n} netns h${n}`)
    run(`sw link set p${n} up master br0`)
    run(`h${n} link set eth0 up`)
    run(`h${n} addr add 10.0.0.${n}/24 dev eth0`)
    lab.space(`h${n}`).sockets = [{ protocol: 'udp', address: undefined, port: 80, owner: 'server' }]
  }
  for (const line of more) run(line)
  return lab
}

describe('a bridge', () => {
  test('learns from the first frames, then sends to one port alone', () => {
    const { client, hops, world } = follow(switched(), 'h1', udp('10.0.0.2', 80))
    expect(client).toEqual(['udp from 10.0.0.2 ttl 64'])
    expect(hops.filter((h) => h.startsWith('h3 ')).map((h) => h.includes('ff:ff:ff:ff:ff:ff'))).toEqual([true])
    const space = world.spaces.get('sw')
    expect(space && listFdb(space).map((e) => `${e.mac} ${e.dev}`)).toEqual([
      '02:00:00:00:00:01 p1',
      '02:00:00:00:00:02 p2',
    ])
  })
  test('between isolated ports nothing passes', () => {
    const lab = switched()
    const isolated = { hairpin: false, learning: true, flooding: true, isolated: true }
    const space = lab.space('sw')
    space.links = space.links.map((l) => (l.name === 'p1' || l.name === 'p2' ? { ...l, port: isolated } : l))
    expect(follow(lab, 'h1', udp('10.0.0.2', 80)).client).toEqual(['EHOSTUNREACH 3/1 from 10.0.0.1'])
    expect(follow(lab, 'h1', udp('10.0.0.3', 80)).client).toEqual(['udp from 10.0.0.3 ttl 64'])
  })
  test('that is down forwards nothing', () => {
    expect(follow(switched(['sw link set br0 down']), 'h1', udp('10.0.0.2', 80)).drops).toContain('sw link-down')
  })
  test('a frame that does not fit a port disappears', () => {
    const lab = switched(['sw link set p2 mtu 1400'])
    expect(follow(lab, 'h1', udp('10.0.0.2', 80, {}, 1472)).drops).toContain('sw mtu-exceeded-df')
  })
})

describe('packets to oneself', () => {
  test('go by the loopback device, out and in', () => {
    const lab = switched()
    const { client, hops } = follow(lab, 'h1', udp('10.0.0.1', 80))
    expect(client).toEqual(['udp from 10.0.0.1 ttl 64'])
    expect(hops.map((h) => h.split(' ').slice(1, 3).join(' '))).toEqual(['lo out', 'lo in', 'lo out', 'lo in'])
  })
})

describe('tunnels that lead into themselves', () => {
  test('end', () => {
    const lab = new Lab()
    lab.run('n', 'ip link add tunl0 type ipip', () => '')
    lab.run('n', 'ip link set tunl0 up', () => '')
    lab.run('n', 'ip addr add 10.0.0.1/32 dev tunl0', () => '')
    lab.run('n', 'ip route add default via 10.0.0.9 dev tunl0 onlink', () => '')
    expect(follow(lab, 'n', udp('8.8.8.8', 80)).drops).toEqual(['n loop-limit'])
  })
  test('a TUN device hands packets to its process', () => {
    const lab = new Lab()
    lab.run('n', 'ip link add flannel0 type tun', () => '')
    lab.run('n', 'ip link set flannel0 up', () => '')
    lab.run('n', 'ip addr add 10.244.1.0/16 dev flannel0', () => '')
    const { world } = follow(lab, 'n', udp('10.244.2.2', 80))
    expect(world.outputs.map((o) => o.kind === 'tun' && [o.device, o.packet.src])).toEqual([
      [deviceName('flannel0'), '10.244.1.0'],
    ])
  })
})
