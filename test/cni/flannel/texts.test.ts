import { describe, expect, test } from 'vitest'
import { delegateConf, delegateIpam } from '../../../src/cni/flannel/delegate.ts'
import { formatDockerOpts } from '../../../src/cni/flannel/docker-opts.ts'
import { formatLease, formatSubnetKey, parseSubnetKey, vxlanLeaseData } from '../../../src/cni/flannel/record.ts'
import { Registry } from '../../../src/cni/flannel/registry.ts'
import { formatSubnetEnv, parseSubnetEnv, type SubnetEnv } from '../../../src/cni/flannel/subnet-env.ts'
import { defaultSubnetRange } from '../../../src/cni/flannel/subnet-range.ts'
import { ip } from '../../../src/net/ip.ts'
import { mac } from '../../../src/net/mac.ts'
import { prefix } from '../../../src/net/prefix.ts'
import { address } from '../objects.ts'

const ipv4: SubnetEnv = {
  networks: [prefix('10.244.0.0/16')],
  subnet: address('10.244.3.1/24'),
  ipv6Networks: [],
  mtu: 1450,
  ipMasq: true,
}
const dual: SubnetEnv = {
  ...ipv4,
  ipv6Networks: [prefix('fd00:10:244::/48')],
  ipv6Subnet: address('fd00:10:244:3::1/64'),
}

describe('subnet.env', () => {
  test('holds the bridge address, and IPv6 only where it is on', () => {
    expect(formatSubnetEnv(ipv4)).toBe(
      'FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.3.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n',
    )
    expect(formatSubnetEnv(dual).split('\n').slice(2, 4)).toEqual([
      'FLANNEL_IPV6_NETWORK=fd00:10:244::/48',
      'FLANNEL_IPV6_SUBNET=fd00:10:244:3::1/64',
    ])
  })

  test.each([ipv4, dual])('is read back as it was written', (env) => {
    expect(parseSubnetEnv(formatSubnetEnv(env))).toEqual({ env })
  })

  test.each([
    [
      '',
      'missing FLANNEL_NETWORK, FLANNEL_IPV6_NETWORK, FLANNEL_SUBNET, FLANNEL_IPV6_SUBNET, FLANNEL_MTU, FLANNEL_IPMASQ',
    ],
    ['FLANNEL_NETWORK=10.0.0.0/8\nFLANNEL_SUBNET=10.1.0.1/24\nFLANNEL_IPMASQ=true', 'missing FLANNEL_MTU'],
    [
      'FLANNEL_NETWORK=10.0.0.0/8\nFLANNEL_SUBNET=10.1.0.1/24\nFLANNEL_MTU=big\nFLANNEL_IPMASQ=true',
      'FLANNEL_MTU is no number: big',
    ],
  ])('%j is told', (text, error) => {
    expect(parseSubnetEnv(text)).toEqual({ error })
  })
})

describe('the configuration of the delegate', () => {
  test('is that of the manifest with the subnet, the MTU and the other masquerade', () => {
    const delegate = { hairpinMode: true, isDefaultGateway: true }
    expect(delegateConf({ name: 'cbr0', cniVersion: '0.3.1', delegate }, ipv4)).toEqual({
      cniVersion: '0.3.1',
      name: 'cbr0',
      type: 'bridge',
      hairpinMode: true,
      isDefaultGateway: true,
      isGateway: true,
      ipMasq: false,
      mtu: 1450,
      ipam: {
        type: 'host-local',
        ranges: [[{ subnet: '10.244.3.0/24' }]],
        routes: [{ dst: '10.244.0.0/16' }],
      },
    })
  })

  test('keeps what the user set, and makes only a bridge a gateway', () => {
    const made = delegateConf({ name: 'x', delegate: { type: 'ptp', mtu: 1400, ipMasq: true } }, ipv4)
    expect(made).toMatchObject({ type: 'ptp', mtu: 1400, ipMasq: true })
    expect(made).not.toHaveProperty('isGateway')
  })

  test('has one range set per family, and the routes of the user first', () => {
    expect(delegateIpam({ routes: [{ dst: '192.0.2.0/24', gw: '10.244.3.9' }], type: 'other' }, dual)).toEqual({
      type: 'other',
      ranges: [[{ subnet: '10.244.3.0/24' }], [{ subnet: 'fd00:10:244:3::/64' }]],
      routes: [{ dst: '192.0.2.0/24', gw: '10.244.3.9' }, { dst: '10.244.0.0/16' }, { dst: 'fd00:10:244::/48' }],
    })
  })
})

