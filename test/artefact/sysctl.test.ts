import { describe, expect, test } from 'vitest'
import { deviceName } from '../../src/artefact/link.ts'
import { deviceSysctl, readSysctl, readSysctlNumber, type Sysctls } from '../../src/artefact/sysctl.ts'
import { deviceDefaults, namespaceDefaults } from '../../src/artefact/sysctl-defaults.ts'
import { inNamespace, missingTools } from './real-tools.ts'

const conf = (values: Record<string, string>): Sysctls =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [`net.ipv4.conf.${key}`, value]))

describe('what a key reads', () => {
  test.each<{ name: string; given: Sysctls; key: string; reads: string | undefined }>([
    { name: 'a default', given: {}, key: 'net.ipv4.ip_default_ttl', reads: '64' },
    { name: 'a value given', given: { 'net.ipv4.ip_default_ttl': '3' }, key: 'net.ipv4.ip_default_ttl', reads: '3' },
    {
      name: 'a device with dots from default',
      given: conf({ 'default.rp_filter': '2' }),
      key: 'net.ipv4.conf.flannel.1.rp_filter',
      reads: '2',
    },
    {
      name: 'all is not handed on for rp_filter',
      given: conf({ 'all.rp_filter': '1' }),
      key: 'net.ipv4.conf.eth0.rp_filter',
      reads: '0',
    },
    {
      name: 'ip_forward reaches devices',
      given: { 'net.ipv4.ip_forward': '1' },
      key: 'net.ipv4.conf.eth0.forwarding',
      reads: '1',
    },
    {
      name: 'ip_forward is conf.all.forwarding',
      given: { 'net.ipv4.ip_forward': '1' },
      key: 'net.ipv4.conf.all.forwarding',
      reads: '1',
    },
    { name: 'and the other way round', given: conf({ 'all.forwarding': '1' }), key: 'net.ipv4.ip_forward', reads: '1' },
    {
      name: 'disable_ipv6 reaches devices',
      given: { 'net.ipv6.conf.all.disable_ipv6': '1' },
      key: 'net.ipv6.conf.eth0.disable_ipv6',
      reads: '1',
    },
    {
      name: 'neighbour settings',
      given: { 'net.ipv4.neigh.cali1.proxy_delay': '0' },
      key: 'net.ipv4.neigh.cali1.proxy_delay',
      reads: '0',
    },
    { name: 'neighbour defaults', given: {}, key: 'net.ipv4.neigh.eth0.mcast_solicit', reads: '3' },
    { name: 'no such key', given: {}, key: 'net.ipv4.nope', reads: undefined },
    { name: 'a name of the object prototype', given: {}, key: 'constructor', reads: undefined },
  ])('$name', ({ given, key, reads }) => {
    expect(readSysctl(given, key)).toBe(reads)
  })
  test('a value that is no number', () => {
    expect(readSysctlNumber({}, 'net.ipv4.ip_local_port_range')).toBeUndefined()
  })
})

describe('what a device setting comes to', () => {
  test.each<{ name: string; given: Sysctls; setting: string; is: number }>([
    {
      name: 'rp_filter is the larger',
      given: conf({ 'all.rp_filter': '1', 'eth0.rp_filter': '2' }),
      setting: 'rp_filter',
      is: 2,
    },
    { name: 'arp_ignore is the larger', given: conf({ 'all.arp_ignore': '1' }), setting: 'arp_ignore', is: 1 },
    { name: 'proxy_arp of either', given: conf({ 'all.proxy_arp': '1' }), setting: 'proxy_arp', is: 1 },
    { name: 'route_localnet of either', given: conf({ 'eth0.route_localnet': '1' }), setting: 'route_localnet', is: 1 },
    {
      name: 'send_redirects off needs both',
      given: conf({ 'eth0.send_redirects': '0' }),
      setting: 'send_redirects',
      is: 1,
    },
    {
      name: 'forwarding is the device own',
      given: conf({ 'all.forwarding': '1', 'eth0.forwarding': '0' }),
      setting: 'forwarding',
      is: 0,
    },
    {
      name: 'a host takes redirects on either',
      given: conf({ 'eth0.accept_redirects': '0' }),
      setting: 'accept_redirects',
      is: 1,
    },
    {
      name: 'a router on both',
      given: { 'net.ipv4.ip_forward': '1', ...conf({ 'eth0.accept_redirects': '0' }) },
      setting: 'accept_redirects',
      is: 0,
    },
  ])('$name', ({ given, setting, is }) => {
    expect(deviceSysctl(given, 'ipv4', deviceName('eth0'), setting)).toBe(is)
  })
  test('IPv6 forwards by conf.all', () => {
    expect(deviceSysctl({ 'net.ipv6.conf.eth0.forwarding': '1' }, 'ipv6', deviceName('eth0'), 'forwarding')).toBe(0)
    expect(deviceSysctl({ 'net.ipv6.conf.all.forwarding': '1' }, 'ipv6', deviceName('eth0'), 'forwarding')).toBe(1)
  })
})

const missing = missingTools('sysctl', 'ip')
test.skipIf(missing !== undefined)(
  `a fresh namespace of this machine has these defaults${missing ? ` (skipped: ${missing})` : ''}`,
  () => {
    const ran = inNamespace('ip link add d0 type veth peer name d1; sysctl -a 2>/dev/null')
    const real = new Map(ran.stdout.split('\n').map((l) => l.split(' = ') as [string, string]))
    const ours = [
      ...Object.entries(namespaceDefaults),
      ...(['ipv4', 'ipv6'] as const).flatMap((f) =>
        Object.entries(deviceDefaults[f]).map(([n, v]) => [`net.${f}.conf.d0.${n}`, v] as const),
      ),
    ]
    // A machine may hand its own settings on (net.core.devconf_inherit_init_net); sizes depend on its memory.
    const varies =
      /buckets|conntrack_max|rp_filter|send_redirects|forward|disable_ipv6|accept_|bridge-nf|promote|log_martians/
    const wrong = ours.filter(
      ([key, value]) => !varies.test(key) && real.has(key) && real.get(key)?.trim() !== value.trim(),
    )
    expect(wrong.map(([key, value]) => `${key}: ${value}, here ${real.get(key)}`)).toEqual([])
  },
)
