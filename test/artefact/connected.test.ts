import { describe, expect, test } from 'vitest'
import { parseAddresses } from '../../src/artefact/address-text.ts'
import { connectedRoutes } from '../../src/artefact/connected.ts'
import { deviceName, type Link } from '../../src/artefact/link.ts'
import { formatRoute } from '../../src/artefact/route-text.ts'
import { mac } from '../../src/net/mac.ts'

const link = (name: string, up = true): Link => ({
  name: deviceName(name),
  mac: mac('02:00:00:00:00:01'),
  mtu: 1500,
  up,
  kind: name === 'lo' ? { kind: 'loopback' } : { kind: 'dummy' },
})
const links = [link('lo'), link('eth0'), link('off', false)]

describe('the routes that the kernel makes for an address', () => {
  test.each([
    {
      name: 'a prefix, its broadcast address and the address itself',
      addresses: ['10.244.1.1/24 dev eth0'],
      routes: [
        'local 10.244.1.1 dev eth0 table local proto kernel scope host src 10.244.1.1',
        '10.244.1.0/24 dev eth0 proto kernel scope link src 10.244.1.1',
        'broadcast 10.244.1.255 dev eth0 table local proto kernel scope link src 10.244.1.1',
      ],
    },
    {
      name: 'with noprefixroute all but the connected route',
      addresses: ['10.1.0.1/24 dev eth0 noprefixroute'],
      routes: [
        'local 10.1.0.1 dev eth0 table local proto kernel scope host src 10.1.0.1',
        'broadcast 10.1.0.255 dev eth0 table local proto kernel scope link src 10.1.0.1',
      ],
    },
    {
      name: 'a host address is local, no more',
      addresses: ['10.244.1.0/32 dev eth0'],
      routes: ['local 10.244.1.0 dev eth0 table local proto kernel scope host src 10.244.1.0'],
    },
    {
      name: 'a /31 has no broadcast address',
      addresses: ['10.0.0.2/31 dev eth0'],
      routes: [
        'local 10.0.0.2 dev eth0 table local proto kernel scope host src 10.0.0.2',
        '10.0.0.2/31 dev eth0 proto kernel scope link src 10.0.0.2',
      ],
    },
    {
      name: 'a second address of a prefix answers with the first',
      addresses: ['10.0.0.1/24 dev eth0', '10.0.0.2/24 brd + dev eth0'],
      routes: [
        'local 10.0.0.1 dev eth0 table local proto kernel scope host src 10.0.0.1',
        '10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.1',
        'broadcast 10.0.0.255 dev eth0 table local proto kernel scope link src 10.0.0.1',
        'local 10.0.0.2 dev eth0 table local proto kernel scope host src 10.0.0.1',
      ],
    },
    {
      name: 'a device that is down',
      addresses: ['10.0.0.1/24 dev off'],
      routes: ['local 10.0.0.1 dev off table local proto kernel scope host src 10.0.0.1'],
    },
    {
      name: 'loopback owns its whole prefix',
      addresses: ['127.0.0.1/8 dev lo', '::1/128 dev lo'],
      routes: [
        'local 127.0.0.1 dev lo table local proto kernel scope host src 127.0.0.1',
        'local 127.0.0.0/8 dev lo table local proto kernel scope host src 127.0.0.1',
        'broadcast 127.255.255.255 dev lo table local proto kernel scope link src 127.0.0.1',
        'local ::1 dev lo table local proto kernel metric 0 pref medium',
      ],
    },
    {
      name: 'IPv6: a prefix route even for a host, and multicast once per device',
      addresses: ['fe80::1/64 dev eth0', 'fd00::1/128 dev eth0'],
      routes: [
        'local fe80::1 dev eth0 table local proto kernel metric 0 pref medium',
        'fe80::/64 dev eth0 proto kernel metric 256 pref medium',
        'local fd00::1 dev eth0 table local proto kernel metric 0 pref medium',
        'fd00::1 dev eth0 proto kernel metric 256 pref medium',
        'multicast ff00::/8 dev eth0 table local proto kernel metric 256 pref medium',
      ],
    },
    { name: 'a device that is not there', addresses: ['10.0.0.1/24 dev gone'], routes: [] },
  ])('$name', ({ addresses, routes }) => {
    const { entries } = parseAddresses(addresses.map((a) => `ip addr add ${a}`).join('\n'))
    expect(connectedRoutes(links, entries).map(formatRoute)).toEqual(routes)
  })
})
