import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cniChainName, kubeletHostportChain } from '../../src/cni/chain-name.ts'
import { cniMac, dockerMac } from '../../src/cni/mac.ts'
import { pluginsVersionFor } from '../../src/cni/plugins-version.ts'
import { vethName } from '../../src/cni/sandbox.ts'
import { compareVersions, isAtLeast, parseVersion, version } from '../../src/cni/version.ts'
import { ip } from '../../src/net/ip.ts'
import { isGroupMac, stableMac } from '../../src/net/mac.ts'
import { pod } from './objects.ts'

describe('chain names', () => {
  test('of CNI plugins are 28 characters of a hash over network and container', () => {
    const hash = createHash('sha512').update('cbr0abc').digest('hex')
    expect(cniChainName('cbr0', 'abc')).toBe(`CNI-${hash.slice(0, 24)}`)
    expect(cniChainName('cbr0', 'abc', 'DN-')).toBe(`CNI-DN-${hash.slice(0, 21)}`)
  })

  test('of kubelet are 24 characters, base32 in upper case', () => {
    expect(kubeletHostportChain('sandbox', 8080, 'TCP')).toMatch(/^KUBE-HP-[A-Z2-7]{16}$/)
    expect(kubeletHostportChain('sandbox', 8080, 'TCP')).not.toBe(kubeletHostportChain('sandbox', 8080, 'UDP'))
  })
})

describe('MAC addresses', () => {
  test('from an address', () => {
    expect(cniMac(ip('10.244.1.255'))).toBe('0a:58:0a:f4:01:ff')
    expect(dockerMac(ip('10.244.1.2'))).toBe('02:42:0a:f4:01:02')
  })

  test('from a seed are stable, locally administered and unicast', () => {
    fc.assert(
      fc.property(fc.string(), (seed) => {
        const mac = stableMac(seed)
        expect(mac).toBe(stableMac(seed))
        expect(isGroupMac(mac)).toBe(false)
        expect(Number.parseInt(mac.slice(0, 2), 16) & 2).toBe(2)
      }),
      { numRuns: 100 },
    )
  })
})

test('a veth name is `veth` and 8 hex digits, the same for the same pod', () => {
  expect(vethName(pod('a', 'n'))).toMatch(/^veth[0-9a-f]{8}$/)
  expect(vethName(pod('a', 'n'))).toBe(vethName(pod('a', 'other')))
  expect(vethName(pod('a', 'n'))).not.toBe(vethName(pod('b', 'n')))
})

describe('versions', () => {
  test.each([
    ['v0.8.0-rc2', { major: 0, minor: 8, patch: 0, candidate: 2 }],
    ['v0.11.0-amd64', { major: 0, minor: 11, patch: 0 }],
    ['1.34', { major: 1, minor: 34, patch: 0 }],
    ['latest', undefined],
  ])('%s', (text, expected) => {
    expect(parseVersion(text)).toEqual(expected)
  })

  test('are ordered, candidates before their release', () => {
    const ordered = ['v0.7.1', 'v0.8.0-rc1', 'v0.8.0-rc2', 'v0.8.0', 'v0.10.0', 'v1.0.0'].map(version)
    expect([...ordered].reverse().toSorted(compareVersions)).toEqual(ordered)
    expect(isAtLeast(version('v0.8.0-rc1'), 'v0.8.0-rc2')).toBe(false)
  })

  test.each([
    ['1.34', { major: 1, minor: 9 }],
    ['1.26', { major: 1, minor: 1 }],
    ['1.13', { major: 0, minor: 6 }],
    ['unknown', { major: 1, minor: 9 }],
  ])('Kubernetes %s came with plugins %j', (kube, plugins) => {
    expect(pluginsVersionFor(kube)).toMatchObject(plugins)
  })
})
