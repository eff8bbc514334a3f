import { describe, expect, test } from 'vitest'
import { formatAddress, listAddress, parseAddresses } from '../../src/artefact/address-text.ts'
import { formatConntrack, parseConntrack } from '../../src/artefact/conntrack-text.ts'
import { formatFdb, listFdb, parseFdb } from '../../src/artefact/fdb-text.ts'
import { deviceName } from '../../src/artefact/link.ts'
import { formatLink, linkCommands, parseLinks } from '../../src/artefact/link-text.ts'
import { formatNeighbour, listNeighbour, parseNeighbours } from '../../src/artefact/neighbour-text.ts'
import { formatRoute, parseRoutes } from '../../src/artefact/route-text.ts'
import { formatRoutingRule, listRoutingRule, parseRoutingRules } from '../../src/artefact/routing-rule-text.ts'
import { formatSysctl, parseSysctls } from '../../src/artefact/sysctl-text.ts'

describe('routes', () => {
  test.each([
    'throw 10.10.0.0/16 table 55',
    '1.1.1.1 dev eth0 table 100 proto bird scope link',
    'default via 192.168.50.1 dev eth0 proto static src 192.168.50.11 metric 100 mtu 1400',
    'blackhole 10.5.0.0/16',
    'unreachable 10.6.0.0/16 metric 7',
    '10.7.0.0/16 dev eth0 proto 80 scope link',
    '10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink',
    'local 10.244.1.1 dev cni0 table local proto kernel scope host src 10.244.1.1',
    'broadcast 10.244.1.255 dev cni0 table local proto kernel scope link src 10.244.1.1',
    'fd00::/64 dev eth0 proto kernel metric 256 pref medium',
    'default via fe80::1 dev eth0 metric 5 pref medium',
    'blackhole fd03::/64 dev lo metric 1024 pref medium',
    'fd07::/64 via fd99::1 dev eth0 metric 1024 onlink mtu 1400 pref medium',
    'local fd00::11 dev eth0 table local proto kernel metric 0 pref medium',
    'multicast ff00::/8 dev eth0 table local proto kernel metric 256 pref medium',
  ])('a listed line comes back: %s', (line) => {
    const { entries, problems } = parseRoutes(line)
    expect(problems).toEqual([])
    expect(entries.map(formatRoute)).toEqual([line])
  })

  test.each([
    { command: 'ip route add 10.0.0.0/8 dev eth0', line: '10.0.0.0/8 dev eth0 scope link' },
    { command: 'ip -6 route replace default dev eth0', line: 'default dev eth0 metric 1024 pref medium' },
    { command: 'route add local 10.8.0.0/16 dev lo', line: 'local 10.8.0.0/16 dev lo table local scope host' },
    {
      command: 'route append 10.0.0.0/8 via 1.1.1.1 table 254 proto 12 mtu lock 1300',
      line: '10.0.0.0/8 via 1.1.1.1 proto bird mtu 1300',
    },
    { command: '10.0.0.0/8 dev eth0 linkdown', line: '10.0.0.0/8 dev eth0' },
  ])('ip fills in what a command leaves out: $command', ({ command, line }) => {
    expect(parseRoutes(command).entries.map(formatRoute)).toEqual([line])
  })

  test('what cannot be read is told by line', () => {
    const text =
      '10.0.0.0/8\n10.0.0.0/33 dev eth0\ndefault\n\tnexthop via 1.1.1.1 dev eth0 weight 1\n10.0.0.0/8 via fd00::1\n10.0.0.0/8 dev eth0 encap mpls 3\n# note\n10.0.0.0/8 dev eth0 metric x\n1.1.1.0/24 dev'
    const { entries, problems } = parseRoutes(text)
    expect(entries).toEqual([])
    expect(problems.map((p) => p.line)).toEqual([1, 2, 3, 4, 5, 6, 8, 9])
  })
})

