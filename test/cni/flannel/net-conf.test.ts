import { describe, expect, test } from 'vitest'
import { defaultNetConf, type NetConf, parseNetConf } from '../../../src/cni/flannel/net-conf.ts'
import { prefix } from '../../../src/net/prefix.ts'

function conf(json: unknown, manager: 'kube' | 'etcd' = 'etcd'): NetConf {
  const result = parseNetConf(JSON.stringify(json), manager)
  if ('errors' in result) throw new Error(result.errors.join('\n'))
  return result.conf
}

describe('defaults of net-conf.json', () => {
  test.each([
    ['a /16 is cut into /24s, from the second', { Network: '10.3.0.0/16' }, 24, '10.3.1.0', '10.3.255.0'],
    ['a /22 still is', { Network: '10.3.4.0/22' }, 24, '10.3.5.0', '10.3.7.0'],
    ['a /23 gives two bits more than its own', { Network: '10.3.4.0/23' }, 25, '10.3.4.128', '10.3.5.128'],
    ['SubnetLen moves both ends', { Network: '10.3.0.0/16', SubnetLen: 20 }, 20, '10.3.16.0', '10.3.240.0'],
  ])('%s', (_, json, subnetLength, subnetMin, subnetMax) => {
    expect(conf(json).ipv4).toMatchObject({ subnetLength, subnetMin, subnetMax })
  })

  test('IPv6 is off until asked for, and is then cut into /64s', () => {
    expect(conf({ Network: '10.3.0.0/16', IPv6Network: 'fd00::/48' }).ipv6).toBeUndefined()
    const both = conf({ Network: '10.3.0.0/16', EnableIPv6: true, IPv6Network: 'fd00::/48' })
    expect(both.ipv6).toMatchObject({ subnetLength: 64, subnetMin: 'fd00:0:0:1::', subnetMax: 'fd00:0:0:ffff::' })
    expect(conf({ EnableIPv6: true, IPv6Network: 'fd00::/63', EnableIPv4: false }).ipv6?.subnetLength).toBe(65)
  })

  test.each([
    [undefined, 'udp'],
    [{}, 'udp'],
    [{ Type: 'VXLAN' }, 'vxlan'],
    [{ type: 'host-gw' }, 'host-gw'],
  ])('Backend %j is %s', (Backend, type) => {
    expect(conf({ Network: '10.3.0.0/16', Backend }).backend.type).toBe(type)
  })

  test('the case of keys does not matter, and unknown keys are ignored', () => {
    expect(conf({ nETWORK: '10.3.0.0/16', enablenftables: true, other: 1 })).toMatchObject({
      enableNftables: true,
      ipv4: { network: prefix('10.3.0.0/16') },
    })
  })

  test('without a ConfigMap: vxlan over the pod networks', () => {
    const made = defaultNetConf([prefix('10.244.0.0/16'), prefix('fd00::/48')])
    expect(made).toMatchObject({ backend: { type: 'vxlan' }, ipv4: { subnetLength: 24 }, ipv6: { subnetLength: 64 } })
  })
})

describe('what is refused', () => {
  test.each([
    ['{', /no JSON/],
    ['[]', /no JSON object/],
    ['{"Network": "10.3.0.0"}', undefined],
    ['{}', /Network must be an IPv4 CIDR block, found nothing/],
    ['{"Network": "fd00::/48"}', /Network must be an IPv4 CIDR block, found "fd00::\/48"/],
    ['{"Network": "10.3.0.0/16", "EnableIPv6": true}', /IPv6Network must be an IPv6 CIDR block/],
    ['{"Network": "10.3.0.0/16", "EnableIPv4": "yes"}', /EnableIPv4 must be true or false, found "yes"/],
    ['{"Network": "10.3.0.0/16", "Backend": "vxlan"}', /Backend must be an object, found "vxlan"/],
    ['{"Network": "10.3.0.0/16", "Backend": {"Type": 7}}', /Backend.Type must be a string, found 7/],
    ['{"Network": "10.3.0.0/16", "SubnetMin": "x"}', /SubnetMin must be an address, found "x"/],
    ['{"Network": "10.3.0.0/16", "SubnetLen": 1.5}', /SubnetLen must be a whole number, found 1.5/],
  ])('%s', (text, message) => {
    const result = parseNetConf(text)
    if (message === undefined) expect('conf' in result).toBe(true)
    else expect('errors' in result ? result.errors.join('\n') : 'accepted').toMatch(message)
  })

  test.each([
    [{ Network: '10.3.0.0/29' }, /no longer than \/28/],
    [{ Network: '10.3.0.0/16', SubnetLen: 31 }, /at most 30/],
    [{ Network: '10.3.0.0/16', SubnetLen: 17 }, /at least 18/],
    [{ Network: '10.3.0.0/16', SubnetMin: '10.4.0.0' }, /SubnetMin is not in the network/],
    [{ Network: '10.3.0.0/16', SubnetMax: '10.3.9.7' }, /SubnetMax is not on a SubnetLen boundary/],
    [{ EnableIPv4: false, EnableIPv6: true, IPv6Network: 'fd00::/125' }, /no longer than \/124/],
  ])('the etcd manager refuses %j; the kube manager does not look', (json, message) => {
    const result = parseNetConf(JSON.stringify(json), 'etcd')
    expect('errors' in result ? result.errors.join('\n') : 'accepted').toMatch(message)
    expect('conf' in parseNetConf(JSON.stringify(json), 'kube')).toBe(true)
  })
})
