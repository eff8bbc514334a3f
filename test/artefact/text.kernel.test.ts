import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatAddress, parseAddresses } from '../../src/artefact/address-text.ts'
import { connectedRoutes } from '../../src/artefact/connected.ts'
import { formatConntrack, parseConntrack } from '../../src/artefact/conntrack-text.ts'
import { formatFdb, parseFdb } from '../../src/artefact/fdb-text.ts'
import { deviceName, type Link } from '../../src/artefact/link.ts'
import { linkCommands, parseLinks } from '../../src/artefact/link-text.ts'
import { formatNeighbour, listNeighbour, parseNeighbours } from '../../src/artefact/neighbour-text.ts'
import type { Address } from '../../src/artefact/netns.ts'
import { present } from '../../src/artefact/problem.ts'
import { formatRoute, parseRoutes } from '../../src/artefact/route-text.ts'
import { formatRoutingRule, listRoutingRule, parseRoutingRules } from '../../src/artefact/routing-rule-text.ts'
import { familyOf, ip, ipAt } from '../../src/net/ip.ts'
import { mac } from '../../src/net/mac.ts'
import { broadcastOf, networkOf } from '../../src/net/prefix.ts'
import { inNamespace, missingTools } from './real-tools.ts'

const missing = missingTools('ip', 'bridge')
const skipped = missing ? ` (skipped: ${missing})` : ''
const lines = (text: string): readonly string[] =>
  text
    .split('\n')
    .map((l) => l.trimEnd())
    .filter(Boolean)
    .sort()

const device = (name: string, last: number, rest: Partial<Link> & Pick<Link, 'kind'>): Link => ({
  name: deviceName(name),
  mac: mac(`02:00:00:00:00:0${last}`),
  mtu: 1450,
  up: true,
  ...rest,
})

const links: readonly Link[] = [
  device('eth0', 1, { mtu: 1500, kind: { kind: 'veth', peer: deviceName('sw') } }),
  device('sw', 2, { mtu: 1500, kind: { kind: 'veth', peer: deviceName('eth0') } }),
  device('cni0', 3, { kind: { kind: 'bridge', stp: false, vlanFiltering: false } }),
  device('flannel.1', 4, {
    kind: {
      kind: 'vxlan',
      vni: 1,
      local: ip('192.168.50.11'),
      dev: deviceName('eth0'),
      dstPort: 8472,
      learning: false,
    },
  }),
  device('veth1', 5, {
    master: deviceName('cni0'),
    port: { hairpin: true, learning: true, flooding: true, isolated: false },
    kind: { kind: 'veth', peer: deviceName('veth1p') },
  }),
  device('veth1p', 6, { kind: { kind: 'veth', peer: deviceName('veth1') } }),
  device('off0', 7, { up: false, kind: { kind: 'veth', peer: deviceName('off1') } }),
  device('off1', 8, { up: false, kind: { kind: 'veth', peer: deviceName('off0') } }),
]
const second = new Set(['sw', 'veth1p', 'off1'])
const build = ['link set lo up', ...links.flatMap((l) => linkCommands(l, { made: second.has(l.name) }))]
/** Without link-local addresses, which the kernel makes by itself. */
const quiet = 'sysctl -qw net.ipv6.conf.default.addr_gen_mode=1 net.ipv6.conf.all.addr_gen_mode=1\n'
const batch = (tool: string, commands: readonly string[]): string =>
  `${tool} -batch - <<'E'\n${commands.join('\n')}\nE\n`

