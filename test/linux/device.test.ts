import { describe, expect, test } from 'vitest'
import type { SendRequest } from '../../src/linux/kernel.ts'
import { ip } from '../../src/net/ip.ts'
import { tcpFlag } from '../../src/packet/packet.ts'
import { hopLine, normalized } from './hop.ts'
import { Lab } from './lab.ts'
import { World } from './world.ts'

/** Two nodes n1, n2 on one wire; behind each a bridge br0 (10.1.N.1/24) with x1, x2 on n1 and y1 on n2; VXLAN between. */
function overlay(rules = '', n1: readonly string[] = []): Lab {
  const lab = new Lab()
  const run = (line: string): void => {
    const [ns = '', ...words] = line.split(' ')
    lab.run(ns, words.join(' '), () => '')
  }
  run('n1 ip link add eth0 type veth peer name eth0 address 02:00:00:00:00:12 netns n2')
  for (const n of [1, 2]) {
    const other = 3 - n
    for (const line of [
      `ip link set eth0 up address 02:00:00:00:00:1${n}`,
      `ip addr add 192.0.2.${n}/24 dev eth0`,
      `ip neigh add 192.0.2.${other} lladdr 02:00:00:00:00:1${other} dev eth0 nud permanent`,
      `ip link add br0 address 02:00:00:00:0${n}:01 type bridge`,
      'ip link set br0 up',
      `ip addr add 10.1.${n}.1/24 dev br0`,
      `ip link add vx0 address 02:00:00:00:0${n}:00 type vxlan id 7 dev eth0 local 192.0.2.${n} dstport 8472 nolearning`,
      'ip link set vx0 up',
      `ip addr add 10.1.${n}.0/32 dev vx0`,
      `ip route add 10.1.${other}.0/24 via 10.1.${other}.0 dev vx0 onlink`,
      `ip neigh add 10.1.${other}.0 lladdr 02:00:00:00:0${other}:00 dev vx0 nud permanent`,
      `bridge fdb append 02:00:00:00:0${other}:00 dev vx0 dst 192.0.2.${other}`,
    ])
      run(`n${n} ${line}`)
    lab.sysctl(`n${n}`, ['net.ipv4.ip_forward=1', 'net.ipv6.conf.all.disable_ipv6=1'])
  }
  for (const [pod, n, last] of [
    ['x1', 1, 2],
    ['x2', 1, 3],
    ['y1', 2, 2],
  ] as const) {
    const own = `02:00:00:00:0${n}:0${last}`
    run(`n${n} ip link add ${pod} type veth peer name eth0 address ${own} netns ${pod}`)
    run(`n${n} ip link set ${pod} up master br0`)
    run(`${pod} ip link set eth0 up`)
    run(`${pod} ip addr add 10.1.${n}.${last}/24 dev eth0`)
    run(`${pod} ip route add default via 10.1.${n}.1 dev eth0`)
    const open = (protocol: 'udp' | 'tcp') => ({ protocol, address: undefined, port: 80, owner: 'server' })
    lab.space(pod).sockets = [open('udp'), open('tcp')]
  }
  if (rules) lab.restore('n1', rules)
  for (const line of n1) run(`n1 ${line}`)
  return lab
}

const send = (dst: string, dstPort: number, protocol: 'udp' | 'tcp' = 'udp'): SendRequest => ({
  src: undefined,
  dst: ip(dst),
  ttl: 64,
  tos: 0,
  df: true,
  owner: 'client',
  payload:
    protocol === 'udp'
      ? { kind: 'udp', srcPort: 40000, dstPort, data: 5 }
      : { kind: 'tcp', srcPort: 40000, dstPort, flags: tcpFlag.syn, seq: 0, ack: 0, options: 20, data: 0 },
})