describe('routing rules', () => {
  test.each([
    '93:\tfrom 10.0.0.1 lookup default',
    '94:\tfrom all iif lo lookup local',
    '96:\tfrom all unreachable',
    '98:\tnot from all fwmark 0x2 blackhole',
    '99:\tfrom 10.0.0.0/8 to 1.1.1.1 fwmark 0x1/0xff iif eth0 oif cni0 lookup 100',
    '95:\tfrom fd00::/64 lookup 200',
  ])('%s', (line) => {
    const { entries, problems } = parseRoutingRules(line)
    expect(problems).toEqual([])
    expect(entries.map(listRoutingRule)).toEqual([line])
    expect(parseRoutingRules(entries.map((r) => `ip rule add ${formatRoutingRule(r)}`).join('\n')).entries).toEqual(
      entries,
    )
  })
  test('a detached device, a missing priority, an unknown word', () => {
    const { entries, problems } = parseRoutingRules(
      '5:\tfrom all oif gone [detached] lookup main\nip rule add from 1.1.1.1 table 7\nip rule add to 1.1.1.1 table 8\n6:\tfrom all uidrange 0-1 lookup main',
    )
    expect(entries.map(listRoutingRule)).toEqual([
      '5:\tfrom all oif gone lookup main',
      '32765:\tfrom 1.1.1.1 lookup 7',
      '32764:\tfrom all to 1.1.1.1 lookup 8',
    ])
    expect(problems).toMatchObject([{ line: 4, found: 'uidrange' }])
  })
})

describe('addresses', () => {
  const listing = `1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever
3: eth0    inet 192.168.50.11/24 brd 192.168.50.255 scope global eth0\\       valid_lft forever preferred_lft forever
3: eth0    inet 192.168.50.12/24 scope global secondary eth0\\       valid_lft forever preferred_lft forever
3: eth0    inet6 fe80::c0ff:fea8:320b/64 scope link \\       valid_lft forever preferred_lft forever`
  test('ip -o addr comes back', () => {
    const { entries, problems } = parseAddresses(listing)
    expect(problems).toEqual([])
    expect(entries.map((a, i) => listAddress(a, i === 0 ? 1 : 3, i === 2)).join('\n')).toBe(listing)
    expect(entries.map(formatAddress)[1]).toBe('192.168.50.11/24 brd 192.168.50.255 scope global dev eth0')
    expect(parseAddresses(entries.map((a) => `ip addr add ${formatAddress(a)}`).join('\n')).entries).toEqual(entries)
  })
  test('ip addr on several lines, and commands', () => {
    const text = `2: eth0@if7: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue state UP group default qlen 1000
    link/ether 02:00:0a:f4:01:02 brd ff:ff:ff:ff:ff:ff link-netnsid 0
    inet 10.244.1.2/24 brd 10.244.1.255 scope global dynamic eth0
       valid_lft 100sec preferred_lft 100sec
    inet6 fd00::2/64 scope global
ip addr add 10.0.0.1/24 brd + dev cni0
ip addr add 10.0.0.1 peer 10.0.0.2 dev x
ip addr add 10.0.0.1/24`
    const { entries, problems } = parseAddresses(text)
    expect(entries.map(formatAddress)).toEqual([
      '10.244.1.2/24 brd 10.244.1.255 scope global dev eth0',
      'fd00::2/64 scope global dev eth0',
      '10.0.0.1/24 brd 10.0.0.255 scope global dev cni0',
    ])
    expect(problems.map((p) => p.line)).toEqual([7, 8])
  })
})

test('neighbours, as listed and as given', () => {
  const listing =
    '10.244.2.0 dev flannel.1 lladdr 02:00:0a:f4:02:00 PERMANENT\nfd00::5 dev eth0 lladdr 02:00:0a:f4:02:08 STALE'
  const { entries, problems } = parseNeighbours(
    `${listing}\n192.168.50.13 dev eth0 INCOMPLETE\n192.168.50.14 dev eth0 FAILED\nip neigh add 1.1.1.1 dev eth0\n1.1.1.1 lladdr 02:00:0a:f4:02:08`,
  )
  expect(entries.map(listNeighbour).join('\n')).toBe(listing)
  expect(problems.map((p) => p.line)).toEqual([5, 6])
  expect(parseNeighbours(entries.map((n) => `neigh replace ${formatNeighbour(n)}`).join('\n')).entries).toEqual(entries)
})

