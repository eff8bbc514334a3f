import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { deviceName } from '../../src/artefact/link.ts'
import { addToNetns, emptyNetns, type NetnsState } from '../../src/artefact/netns.ts'
import type { Route } from '../../src/artefact/route.ts'
import type { LinuxEvent } from '../../src/linux/event.ts'
import { createNetns } from '../../src/linux/netns.ts'
import { step } from '../../src/linux/step.ts'
import { ip } from '../../src/net/ip.ts'
import { stableMac, zeroMac } from '../../src/net/mac.ts'
import { prefix } from '../../src/net/prefix.ts'

/** What `connect` and a first `send` to the address come to: the socket's two addresses, or the error. */
interface Case {
  readonly dst: string
  readonly protocol: 'tcp' | 'udp'
  /** SO_BROADCAST. */
  readonly broadcast?: true
  readonly withDefaultRoute: string
  readonly without: string
}

const same = (result: string) => ({ withDefaultRoute: result, without: result })
const routed = (result: string) => ({ withDefaultRoute: result, without: 'ENETUNREACH' })

const cases: readonly Case[] = [
  { dst: '0.0.0.0', protocol: 'tcp', ...same('127.0.0.1 > 127.0.0.1') },
  { dst: '0.0.0.0', protocol: 'udp', ...same('127.0.0.1 > 127.0.0.1') },
  { dst: '::', protocol: 'tcp', ...same('::1 > ::1') },
  { dst: '::', protocol: 'udp', ...same('::1 > ::1') },
  { dst: '127.9.9.9', protocol: 'tcp', ...same('127.0.0.1 > 127.9.9.9') },
  { dst: '192.0.2.1', protocol: 'tcp', ...same('192.0.2.1 > 192.0.2.1') },
  { dst: '2001:db8::1', protocol: 'tcp', ...same('2001:db8::1 > 2001:db8::1') },
  { dst: '192.0.2.255', protocol: 'tcp', ...same('ENETUNREACH') },
  { dst: '192.0.2.255', protocol: 'udp', ...same('EACCES') },
  { dst: '192.0.2.255', protocol: 'udp', broadcast: true, ...same('192.0.2.1 > 192.0.2.255') },
  { dst: '255.255.255.255', protocol: 'tcp', ...same('ENETUNREACH') },
  { dst: '255.255.255.255', protocol: 'udp', ...routed('EACCES') },
  { dst: '255.255.255.255', protocol: 'udp', broadcast: true, ...routed('192.0.2.1 > 255.255.255.255') },
  { dst: '224.0.0.1', protocol: 'tcp', ...same('ENETUNREACH') },
  { dst: '239.1.1.1', protocol: 'udp', ...routed('192.0.2.1 > 239.1.1.1') },
  { dst: '240.0.0.1', protocol: 'udp', ...routed('192.0.2.1 > 240.0.0.1') },
  { dst: '0.1.2.3', protocol: 'udp', ...routed('192.0.2.1 > 0.1.2.3') },
  { dst: 'ff02::1', protocol: 'tcp', ...same('ENETUNREACH') },
  { dst: 'ff02::1', protocol: 'udp', ...same('EINVAL') },
  { dst: 'ff05::1', protocol: 'tcp', ...same('ENETUNREACH') },
  { dst: 'fe80::1', protocol: 'tcp', ...same('EINVAL') },
  { dst: 'fe80::1', protocol: 'udp', ...same('EINVAL') },
]

const eth0 = deviceName('eth0')
const through = (dst: string, via: string): Route => ({
  ...{ type: 'unicast', dst: prefix(dst), via: ip(via), dev: eth0, table: 'main', proto: 'boot', scope: 'global' },
})

const stateOf = (withDefaultRoute: boolean): NetnsState =>
  addToNetns(emptyNetns, {
    links: [
      { name: deviceName('lo'), mac: zeroMac, mtu: 65536, up: true, kind: { kind: 'loopback' } },
      { name: eth0, mac: stableMac('a'), mtu: 1500, up: true, kind: { kind: 'physical' } },
    ],
    addresses: [
      { ip: ip('192.0.2.1'), length: 24, dev: eth0, scope: 'global', broadcast: ip('192.0.2.255') },
      { ip: ip('2001:db8::1'), length: 64, dev: eth0, scope: 'global' },
    ],
    routes: withDefaultRoute ? [through('0.0.0.0/0', '192.0.2.254'), through('::/0', '2001:db8::fe')] : [],
  })

