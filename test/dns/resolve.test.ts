import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type DnsQuery, resolve } from '../../src/dns/resolve.ts'
import type { KubeObject } from '../../src/kube/objects/meta.ts'
import type { ConfigMap } from '../../src/kube/objects/node.ts'
import type { Pod } from '../../src/kube/objects/pod.ts'
import type { StatefulSet } from '../../src/kube/objects/workload.ts'
import { deployment, dualSettings, only, pod, ran, service, template } from '../controllers/fixture.ts'

const statefulSet: StatefulSet = {
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'db', namespace: 'shop' },
  spec: { replicas: 2, serviceName: 'db', selector: { matchLabels: { app: 'db' } }, template: template({ app: 'db' }) },
}

const inNamespace = <T extends KubeObject>(object: T, namespace: string): T => ({
  ...object,
  metadata: { ...object.metadata, namespace },
})

const corefile = (text: string): ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'coredns', namespace: 'kube-system' },
  data: { Corefile: text },
})

const external = (name: string, externalName: string) =>
  service(name, { type: 'ExternalName', externalName, selector: {}, ports: [] })

const unready: Pod = { ...pod('sick', { app: 'sick' }), status: { conditions: [{ type: 'Ready', status: 'False' }] } }

const objects: readonly KubeObject[] = [
  inNamespace(
    service('kube-dns', { clusterIP: '10.96.0.10', ports: [{ name: 'dns', port: 53, protocol: 'UDP' }] }),
    'kube-system',
  ),
  service('web', {
    clusterIP: '10.96.0.20',
    ports: [
      { name: 'http', port: 80 },
      { name: 'dns', port: 53, protocol: 'UDP' },
    ],
  }),
  service('both', {
    clusterIP: '10.96.0.21',
    clusterIPs: ['10.96.0.21', 'fd00:10:96::21'],
    ipFamilyPolicy: 'RequireDualStack',
    ipFamilies: ['IPv4', 'IPv6'],
  }),
  service('db', { clusterIP: 'None', ports: [{ name: 'sql', port: 5432, targetPort: 8080 }] }),
  service('bare', { clusterIP: 'None', selector: { app: 'db' }, ports: [] }),
  service('empty', { clusterIP: 'None' }),
  service('sick', { clusterIP: 'None' }),
  service('sick-published', { clusterIP: 'None', selector: { app: 'sick' }, publishNotReadyAddresses: true }),
  external('alias', 'web.shop.svc.cluster.local'),
  external('chain', 'alias.shop.svc.cluster.local.'),
  external('outside', 'Example.ORG'),
  external('loop-a', 'loop-b.shop.svc.cluster.local'),
  external('loop-b', 'loop-a.shop.svc.cluster.local'),
  external('dead', 'nobody.shop.svc.cluster.local'),
  external('address', '192.0.2.7'),
  statefulSet,
  deployment('web', 2),
  unready,
  pod('client', { app: 'client' }),
  pod('sts-less', {}, { hostname: 'h' }),
  inNamespace(pod('far', {}), 'other'),
  pod('plain', {}, { dnsPolicy: 'Default' }),
  pod('host', {}, { hostNetwork: true }),
  pod('host-cluster', {}, { hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' }),
]
const { store } = ran(objects, dualSettings)
const settings = dualSettings
const podIps = (...names: readonly string[]) =>
  names.flatMap((n) => (only(store, 'Pod', n).status?.podIPs ?? []).map((i) => i.ip))
const ask = (name: string, from = 'client', type?: DnsQuery['type'], namespace = 'shop') =>
  resolve(store, settings, { name, from: only(store, 'Pod', from, namespace), ...(type ? { type } : {}) })

const v4 = (ips: readonly string[]) => ips.filter((ip) => !ip.includes(':'))

describe('names that are found', () => {
  test.each([
    { name: 'web', addresses: ['10.96.0.20'], answered: 'web.shop.svc.cluster.local' },
    { name: 'WEB.shop', addresses: ['10.96.0.20'], answered: 'web.shop.svc.cluster.local' },
    { name: 'web.shop.svc', addresses: ['10.96.0.20'], answered: 'web.shop.svc.cluster.local' },
    { name: 'web.shop.svc.cluster.local', addresses: ['10.96.0.20'], answered: 'web.shop.svc.cluster.local' },
    { name: 'web.shop.svc.cluster.local.', addresses: ['10.96.0.20'], answered: 'web.shop.svc.cluster.local' },
    { name: 'both', addresses: ['10.96.0.21', 'fd00:10:96::21'], answered: 'both.shop.svc.cluster.local' },
    { name: 'db', addresses: v4(podIps('db-0', 'db-1')), answered: 'db.shop.svc.cluster.local' },
    { name: 'bare', addresses: v4(podIps('db-0', 'db-1')), answered: 'bare.shop.svc.cluster.local' },
    { name: 'db-1.db', addresses: v4(podIps('db-1')), answered: 'db-1.db.shop.svc.cluster.local' },
    { name: 'sick-published', addresses: v4(podIps('sick')), answered: 'sick-published.shop.svc.cluster.local' },
    { name: 'alias', addresses: ['10.96.0.20'], answered: 'alias.shop.svc.cluster.local' },
    { name: 'chain', addresses: ['10.96.0.20'], answered: 'chain.shop.svc.cluster.local' },
    { name: '10-244-7-9.shop.pod', addresses: ['10.244.7.9'], answered: '10-244-7-9.shop.pod.cluster.local' },
    { name: 'fd00--7.shop.pod', addresses: ['fd00::7'], answered: 'fd00--7.shop.pod.cluster.local' },
    { name: '_http._tcp.web', addresses: ['10.96.0.20'], answered: '_http._tcp.web.shop.svc.cluster.local' },
  ])('$name', ({ name, addresses, answered }) => {
    expect(ask(name)).toMatchObject({ outcome: 'found', addresses, answeredName: answered })
  })

  test('an endpoint without a host name is named by its address, even behind a cluster IP', () => {
    const [ip = ''] = podIps(
      only(
        store,
        'EndpointSlice',
        store.list('EndpointSlice', { labelSelector: 'kubernetes.io/service-name=web' })[0]?.metadata.name ?? '',
      ).endpoints[0]?.targetRef?.name ?? '',
    )
    expect(ask(`${ip.replaceAll('.', '-')}.web`).addresses).toEqual([ip])
  })
})

describe('names that are not found', () => {
  const last = (name: string, from?: string) => {
    const { outcome, attempts } = ask(name, from)
    const { answer } = attempts[0] ?? {}
    return { outcome, reason: answer?.kind === 'nxdomain' ? answer.reason : answer?.kind }
  }
  test.each([
    { name: 'nobody.shop.svc.cluster.local', outcome: 'nxdomain', reason: 'no-service' },
    { name: 'web.nowhere.svc.cluster.local', outcome: 'nxdomain', reason: 'no-namespace' },
    { name: 'empty.shop.svc.cluster.local', outcome: 'nxdomain', reason: 'no-ready-endpoint' },
    { name: 'sick.shop.svc.cluster.local', outcome: 'nxdomain', reason: 'no-ready-endpoint' },
    { name: 'db-7.db.shop.svc.cluster.local.', outcome: 'nxdomain', reason: 'no-endpoint-of-that-name' },
    { name: '_http._udp.web.shop.svc.cluster.local', outcome: 'nxdomain', reason: 'no-such-port' },
    { name: '_x._tcp.db.shop.svc.cluster.local', outcome: 'nxdomain', reason: 'no-such-port' },
    { name: 'a.b.c.web.shop.svc.cluster.local', outcome: 'nxdomain', reason: 'malformed' },
    { name: 'web.shop.service.cluster.local.', outcome: 'nxdomain', reason: 'malformed' },
    { name: 'nonsense.shop.pod.cluster.local.', outcome: 'nxdomain', reason: 'no-such-pod' },
    { name: 'address.shop.svc.cluster.local.', outcome: 'nxdomain', reason: 'external-name-is-address' },
    { name: 'shop.svc.cluster.local.', outcome: 'nodata', reason: 'nodata' },
    { name: 'cluster.local.', outcome: 'nodata', reason: 'nodata' },
  ])('$name: $reason', ({ name, outcome, reason }) => {
    const absolute = name.endsWith('.') ? name : `${name}.`
    expect(last(absolute)).toEqual({ outcome, reason })
  })

  test('an alias that leads nowhere, or in a circle, has no records and says so', () => {
    expect(ask('dead.shop.svc.cluster.local.', 'client', 'A').attempts[0]?.answer).toMatchObject({
      kind: 'nodata',
      alias: { target: 'nobody.shop.svc.cluster.local', reason: 'no-service' },
    })
    expect(ask('loop-a.shop.svc.cluster.local.', 'client', 'A').attempts[0]?.answer).toMatchObject({
      kind: 'nodata',
      alias: { reason: 'loop' },
    })
  })
})

describe('other record types', () => {
  const records = (name: string, type: DnsQuery['type']) => ask(`${name}.shop.svc.cluster.local.`, 'client', type)
  test('SRV of a cluster IP points at the Service', () => {
    expect(records('_http._tcp.web', 'SRV').records).toEqual([
      { type: 'SRV', name: '_http._tcp.web.shop.svc.cluster.local', target: 'web.shop.svc.cluster.local', port: 80 },
    ])
    expect(records('web', 'SRV').records.map((r) => r.type === 'SRV' && r.port)).toEqual([80, 53])
  })
  test('SRV of a headless Service points at each endpoint by its host name', () => {
    expect(records('_sql._tcp.db', 'SRV').records.map((r) => r.type === 'SRV' && [r.target, r.port])).toEqual([
      ['db-0.db.shop.svc.cluster.local', 8080],
      ['db-1.db.shop.svc.cluster.local', 8080],
    ])
  })
  test('CNAME is the alias alone', () => {
    expect(records('chain', 'CNAME').records).toEqual([
      { type: 'CNAME', name: 'chain.shop.svc.cluster.local', target: 'alias.shop.svc.cluster.local' },
    ])
    expect(records('web', 'CNAME').outcome).toBe('nodata')
  })
  test('AAAA of an IPv4 Service is empty, not absent', () => {
    expect(records('web', 'AAAA').outcome).toBe('nodata')
  })
  test('aliases stand before what they lead to', () => {
    expect(records('chain', 'A').records.map((r) => r.type)).toEqual(['CNAME', 'CNAME', 'A'])
  })
})

describe('the search list', () => {
  const tried = (name: string, from?: string, namespace?: string) => [
    ...new Set(ask(name, from, 'A', namespace).attempts.map((a) => a.name)),
  ]
  test('comes first for fewer than five dots, and ends at the first answer', () => {
    expect(tried('web')).toEqual(['web.shop.svc.cluster.local'])
    expect(tried('web.shop')).toEqual(['web.shop.shop.svc.cluster.local', 'web.shop.svc.cluster.local'])
    expect(tried('example.org')).toEqual([
      'example.org.shop.svc.cluster.local',
      'example.org.svc.cluster.local',
      'example.org.cluster.local',
      'example.org',
    ])
  })
  test('comes last for five dots', () => {
    expect(tried('a.b.c.d.e.f')[0]).toBe('a.b.c.d.e.f')
  })
  test('is not used with a final dot', () => {
    expect(tried('web.')).toEqual(['web'])
  })
  test('starts in the own namespace of the pod', () => {
    expect(ask('web', 'far', undefined, 'other').outcome).toBe('external')
    expect(tried('web', 'far', 'other')[0]).toBe('web.other.svc.cluster.local')
  })
})

describe('names outside of the cluster', () => {
  test('are for others to answer', () => {
    expect(ask('example.org')).toMatchObject({ outcome: 'external', addresses: [], answeredName: 'example.org' })
  })
  test('may have an alias inside, at which the search ends', () => {
    const { outcome, records, answeredName, attempts } = ask('outside')
    expect({ outcome, records, answeredName }).toEqual({
      outcome: 'external',
      records: [{ type: 'CNAME', name: 'outside.shop.svc.cluster.local', target: 'example.org' }],
      answeredName: 'example.org',
    })
    expect(attempts).toHaveLength(2)
  })
  test.each(['plain', 'host'])('are all that pod %s can ask for', (from) => {
    expect(ask('web.shop.svc.cluster.local', from)).toMatchObject({
      outcome: 'nxdomain',
      resolvConf: { inCluster: false, searches: [] },
    })
    expect(ask('web', from).outcome).toBe('external')
  })
  test('are not all for a pod on its node with ClusterFirstWithHostNet', () => {
    expect(ask('web', 'host-cluster').addresses).toEqual(['10.96.0.20'])
  })
})

describe('what needs no DNS', () => {
  test('an address', () => {
    expect(ask('10.1.2.3')).toMatchObject({
      outcome: 'found',
      source: 'address',
      addresses: ['10.1.2.3'],
      attempts: [],
    })
  })
  test('the own name of the pod, and localhost', () => {
    expect(ask('client')).toMatchObject({ source: 'hosts', addresses: podIps('client') })
    expect(ask('h', 'sts-less').addresses).toEqual(podIps('sts-less'))
    expect(ask('db-0.db.shop.svc.cluster.local', 'db-0')).toMatchObject({ source: 'hosts', addresses: podIps('db-0') })
    expect(ask('localhost').addresses).toEqual(['127.0.0.1', '::1'])
  })
})

describe('the Corefile', () => {
  const [ip = ''] = podIps('client')
  const answers = (text: string, name: string) => {
    const changed = ran([...objects, corefile(text)], settings).store
    return resolve(changed, settings, { name, type: 'A' }).outcome
  }
  test.each([
    { pods: 'pods insecure', known: 'found', unknown: 'found' },
    { pods: 'pods verified', known: 'found', unknown: 'nxdomain' },
    { pods: 'pods disabled', known: 'nxdomain', unknown: 'nxdomain' },
    { pods: '# pods insecure', known: 'nxdomain', unknown: 'nxdomain' },
  ])('with "$pods"', ({ pods, known, unknown }) => {
    const text = `.:53 {\n  kubernetes cluster.local in-addr.arpa ip6.arpa {\n    ${pods}\n    ttl 30\n  }\n  forward . /etc/resolv.conf\n}`
    expect(answers(text, `${ip.replaceAll('.', '-')}.shop.pod.cluster.local`)).toBe(known)
    expect(answers(text, '10-244-200-200.shop.pod.cluster.local')).toBe(unknown)
  })
  test('may name endpoints by their pods', () => {
    const web = store.list('Pod', { labelSelector: 'app=web' })[0]?.metadata.name
    const text = '.:53 {\n kubernetes cluster.local {\n endpoint_pod_names\n }\n}'
    expect(answers(text, `${web}.web.shop.svc.cluster.local`)).toBe('found')
    expect(answers('.:53 {\n kubernetes cluster.local\n}', `${web}.web.shop.svc.cluster.local`)).toBe('nxdomain')
  })
})

test('whatever is asked, there is an answer, and each name is asked once per type', () => {
  const label = fc.constantFrom(
    'web',
    'db',
    'shop',
    'svc',
    'pod',
    'cluster',
    'local',
    '_http',
    '_tcp',
    'db-0',
    'loop-a',
    '10-0-0-1',
    '',
    '-',
    'constructor',
  )
  const type = fc.constantFrom('A' as const, 'AAAA' as const, 'SRV' as const, 'CNAME' as const, undefined)
  const from = fc.constantFrom('client', 'plain', 'host-cluster', 'db-0')
  fc.assert(
    fc.property(fc.array(label, { maxLength: 8 }), type, from, (labels, t, who) => {
      const { outcome, attempts, addresses } = ask(labels.join('.'), who, t)
      const keys = attempts.map((a) => `${a.name} ${a.type}`)
      expect(new Set(keys).size).toBe(keys.length)
      if (addresses.length > 0) expect(outcome).toBe('found')
    }),
    { numRuns: 200 },
  )
})