test('forwarding entries, as listed and as given', () => {
  const listing = [
    '02:00:0a:f4:02:06 dev flannel.1 dst 192.168.50.12 self static',
    '02:00:0a:f4:02:07 dev flannel.1 dst 192.168.50.12 self extern_learn permanent',
    '02:00:0a:f4:01:02 dev veth1 master cni0 static',
  ]
  const { entries, problems } = parseFdb(listing.join('\n'))
  expect(problems).toEqual([])
  expect(entries.map((e) => listFdb(e, deviceName('cni0')))).toEqual(listing)
  expect(entries.map(formatFdb)[2]).toBe('02:00:0a:f4:01:02 dev veth1 master static')
  const given = parseFdb(
    'bridge fdb append 02:00:0a:f4:02:00 dev flannel.1 dst 192.168.50.12\nfdb replace 02:00:0a:f4:02:00 dev veth1 master\n02:00:0a:f4:02:00 dev veth1 vlan 7 master cni0',
  )
  expect(given.entries.map(formatFdb)).toEqual([
    '02:00:0a:f4:02:00 dev flannel.1 dst 192.168.50.12 self permanent',
    '02:00:0a:f4:02:00 dev veth1 master permanent',
  ])
  expect(given.problems).toMatchObject([{ line: 3, found: 'vlan' }])
})

test('conntrack entries', () => {
  const lines = [
    'tcp      6 99 ESTABLISHED src=1.1.1.1 dst=2.2.2.2 sport=1 dport=2 src=2.2.2.2 dst=1.1.1.1 sport=2 dport=1 [ASSURED] mark=3 use=1',
    'udp      17 99 src=1.1.1.1 dst=2.2.2.3 sport=1 dport=2 [UNREPLIED] src=5.5.5.5 dst=1.1.1.1 sport=80 dport=1 mark=0 use=1',
    'icmp     1 99 src=1.1.1.1 dst=2.2.2.2 type=8 code=0 id=77 [UNREPLIED] src=2.2.2.2 dst=1.1.1.1 type=0 code=0 id=77 mark=0 use=1',
    'icmpv6   58 99 src=fd00::1 dst=fd00::2 type=128 code=0 id=77 [UNREPLIED] src=fd00::2 dst=fd00::1 type=129 code=0 id=77 mark=0 use=1',
  ]
  const { entries, problems } = parseConntrack(lines.join('\n'))
  expect(problems).toEqual([])
  expect(entries.map(formatConntrack)).toEqual(lines)
  expect(parseConntrack(`ipv4     2 ${lines[0]}`).entries).toEqual(entries.slice(0, 1))
  const bad = parseConntrack(
    'gre 47 9 src=1.1.1.1\nudp 17 9 src=1.1.1.1 dst=2.2.2.2 sport=1 dport=2\nudp 17 9 src=1.1.1.1 dst=2.2.2.3 sport=1 dport=2 src=5.5.5.5 dst=1.1.1.1 sport=80 dport=1 zone=4',
  )
  expect(bad.problems.map((p) => p.line)).toEqual([1, 2, 3])
})