function follow(lab: Lab, ns: string, request: SendRequest) {
  const world = new World(lab, true)
  world.run(ns, { kind: 'send', request })
  const client = world.outputs.flatMap((o) => {
    if (o.kind === 'deliver' && o.owner === 'client') return [`${o.packet.payload.kind} from ${o.packet.src}`]
    return o.kind === 'error' && o.owner === 'client' ? [o.errno] : []
  })
  const server = world.outputs.flatMap((o) =>
    o.kind === 'deliver' && o.listening ? [`${o.packet.src} ttl ${o.packet.ttl}`] : [],
  )
  const hops = world.told.flatMap(({ ns: at, event }) =>
    (event.kind === 'receive' || event.kind === 'transmit') && (event.packet ?? event.frame?.payload.kind === 'ip')
      ? [`${at} ${normalized(hopLine(event))}`]
      : [],
  )
  const drops = world.told.flatMap(({ ns: at, event }) => (event.kind === 'drop' ? [`${at} ${event.reason}`] : []))
  const hooks = world.told.flatMap(({ ns: at, event }) =>
    event.kind === 'stage' && event.stage !== 'conntrack' ? [`${at} ${event.stage} ${event.hook}`] : [],
  )
  return { client, server, hops, drops, hooks, world }
}

/** 10.96.0.1:1 is x1 and 10.96.0.2:1 is y1; a packet that would come back to x1 itself is masqueraded. */
const dnat = `*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A PREROUTING -d 10.96.0.1/32 -p udp -m udp --dport 1 -j DNAT --to-destination 10.1.1.2:80
-A PREROUTING -d 10.96.0.2/32 -p udp -m udp --dport 1 -j DNAT --to-destination 10.1.2.2:80
-A POSTROUTING -s 10.1.1.2/32 -d 10.1.1.2/32 -j MASQUERADE
COMMIT
*filter
:FORWARD ACCEPT [0:0]
COMMIT
`

describe('VXLAN', () => {
  test('carries a packet between two bridges: TTL falls once on each node, the outer one is fresh', () => {
    const { client, server, hops } = follow(overlay(), 'x1', send('10.1.2.2', 80))
    expect(client).toEqual(['udp from 10.1.2.2'])
    expect(server).toEqual(['10.1.1.2 ttl 62'])
    expect(hops.find((h) => h.startsWith('n1 eth0 out'))).toBe(
      'n1 eth0 out 02:00:00:00:00:11 > 02:00:00:00:00:12 192.0.2.1 > 192.0.2.2 udp ttl 64 len 83 ports RANDOM>8472 ' +
        'vxlan vni 7 flags 0x08 udpcsum set inner {02:00:00:00:01:00 > 02:00:00:00:02:00 ' +
        '10.1.1.2 > 10.1.2.2 udp ttl 63 len 33 ports 40000>80 DF}',
    )
  })
  test.each([
    ['without an FDB entry', 'bridge fdb del 02:00:00:00:02:00 dev vx0', 'n1 fdb-missing'],
    ['with the VTEP out of reach', 'ip link set eth0 down', 'n1 no-route'],
  ])('%s it drops', (_, line, drop) => {
    expect(follow(overlay('', [line]), 'x1', send('10.1.2.2', 80)).drops).toEqual([drop])
  })
  test('another VNI is not heard', () => {
    const lab = overlay()
    const space = lab.space('n2')
    space.links = space.links.map((l) => (l.kind.kind === 'vxlan' ? { ...l, kind: { ...l.kind, vni: 8 } } : l))
    expect(follow(lab, 'x1', send('10.1.2.2', 80)).drops).toEqual(['n2 vni-mismatch'])
  })
})

test('a mark that the outer packet was given is on the inner one as well', () => {
  const rules = `*mangle
:PREROUTING ACCEPT [0:0]
-A PREROUTING -p udp -m udp --dport 8472 -j MARK --set-xmark 0x77/0xffffffff
COMMIT
*filter
:FORWARD ACCEPT [0:0]
-A FORWARD -m mark --mark 0x77 -j DROP
COMMIT
`
  expect(follow(overlay(rules), 'y1', send('10.1.1.2', 80)).drops).toEqual(['n1 rule-drop'])
})