function emulated({ dst, protocol, broadcast }: Case, withDefaultRoute: boolean): string {
  const chance = { probably: () => false, pick: () => 0, noise: () => 0 }
  const ns = createNetns(stateOf(withDefaultRoute), { clock: { now: () => 0 }, chance })
  const ports = { srcPort: 40000, dstPort: 80 }
  const payload =
    protocol === 'udp'
      ? ({ kind: 'udp', ...ports, data: 1 } as const)
      : ({ kind: 'tcp', ...ports, flags: 2, seq: 0, ack: 0, options: 0, data: 0 } as const)
  const events: LinuxEvent[] = []
  const request = { src: undefined, dst: ip(dst), ttl: 64, tos: 0, df: true, payload, owner: 'client' }
  step(ns, { kind: 'send', request: { ...request, ...(broadcast ? { broadcast } : {}) } }, (e) => events.push(e))
  for (const event of events) {
    if (event.kind === 'socket-error' && event.owner === 'client') return event.errno
    if (event.kind === 'socket-send') return `${event.packet.src} > ${event.packet.dst}`
  }
  return 'nothing'
}

/** Asks the kernel itself, with a listener on every address so that a connection to this host succeeds. */
const probe = `
import errno, json, socket, sys
keep = [socket.create_server((a, 80), family=f) for a, f in (('0.0.0.0', socket.AF_INET), ('::', socket.AF_INET6))]
def ask(dst, protocol, broadcast):
    family = socket.AF_INET6 if ':' in dst else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM if protocol == 'tcp' else socket.SOCK_DGRAM) as s:
        if broadcast: s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        try:
            s.connect((dst, 80))
            said = s.getsockname()[0] + ' > ' + s.getpeername()[0]
            s.send(b'x')
            return said
        except OSError as e: return errno.errorcode[e.errno]
print(json.dumps([ask(*c) for c in json.loads(sys.argv[1])]))
`
const setup = `
ip link set lo up
ip link add eth0 type veth peer name far
ip addr add 192.0.2.1/24 broadcast 192.0.2.255 dev eth0
ip -6 addr add 2001:db8::1/64 dev eth0 nodad
ip link set far up; ip link set eth0 up
if [ "$1" = with ]; then ip route add default via 192.0.2.254; ip -6 route add default via 2001:db8::fe; fi
python3 -c "$2" "$3"
`

function real(withDefaultRoute: boolean): readonly string[] {
  const asked = JSON.stringify(cases.map((c) => [c.dst, c.protocol, c.broadcast === true]))
  const words = ['-c', setup, 'sh', withDefaultRoute ? 'with' : 'without', probe, asked]
  const { stdout, stderr } = spawnSync('unshare', ['-Urnm', '--map-root-user', 'sh', ...words], { encoding: 'utf8' })
  if (stderr !== '') throw new Error(stderr)
  return JSON.parse(stdout) as readonly string[]
}

const missing = ['ip', 'python3'].find((tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0)
const canUnshare = spawnSync('unshare', ['-Urnm', '--map-root-user', 'true']).status === 0
const reason = missing ?? (canUnshare ? undefined : 'namespaces')

describe('sending to an address that is nobody’s, or everybody’s', () => {
  test.each(cases)('$protocol to $dst (SO_BROADCAST $broadcast)', (c) => {
    expect(emulated(c, true)).toBe(c.withDefaultRoute)
    expect(emulated(c, false)).toBe(c.without)
  })

  test.skipIf(reason !== undefined)(`is what the kernel here says${reason ? ` (skipped: no ${reason})` : ''}`, () => {
    expect(real(true)).toEqual(cases.map((c) => c.withDefaultRoute))
    expect(real(false)).toEqual(cases.map((c) => c.without))
  })
})
