import { describe, expect, test } from 'vitest'
import type { SendRequest } from '../../src/linux/kernel.ts'
import { ip } from '../../src/net/ip.ts'
import { packetLength } from '../../src/packet/length.ts'
import { hopLine } from './hop.ts'
import { Lab } from './lab.ts'
import { World } from './world.ts'

const rules = `*nat
:PREROUTING ACCEPT [0:0]
-A PREROUTING -d 10.9.0.1/32 -p udp -m udp --dport 80 -j DNAT --to-destination 10.1.1.3:80
COMMIT
`

/** A host with x1 (10.1.1.2) and x2 (10.1.1.3) on br0 and the network 192.0.2.0/24 on eth0; 10.9.0.1:80 is x2. */
function host(...more: readonly string[]): Lab {
  const lab = new Lab()
  const run = (ns: string, line: string): void => lab.run(ns, line, () => '')
  run('n1', 'ip link add eth0 type veth peer name eth0 address 02:00:00:00:00:09 netns far')
  for (const line of [
    'ip link set eth0 up address 02:00:00:00:00:01',
    'ip addr add 192.0.2.1/24 dev eth0',
    'ip link add br0 address 02:00:00:00:01:01 type bridge',
    'ip link set br0 up',
    'ip addr add 10.1.1.1/24 dev br0',
  ])
    run('n1', line)
  for (const [pod, last] of [
    ['x1', 2],
    ['x2', 3],
  ] as const) {
    run('n1', `ip link add ${pod} type veth peer name eth0 address 02:00:00:00:01:0${last} netns ${pod}`)
    run('n1', `ip link set ${pod} up master br0`)
    run(pod, 'ip link set eth0 up')
    run(pod, `ip addr add 10.1.1.${last}/24 dev eth0`)
    run(pod, 'ip route add default via 10.1.1.1 dev eth0')
  }
  run('far', 'ip link set eth0 up')
  run('far', 'ip addr add 192.0.2.9/24 dev eth0')
  run('far', 'ip route add default via 192.0.2.1 dev eth0')
  for (const ns of ['x2', 'far'])
    lab.space(ns).sockets = [{ protocol: 'udp', address: undefined, port: 80, owner: 'server' }]
  lab.restore('n1', rules)
  lab.sysctl('n1', ['net.ipv4.ip_forward=1'])
  for (const line of more) run('n1', line)
  return lab
}

const datagram = (dst: string, srcPort: number, data = 5): SendRequest => ({
  src: undefined,
  dst: ip(dst),
  ttl: 64,
  tos: 0,
  df: data < 1300,
  payload: { kind: 'udp', srcPort, dstPort: 80, data },
  owner: 'client',
})

const eventsOf = (world: World, ns: string) => world.told.filter((t) => t.ns === ns).map((t) => t.event)
/** Device and direction of what packet sockets of the host see, ARP left out. */
const seen = (world: World): readonly string[] =>
  eventsOf(world, 'n1').flatMap((e) =>
    (e.kind === 'receive' || e.kind === 'transmit') && e.frame?.payload.kind === 'ip'
      ? [hopLine(e).split(' ', 2).join(' ')]
      : [],
  )

describe('DNAT of a bridged packet to another port of the bridge', () => {
  test('stays on the bridge, past the bridge device once the header is cached', () => {
    const world = new World(host(), false)
    world.run('x1', { kind: 'send', request: datagram('10.9.0.1', 4001) })
    world.run('x1', { kind: 'send', request: datagram('10.9.0.1', 4002) })
    expect(seen(world)).toEqual(['x1 in-otherhost', 'br0 out', 'x2 out', 'x1 in-otherhost', 'x2 out'])
  })

  test('passes the bridge device every time while the address was only heard of', () => {
    const world = new World(host(), false)
    // The question for the gateway tells the host who asks, and no more: the entry is stale.
    world.run('x2', { kind: 'send', request: datagram('10.1.1.1', 4000) })
    const before = seen(world).length
    world.run('x1', { kind: 'send', request: datagram('10.9.0.1', 4001) })
    world.run('x1', { kind: 'send', request: datagram('10.9.0.1', 4002) })
    const each = ['x1 in-otherhost', 'br0 out', 'x2 out']
    expect(seen(world).slice(before)).toEqual([...each, ...each])
  })

  test('goes up to the host and ends there without forwarding', () => {
    const world = new World(host('sysctl -w net.ipv4.ip_forward=0'), false)
    world.run('x1', { kind: 'send', request: datagram('10.9.0.1', 4001) })
    expect(seen(world)).toEqual(['x1 in-otherhost', 'br0 in'])
    expect(eventsOf(world, 'n1').flatMap((e) => (e.kind === 'drop' ? e.reason : []))).toEqual(['ip-forward-off'])
  })
})

test('a host that keeps going the longer way is not told each time', () => {
  const world = new World(host('sysctl -w net.bridge.bridge-nf-call-iptables=0'), false)
  // Once all know each other, no time passes.
  for (const pod of ['x1', 'x2']) world.run(pod, { kind: 'send', request: datagram('10.1.1.1', 4000) })
  for (const port of [4001, 4002, 4003]) world.run('x1', { kind: 'send', request: datagram('10.9.0.1', port) })
  const redirects = eventsOf(world, 'n1').filter(
    (e) => e.kind === 'icmp-send' && e.packet.payload.kind === 'icmp' && e.packet.payload.message.kind === 'redirect',
  )
  expect(redirects).toHaveLength(1)
})

test('what br_netfilter put together leaves a wider device in one piece', () => {
  const lab = host('ip link set x1 mtu 1400')
  lab.run('x1', 'ip link set eth0 mtu 1400', () => '')
  const world = new World(lab, false)
  world.run('x1', { kind: 'send', request: datagram('192.0.2.9', 4001, 1472) })
  expect(seen(world)).toEqual(['x1 in-otherhost', 'x1 in-otherhost', 'br0 in', 'eth0 out'])
})

test('where it must be cut, it is cut into the pieces that it came in', () => {
  const lab = host('ip link set x1 mtu 1400')
  lab.run('x1', 'ip link set eth0 mtu 1400', () => '')
  const world = new World(lab, false)
  world.run('x1', { kind: 'send', request: datagram('192.0.2.9', 4001, 1972) })
  const lengths = eventsOf(world, 'n1').flatMap((e) =>
    e.kind === 'transmit' && e.device === 'eth0' && e.frame?.payload.kind === 'ip'
      ? packetLength(e.frame.payload.packet)
      : [],
  )
  expect(lengths).toEqual([1396, 624])
})

test.each([
  ['10.1.1.3', 'ipv4'],
  ['fd00::3', 'ipv6'],
])('a datagram to %s that must not be cut and does not fit is refused by the system call', (dst) => {
  const lab = host()
  lab.run('x1', 'ip addr add fd00::2/64 dev eth0', () => '')
  const world = new World(lab, false)
  world.run('x1', { kind: 'send', request: { ...datagram(dst, 4001, 1600), df: true } })
  expect(world.outputs).toMatchObject([{ kind: 'error', errno: 'EMSGSIZE' }])
  world.run('x1', { kind: 'send', request: { ...datagram(dst, 4001, 1600), df: true, fragmentTooBig: true } })
  expect(world.outputs.filter((o) => o.kind === 'error' && o.errno === 'EMSGSIZE')).toHaveLength(1)
})