describe.skipIf(missing !== undefined)(`iproute2 takes our lines and lists them so${skipped}`, () => {
  test('devices', () => {
    const ran = inNamespace(`${quiet}${batch('ip', build)}ip -d -o link; echo; ip -d link`)
    expect(ran.stderr).toBe('')
    const { entries, problems } = parseLinks(ran.stdout)
    expect(problems).toEqual([])
    const plain = (l: Link): Link => ({ ...l, promiscuous: false })
    const seen = entries.filter((l) => l.name !== 'lo').map(plain)
    // Both listings, in whatever order.
    expect(seen).toHaveLength(2 * links.length)
    expect(seen).toEqual(expect.arrayContaining(links.map(plain)))
  })

  test('addresses, routes, rules, neighbours and forwarding entries', () => {
    const addresses = [
      '192.168.50.11/24 brd 192.168.50.255 scope global dev eth0',
      '10.244.1.1/24 scope global dev cni0',
      '10.244.1.0/32 scope link dev flannel.1',
      'fd00::11/64 scope global dev eth0',
    ]
    const routes = [
      'default via 192.168.50.1 dev eth0 proto static src 192.168.50.11 metric 100 mtu 1400',
      '10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink',
      'blackhole 10.5.0.0/16 proto 80',
      'unreachable 10.6.0.0/16 metric 7',
      '1.1.1.1 dev eth0 table 100 proto bird scope link',
      'throw 10.10.0.0/16 table 55',
      'fd02::/64 via fd00::1 dev eth0 metric 1024 pref medium',
      'prohibit fd06::/64 dev lo table 100 proto static metric 1024 pref medium',
    ]
    const rules = [
      '99:\tfrom 10.0.0.0/8 to 1.1.1.1 fwmark 0x1/0xff iif eth0 oif cni0 lookup 100',
      '98:\tnot from all fwmark 0x2 blackhole',
    ]
    const neighbours = [
      '10.244.2.0 dev flannel.1 lladdr 02:00:0a:f4:02:00 PERMANENT',
      'fd00::5 dev eth0 lladdr 02:00:0a:f4:02:08 STALE',
    ]
    const fdb = [
      '02:00:0a:f4:02:00 dev flannel.1 dst 192.168.50.12 self permanent',
      '02:00:0a:f4:02:06 dev flannel.1 dst 192.168.50.13 self static',
      '02:00:0a:f4:01:02 dev veth1 master static',
    ]
    const commands = [
      ...build,
      ...parseAddresses(addresses.map((a) => `addr add ${a}`).join('\n')).entries.map(
        (a) => `addr add ${formatAddress(a)}${familyOf(a.ip) === 'ipv6' ? ' nodad' : ''}`,
      ),
      ...parseRoutes(routes.join('\n')).entries.map((r) => `route add ${formatRoute(r)}`),
      ...parseRoutingRules(rules.join('\n')).entries.map((r) => `rule add ${formatRoutingRule(r)}`),
      ...parseNeighbours(neighbours.join('\n')).entries.map((n) => `neigh add ${formatNeighbour(n)}`),
    ]
    const script = `${quiet}${batch('ip', commands)}${batch(
      'bridge',
      parseFdb(fdb.join('\n')).entries.map((e) => `fdb append ${formatFdb(e)}`),
    )}
for c in "ip -o addr" "ip -4 route show table all" "ip -6 route show table all" "ip rule" "ip neigh" "bridge fdb"; do echo "## $c"; $c; done`
    const ran = inNamespace(script)
    expect(ran.stderr).toBe('')
    const [, addr = '', route4 = '', route6 = '', rule = '', neigh = '', forwarding = ''] =
      ran.stdout.split(/^## .*\n/m)
    const read = <T>({
      entries,
      problems,
    }: {
      readonly entries: readonly T[]
      readonly problems: readonly unknown[]
    }): readonly T[] => {
      expect(problems).toEqual([])
      return entries
    }
    expect(read(parseAddresses(addr)).map(formatAddress)).toEqual(expect.arrayContaining(addresses))
    const listed = read(parseRoutes(`${route4}${route6}`)).map(formatRoute)
    expect([...listed].sort()).toEqual(
      lines(`${route4}${route6}`)
        .map((l) => l.replace(/ linkdown$/, ''))
        .sort(),
    )
    expect(listed).toEqual(expect.arrayContaining(routes))
    expect(read(parseRoutingRules(rule)).map(listRoutingRule)).toEqual(
      lines(rule)
        .map((l) => l)
        .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10)),
    )
    expect(read(parseRoutingRules(rule)).map(listRoutingRule)).toEqual(expect.arrayContaining(rules))
    expect(read(parseNeighbours(neigh)).map(listNeighbour).sort()).toEqual([...neighbours].sort())
    expect(read(parseFdb(forwarding)).map(formatFdb)).toEqual(expect.arrayContaining(fdb))
  })

  test('the routes that the kernel makes for random addresses are those that we derive', () => {
    const anyAddress: fc.Arbitrary<Address> = fc
      .record({
        dev: fc.constantFrom('eth0', 'cni0', 'flannel.1', 'off0', 'sw'),
        v6: fc.boolean(),
        third: fc.integer({ min: 0, max: 2 }),
        host: fc.integer({ min: 1, max: 250 }),
        length: fc.constantFrom(8, 16, 23, 24, 25, 30, 31, 32),
        brd: fc.boolean(),
      })
      .map(({ dev, v6, third, host, length, brd }) => {
        const own = v6 ? ipAt((0xfd00n << 112n) | BigInt(third * 65536 + host), 'ipv6') : ip(`10.1.${third}.${host}`)
        const size = v6 ? length * 4 : length
        const broadcast = brd ? broadcastOf(networkOf(own, size)) : undefined
        return present<Address>({ ip: own, length: size, dev: deviceName(dev), scope: 'global', broadcast })
      })
    const samples = fc.sample(fc.uniqueArray(anyAddress, { maxLength: 8, selector: (a) => a.ip }), {
      numRuns: 12,
      seed: 5,
    })
    for (const addresses of samples) {
      const adds = addresses.map((a) => `addr add ${formatAddress(a)}${familyOf(a.ip) === 'ipv6' ? ' nodad' : ''}`)
      const ran = inNamespace(
        `${quiet}${batch('ip', [...build, ...adds])}sleep 0.1; ip -4 route show table all; ip -6 route show table all`,
      )
      expect(ran.stderr).toBe('')
      const real = parseRoutes(ran.stdout)
        .entries.filter((r) => r.dev !== 'lo' && r.type !== 'multicast')
        .map(formatRoute)
      const ours = connectedRoutes(links, addresses)
        .filter((r) => r.type !== 'multicast')
        .map(formatRoute)
      expect([...ours].sort(), adds.join('\n')).toEqual([...real].sort())
    }
  })
})

const noConntrack = missingTools('conntrack')
test.skipIf(noConntrack !== undefined)(
  `conntrack entries come back as conntrack -L lists them${noConntrack ? ` (skipped: ${noConntrack})` : ''}`,
  () => {
    const ran =
      inNamespace(`conntrack -I -p tcp -s 1.1.1.1 -d 2.2.2.2 --sport 1 --dport 2 --state ESTABLISHED -t 100 -u ASSURED,SEEN_REPLY -m 3 >/dev/null
conntrack -I -p udp -s 1.1.1.1 -d 2.2.2.3 --sport 1 --dport 2 -t 100 -g 5.5.5.5:80 >/dev/null
conntrack -I -p icmp -s 1.1.1.1 -d 2.2.2.2 --icmp-type 8 --icmp-code 0 --icmp-id 77 -t 100 >/dev/null
conntrack -L 2>/dev/null; conntrack -L -f ipv6 2>/dev/null`)
    const { entries, problems } = parseConntrack(ran.stdout)
    expect(problems).toEqual([])
    expect(entries).toHaveLength(3)
    expect(entries.map(formatConntrack).sort()).toEqual([...lines(ran.stdout)])
  },
)
