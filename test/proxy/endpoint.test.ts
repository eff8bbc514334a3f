import { expect, test } from 'vitest'
import { endpointsMap, type ProxyEndpoint } from '../../src/proxy/endpoint.ts'
import { endpoint, slice } from './fixtures.ts'
import { TestObjects } from './object-reader.ts'

const of = (objects: ConstructorParameters<typeof TestObjects>[0], key = 'ns/web:http/tcp'): readonly ProxyEndpoint[] =>
  endpointsMap(new TestObjects(objects), 'ipv4', 'node-a').get(key) ?? []
const addresses = (endpoints: readonly ProxyEndpoint[]): string[] => endpoints.map((e) => e.address)

test('the order is that of the texts, not of the numbers', () => {
  const found = of([slice('web', ['10.0.0.1', '10.0.0.2', '10.0.0.10', '10.0.0.100'])])
  expect(addresses(found)).toEqual(['10.0.0.100:8080', '10.0.0.10:8080', '10.0.0.1:8080', '10.0.0.2:8080'])
})

test('slices of one service are merged; of equal addresses the local one wins, whatever the order', () => {
  const there = slice('web', ['10.0.0.1', '10.0.0.2'], { name: 'web-1' })
  const here = slice('web', [endpoint('10.0.0.1', 'node-a')], { name: 'web-2' })
  for (const objects of [
    [there, here],
    [here, there],
  ]) {
    expect(of(objects).map((e) => [e.address, e.local])).toEqual([
      ['10.0.0.1:8080', true],
      ['10.0.0.2:8080', false],
    ])
  }
})

test('ports are matched by name and protocol, not by number', () => {
  const ports = [
    { name: 'http', protocol: 'TCP', port: 8080 },
    { name: 'http', protocol: 'UDP', port: 8081 },
    { name: 'none', protocol: 'TCP' },
  ] as const
  const objects = [slice('web', ['10.0.0.1'], { ports })]
  expect(addresses(of(objects))).toEqual(['10.0.0.1:8080'])
  expect(addresses(of(objects, 'ns/web:http/udp'))).toEqual(['10.0.0.1:8081'])
  expect(of(objects, 'ns/web:none/tcp')).toEqual([])
})

test('only the first address counts, and one that is none is left out', () => {
  const found = of([
    slice('web', [{ addresses: ['10.0.0.1', '10.0.0.2'] }, { addresses: ['web.example'] }, { addresses: [] }]),
  ])
  expect(addresses(found)).toEqual(['10.0.0.1:8080'])
})

test('conditions that are absent mean ready, serving and not terminating', () => {
  const [bare, told] = of([
    slice('web', [
      endpoint('10.0.0.1', 'node-b'),
      endpoint('10.0.0.2', 'node-b', { conditions: { ready: false, serving: false, terminating: true } }),
    ]),
  ])
  expect(bare).toMatchObject({ ready: true, serving: true, terminating: false })
  expect(told).toMatchObject({ ready: false, serving: false, terminating: true })
})

test('slices of the other family and of other proxies are not looked at', () => {
  const six = slice('web', ['fd00::1'], { addressType: 'IPv6' })
  const plain = slice('web', ['10.0.0.1'])
  const labels = { ...plain.metadata.labels, 'service.kubernetes.io/service-proxy-name': 'x' }
  expect(of([six])).toEqual([])
  expect(of([{ ...plain, metadata: { ...plain.metadata, labels } }])).toEqual([])
})
