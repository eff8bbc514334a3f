import { describe, expect, test } from 'vitest'
import type { Service } from '../../src/kube/objects/service.ts'
import { type ServicePortInfo, serviceMap } from '../../src/proxy/service-port.ts'
import { service } from './fixtures.ts'
import { TestObjects } from './object-reader.ts'
import { testSettings } from './test-settings.ts'

const ports = (objects: readonly Service[], given: Parameters<typeof testSettings>[0] = {}): ServicePortInfo[] => [
  ...serviceMap(new TestObjects(objects), testSettings(given)).values(),
]

const only = (object: Service, given: Parameters<typeof testSettings>[0] = {}): ServicePortInfo => {
  const [first, second] = ports([object], given)
  if (first === undefined || second !== undefined) throw new Error('not one service port')
  return first
}

const ip = { clusterIP: '10.96.0.1' } as const

describe('which services are taken', () => {
  const labelled = (label: string) => ({ metadata: { name: 'a', namespace: 'ns', labels: { [label]: '' } } })
  test.each([
    { name: 'one with a cluster IP of the family', object: service('a', ip), taken: 1 },
    { name: 'not a headless one', object: service('a', { clusterIP: 'None' }), taken: 0 },
    { name: 'not one without cluster IP', object: service('a'), taken: 0 },
    {
      name: 'not an ExternalName one, even with a cluster IP',
      object: service('a', { ...ip, type: 'ExternalName' }),
      taken: 0,
    },
    { name: 'not one of the other family', object: service('a', { clusterIP: 'fd00::1' }), taken: 0 },
    {
      name: "not one of another proxy's",
      object: service('a', ip, labelled('service.kubernetes.io/service-proxy-name')),
      taken: 0,
    },
    {
      name: 'not one labelled headless',
      object: service('a', ip, labelled('service.kubernetes.io/headless')),
      taken: 0,
    },
  ])('$name', ({ object, taken }) => {
    expect(ports([object])).toHaveLength(taken)
  })
})

test('the cluster IP is the one that stands where the family stands', () => {
  const object = service('a', { ...ip, clusterIPs: ['fd00::1', '10.96.0.9'], ipFamilies: ['IPv6', 'IPv4'] })
  expect(only(object).clusterIP).toBe('10.96.0.9')
  expect(only(object, { family: 'ipv6' }).clusterIP).toBe('fd00::1')
})

test('one port name may serve TCP and UDP: two service ports', () => {
  const both = [
    { name: 'dns', protocol: 'UDP', port: 53 },
    { name: 'dns', protocol: 'TCP', port: 53 },
  ] as const
  expect(ports([service('a', { ...ip, ports: both })]).map((p) => [p.name, p.protocol])).toEqual([
    ['ns/a:dns', 'udp'],
    ['ns/a:dns', 'tcp'],
  ])
})

test('a port without a name leaves the colon out, and its place in the object is kept', () => {
  const object = service('a', { ...ip, ports: [{ port: 80 }] })
  expect(only(object)).toMatchObject({
    name: 'ns/a',
    protocol: 'tcp',
    origin: { kind: 'Service', namespace: 'ns', name: 'a', field: 'ports[0]' },
  })
})

describe('VIPs', () => {
  const status = {
    loadBalancer: {
      ingress: [{ ip: '1.2.3.4' }, { ip: '1.2.3.5', ipMode: 'Proxy' as const }, { hostname: 'lb' }, { ip: '2001::1' }],
    },
  }
  test.each([
    { minor: 36, vips: ['1.2.3.4'] },
    { minor: 30, vips: ['1.2.3.4'] },
    { minor: 29, vips: ['1.2.3.4', '1.2.3.5'] },
  ])('1.$minor answers for $vips', ({ minor, vips }) => {
    expect(only(service('a', ip, { status }), { minor }).loadBalancerVIPs).toEqual(vips)
  })

  test('the gate LoadBalancerIPMode decides over the version', () => {
    const off = { minor: 36, featureGates: { LoadBalancerIPMode: false } }
    expect(only(service('a', ip, { status }), off).loadBalancerVIPs).toHaveLength(2)
  })
})

describe('external policy Local', () => {
  const local = { ...ip, externalTrafficPolicy: 'Local' } as const
  test.each([
    { name: 'counts on a NodePort service', spec: { ...local, type: 'NodePort' as const }, minor: 36, is: true },
    { name: 'does not count on a bare ClusterIP service', spec: local, minor: 36, is: false },
    { name: 'counts on one with external IPs', spec: { ...local, externalIPs: ['1.1.1.1'] }, minor: 29, is: true },
    { name: 'did not there before 1.29', spec: { ...local, externalIPs: ['1.1.1.1'] }, minor: 28, is: false },
  ])('$name', ({ spec, minor, is }) => {
    expect(only(service('a', spec), { minor }).externalPolicyLocal).toBe(is)
  })

  test('only a load balancer with it has a health check port', () => {
    const spec = { ...ip, healthCheckNodePort: 30000 } as const
    const port = (more: object) => only(service('a', { ...spec, ...more })).healthCheckNodePort
    expect(port({ type: 'LoadBalancer', externalTrafficPolicy: 'Local' })).toBe(30000)
    expect(port({ type: 'LoadBalancer', externalTrafficPolicy: 'Cluster' })).toBeUndefined()
    expect(port({ type: 'NodePort', externalTrafficPolicy: 'Local' })).toBeUndefined()
  })
})

test('addresses with leading zeros are read, those of the other family left out', () => {
  const object = service('a', {
    clusterIP: '10.96.0.010',
    externalIPs: ['192.168.099.022', 'fd00::1'],
    loadBalancerSourceRanges: [' 203.0.113.0/24', '2001:db8::/32', '192.168.0.0/16'],
  })
  expect(only(object)).toMatchObject({
    clusterIP: '10.96.0.10',
    externalIPs: ['192.168.99.22'],
    sourceRanges: [
      { address: '203.0.113.0', length: 24 },
      { address: '192.168.0.0', length: 16 },
    ],
    sourceRangesIncludeNode: true,
  })
})

test('affinity without a timeout lasts three hours', () => {
  expect(only(service('a', { ...ip, sessionAffinity: 'ClientIP' })).affinitySeconds).toBe(10800)
  expect(only(service('a', ip)).affinitySeconds).toBeUndefined()
})