test('docker masquerades exactly when flannel does not', () => {
  expect(formatDockerOpts(ipv4, { only: 'combined' })).toBe(
    'DOCKER_OPTS=" --bip=10.244.3.1/24 --ip-masq=false --mtu=1450"\n',
  )
  expect(formatDockerOpts({ ...ipv4, ipMasq: false }, { only: 'individual' })).toContain('--ip-masq=true')
  expect(formatDockerOpts(ipv4, { withoutIpMasq: true, key: 'OPTS' })).toBe(
    'DOCKER_OPT_BIP="--bip=10.244.3.1/24"\nDOCKER_OPT_MTU="--mtu=1450"\nOPTS=" --bip=10.244.3.1/24 --mtu=1450"\n',
  )
})

describe('what etcd holds', () => {
  test.each([
    ['10.5.1.0-24', { subnet: prefix('10.5.1.0/24') }],
    ['10.5.1.0-24&fd00:5::-64', { subnet: prefix('10.5.1.0/24'), ipv6Subnet: prefix('fd00:5::/64') }],
  ])('the key %s is read and written', (key, parts) => {
    expect(parseSubnetKey(key)).toEqual(parts)
    expect(formatSubnetKey(parts.subnet, 'ipv6Subnet' in parts ? parts.ipv6Subnet : undefined)).toBe(key)
  })

  test.each([
    '',
    '10.5.1.0',
    '10.5.1-24',
    '10.5.1.0-33',
    '10.5.1.0-24x',
    'fd00::-64',
    '10.5.1.0-24&10.6.1.0-24',
    '10.5.1.0-24&',
  ])('%j is no key', (key) => {
    expect(parseSubnetKey(key)).toBeUndefined()
  })

  test('the value has its keys in the order of the struct, and no type for udp', () => {
    const backendData = vxlanLeaseData(7, mac('02:00:00:00:00:09'))
    expect(formatLease({ publicIp: ip('192.0.2.1'), backendType: 'vxlan', backendData })).toBe(
      '{"PublicIP":"192.0.2.1","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":7,"VtepMAC":"02:00:00:00:00:09"}}',
    )
    expect(formatLease({ publicIpv6: ip('2001:db8::1'), backendType: '' })).toBe(
      '{"PublicIP":null,"PublicIPv6":"2001:db8::1"}',
    )
  })
})

describe('the etcd registry', () => {
  const network = prefix('10.5.0.0/16')
  const registry = () => new Registry(network, defaultSubnetRange(network, { max: ip('10.5.3.0') }))

  test('gives free subnets from SubnetMin up to SubnetMax', () => {
    const r = registry()
    const given = [1, 2, 3, 4].map((n) => r.acquire(ip(`192.0.2.${n}`))?.address)
    expect(given).toEqual(['10.5.1.0', '10.5.2.0', '10.5.3.0', undefined])
  })

  test('gives two hosts with one public IP one lease', () => {
    const r = registry()
    expect(r.acquire(ip('192.0.2.1'))).toEqual(r.acquire(ip('192.0.2.1')))
  })

  test('gives the subnet of subnet.env again where it fits and is free', () => {
    const r = registry()
    expect(r.acquire(ip('192.0.2.1'), prefix('10.5.3.0/24'))?.address).toBe('10.5.3.0')
    expect(r.acquire(ip('192.0.2.2'), prefix('10.5.3.0/24'))?.address).toBe('10.5.1.0')
    expect(r.acquire(ip('192.0.2.3'), prefix('10.6.3.0/24'))?.address).toBe('10.5.2.0')
    r.release(prefix('10.5.1.0/24'))
    expect(r.acquire(ip('192.0.2.4'))?.address).toBe('10.5.1.0')
  })
})