describe('br_netfilter', () => {
  const bridgeHooks = ['n1 nat prerouting', 'n1 filter forward', 'n1 nat postrouting']
  test('DNAT to the same bridge is bridged: TTL kept, both hooks once, the answer translated', () => {
    const { client, server, hooks } = follow(overlay(dnat), 'x2', send('10.96.0.1', 1))
    expect(client).toEqual(['udp from 10.96.0.1'])
    expect(server).toEqual(['10.1.1.3 ttl 64'])
    expect(hooks).toEqual([...bridgeHooks, 'n1 filter forward'])
  })
  test('switched off, the request is routed and the answer comes from a stranger', () => {
    const lab = overlay(dnat)
    lab.sysctl('n1', ['net.bridge.bridge-nf-call-iptables=0'])
    const { client, server, drops } = follow(lab, 'x2', send('10.96.0.1', 1))
    expect(client).toEqual([])
    expect(server).toEqual(['10.1.1.3 ttl 63'])
    expect(drops).toContain('x2 unexpected-peer')
  })
  test('DNAT to elsewhere goes up to the IP stack, PREROUTING not again', () => {
    const { client, hops, hooks } = follow(overlay(dnat), 'x1', send('10.96.0.2', 1))
    expect(client).toEqual(['udp from 10.96.0.2'])
    expect(hops.find((h) => h.startsWith('n1 br0 in'))).toContain('10.1.1.2 > 10.1.2.2 udp ttl 64')
    expect(hooks.filter((h) => h === 'n1 nat prerouting')).toHaveLength(2) // the request, and the answer's outer packet
  })
  test.each([
    ['on', ['udp from 10.96.0.1'], false],
    ['off', [], true],
  ])('to oneself with hairpin %s', (mode, client, dropped) => {
    const lab = overlay(dnat, [`ip link set x1 type bridge_slave hairpin ${mode}`])
    const seen = follow(lab, 'x1', send('10.96.0.1', 1))
    expect(seen.client).toEqual(client)
    expect(seen.drops.includes('n1 bridge-hairpin-off')).toBe(dropped)
  })
  test('a reset for a bridged packet leaves by the port that it came in by, in the name of the other end', () => {
    const rules = '*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -p tcp -j REJECT --reject-with tcp-reset\nCOMMIT\n'
    const { client, hops } = follow(overlay(rules), 'x2', send('10.1.1.2', 80, 'tcp'))
    expect(client).toEqual(['ECONNREFUSED'])
    expect(hops.filter((h) => h.includes('flags RA'))).toEqual([
      'n1 x2 out 02:00:00:00:01:02 > 02:00:00:00:01:03 10.1.1.2 > 10.1.1.3 tcp ttl 64 len 40 ports 80>40000 flags RA DF',
      'x2 eth0 in 02:00:00:00:01:02 > 02:00:00:00:01:03 10.1.1.2 > 10.1.1.3 tcp ttl 64 len 40 ports 80>40000 flags RA DF',
    ])
  })
})

describe('proxy ARP', () => {
  test.each([
    ['1', 'default via 192.0.2.2 dev eth0', true],
    ['1', '', false],
    ['0', 'default via 192.0.2.2 dev eth0', false],
  ])('proxy_arp %s with a route %j elsewhere', (mode, route, answered) => {
    const lab = overlay('', route ? [`ip route add ${route}`] : [])
    lab.run('n1', 'ip link set x1 nomaster', () => '')
    lab.run('n1', 'ip route add 10.1.1.2/32 dev x1 scope link', () => '')
    lab.sysctl('n1', [`net.ipv4.conf.x1.proxy_arp=${mode}`])
    Object.assign(lab.space('x1'), { addresses: [], routes: [] })
    lab.run('x1', 'ip addr add 10.1.1.2/32 dev eth0', () => '')
    lab.run('x1', 'ip route add 169.254.1.1 dev eth0 scope link', () => '')
    lab.run('x1', 'ip route add default via 169.254.1.1 dev eth0', () => '')
    expect(follow(lab, 'x1', send('10.1.2.2', 80)).client).toEqual([answered ? 'udp from 10.1.2.2' : 'EHOSTUNREACH'])
  })
})
