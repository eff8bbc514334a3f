import { describe, expect, test } from 'vitest'
import { allocateMarks, clearedAll, clearedInForward, endpointMarks, hex } from '../../../src/cni/calico/felix/marks.ts'
import {
  caliName,
  chainName,
  groupChain,
  limitedId,
  ruleHashes,
  setName,
  vtepMac,
} from '../../../src/cni/calico/names.ts'

describe('names that Felix hashes', () => {
  test.each([
    { name: 'what fits stays', prefix: 'cali-pi-', id: 'gnp/deny-all', max: 28, is: 'cali-pi-gnp/deny-all' },
    { name: 'an empty id is an underscore', prefix: 'felix', id: '', max: 10, is: 'felix_' },
    {
      name: 'what is too long is hashed',
      prefix: 'cali-pi-',
      id: 'knp/default/allow-client',
      max: 28,
      is: 'cali-pi-_xkkHayCrFy5osyT5E7F',
    },
    { name: 'what looks like a hash is hashed', prefix: 'felix', id: '_2345', max: 10, is: 'felix_kMQI' },
  ])('$name', ({ prefix, id, max, is }) => {
    expect(limitedId(prefix, id, max)).toBe(is)
  })

  test('no chain name is longer than a kernel takes', () => {
    for (let n = 0; n < 60; n++) expect(chainName('cali-pri-', 'x'.repeat(n)).length).toBeLessThanOrEqual(28)
  })

  test('the host end of a pod, a VTEP and a set are called as on a real node', () => {
    expect(caliName('default', 'client')).toBe('calia7a3e029a7b')
    expect(vtepMac('node-a', 'ipv4')).toBe('66:07:02:c1:cc:60')
    expect(vtepMac('node-a', 'ipv6')).toBe('66:d4:d5:51:3d:42')
    expect(setName('ipv6', 'all-hosts-net')).toBe('cali60all-hosts-net')
  })

  test('one changed rule changes the comment of every rule after it, and of none before', () => {
    const [a, b] = [ruleHashes('c', ['1', '2', '3']), ruleHashes('c', ['1', 'x', '3'])]
    expect(a[0]).toBe(b[0])
    expect(a[1]).not.toBe(b[1])
    expect(a[2]).not.toBe(b[2])
  })

  test('a group is named after its selector, direction and policies', () => {
    const policies = ['a', 'b'].map((name) => ({ name, namespace: '', kind: 'GlobalNetworkPolicy' }))
    expect(groupChain('all()', 'inbound', policies)).toBe('cali-gi-js-B7zioflPRrAki3OCu')
  })
})

describe('marks', () => {
  test.each([
    { dropBit: true, all: '0x1b0000', forward: '0x1a0000', endpoint: '0xffe00000' },
    { dropBit: false, all: '0xf0000', forward: '0xe0000', endpoint: '0xfff00000' },
  ])('with a drop bit: $dropBit', ({ dropBit, all, forward, endpoint }) => {
    const m = allocateMarks(0xffff0000, { dropBit })
    expect([hex(clearedAll(m)), hex(clearedInForward(m)), hex(m.endpoint)]).toEqual([all, forward, endpoint])
  })

  test('no two endpoints share a mark, and none has that of the others', () => {
    const names = Array.from({ length: 200 }, (_, i) => `cali${i}`)
    const marks = [...endpointMarks(names, 0xff00, 0x100).values()]
    expect(new Set(marks).size).toBe(200)
    expect(marks.some((m) => m === 0 || m === 0x100)).toBe(false)
  })
})