describe('links', () => {
  const text = `3: eth0@sw: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP mode DEFAULT group default qlen 1000
    link/ether 02:00:c0:a8:32:0b brd ff:ff:ff:ff:ff:ff promiscuity 0  allmulti 0 minmtu 68 maxmtu 65535
    veth addrgenmode eui64 numtxqueues 2
4: cni0: <NO-CARRIER,BROADCAST,MULTICAST,UP> mtu 1450 qdisc noqueue state DOWN mode DEFAULT\\    link/ether 02:00:0a:f4:01:01 brd ff:ff:ff:ff:ff:ff promiscuity 0 \\    bridge forward_delay 1500 hello_time 200 stp_state 0 priority 32768 vlan_filtering 0 bridge_id 8000.2:0:a:f4:1:1
5: flannel.1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue state UNKNOWN
    link/ether 02:00:0a:f4:01:00 brd ff:ff:ff:ff:ff:ff
    vxlan id 1 local 192.168.50.11 dev eth0 srcport 0 0 dstport 8472 nolearning ttl auto
7: veth1@if2: <BROADCAST,MULTICAST,UP,M-DOWN> mtu 1450 qdisc noqueue master cni0 state UP
    link/ether 66:04:5f:2e:d3:71 brd ff:ff:ff:ff:ff:ff
    veth
    bridge_slave state disabled priority 32 cost 2 hairpin on guard off learning on flood on isolated off
8: wg0: <POINTOPOINT,NOARP,UP> mtu 1420
    link/none
    wireguard addrgenmode none
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
9: tunl0@NONE: <NOARP,UP,LOWER_UP> mtu 1480
    link/ipip 0.0.0.0 brd 0.0.0.0
    ipip remote any local any ttl inherit nopmtudisc`
  const { entries, problems } = parseLinks(text)

  test('what ip -d link says is read, and what we say of it is read back', () => {
    expect(problems).toMatchObject([{ line: 12, found: 'wireguard' }])
    expect(entries.map((l) => `${l.name} ${l.kind.kind} ${l.mtu} ${l.up} ${l.master ?? ''}`)).toEqual([
      'eth0 veth 1500 true ',
      'cni0 bridge 1450 true ',
      'flannel.1 vxlan 1450 true ',
      'veth1 veth 1450 true cni0',
      'lo loopback 65536 true ',
      'tunl0 ipip 1480 true ',
    ])
    expect(entries[3]?.port).toEqual({ hairpin: true, learning: true, flooding: true, isolated: false })
    expect(parseLinks(entries.map((l, i) => formatLink(l, i + 1)).join('\n')).entries).toEqual(entries)
  })

  test('commands that make them', () => {
    expect(entries.flatMap((l) => linkCommands(l, { peerNetns: 'pod' }))).toEqual([
      'link add eth0 address 02:00:c0:a8:32:0b mtu 1500 type veth peer name sw netns pod',
      'link set eth0 up',
      'link add cni0 address 02:00:0a:f4:01:01 mtu 1450 type bridge stp_state 0 mcast_snooping 0',
      'link set cni0 up',
      'link add flannel.1 address 02:00:0a:f4:01:00 mtu 1450 type vxlan id 1 local 192.168.50.11 dev eth0 dstport 8472 nolearning',
      'link set flannel.1 up',
      'link add veth1 address 66:04:5f:2e:d3:71 mtu 1450 type veth peer name if2 netns pod',
      'link set veth1 master cni0',
      'link set veth1 type bridge_slave hairpin on learning on flood on isolated off',
      'link set veth1 up',
      'link set lo mtu 65536',
      'link set lo up',
      'link set tunl0 mtu 1480',
      'link set tunl0 up',
    ])
  })
})

test('sysctls in all spellings', () => {
  const { entries, problems } = parseSysctls(
    'net.ipv4.ip_forward = 1\nnet/ipv4/conf/flannel.1/rp_filter=2\nnet.ipv4.conf.flannel/1.rp_filter = 0\n# x\nsysctl -w net.ipv4.a=1 net.ipv4.ip_local_port_range="1 2"\nnonsense',
  )
  expect(entries).toEqual([
    ['net.ipv4.ip_forward', '1'],
    ['net.ipv4.conf.flannel.1.rp_filter', '2'],
    ['net.ipv4.conf.flannel.1.rp_filter', '0'],
    ['net.ipv4.a', '1'],
    ['net.ipv4.ip_local_port_range', '"1 2"'],
  ])
  expect(problems).toMatchObject([{ line: 6, found: 'nonsense' }])
  expect(formatSysctl('net.ipv4.conf.flannel.1.rp_filter', '0')).toBe('net.ipv4.conf.flannel/1.rp_filter = 0')
})
