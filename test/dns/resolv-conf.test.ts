import { describe, expect, test } from 'vitest'
import { resolvConfOf } from '../../src/dns/resolv-conf.ts'
import type { Pod } from '../../src/kube/objects/pod.ts'
import { ipv4Settings, only, pod, ran, service } from '../controllers/fixture.ts'

const kubeDns = {
  ...service('kube-dns', { clusterIP: '10.96.0.53' }),
  metadata: { name: 'kube-dns', namespace: 'kube-system' },
}
const coreDns = {
  ...kubeDns,
  metadata: { name: 'coredns', namespace: 'kube-system', labels: { 'k8s-app': 'kube-dns' } },
}

const conf = (spec: Partial<Pod['spec']>, ...objects: readonly (typeof kubeDns)[]) => {
  const { store } = ran([...objects, pod('p', {}, spec)])
  const { nameservers, searches, ndots, inCluster } = resolvConfOf(store, ipv4Settings, only(store, 'Pod', 'p'))
  return { nameservers, searches, ndots, inCluster }
}

const cluster = {
  nameservers: ['10.96.0.53'],
  searches: ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local'],
  ndots: 5,
  inCluster: true,
}
const outside = { nameservers: [], searches: [], ndots: 1, inCluster: false }

describe('the resolv.conf of a pod', () => {
  test.each([
    { name: 'without a policy', spec: {}, is: cluster },
    { name: 'with ClusterFirst', spec: { dnsPolicy: 'ClusterFirst' }, is: cluster },
    {
      name: 'with ClusterFirst on the network of its node',
      spec: { dnsPolicy: 'ClusterFirst', hostNetwork: true },
      is: outside,
    },
    {
      name: 'with ClusterFirstWithHostNet',
      spec: { dnsPolicy: 'ClusterFirstWithHostNet', hostNetwork: true },
      is: cluster,
    },
    { name: 'with Default', spec: { dnsPolicy: 'Default' }, is: outside },
    {
      name: 'with None and a config',
      spec: {
        dnsPolicy: 'None',
        dnsConfig: {
          nameservers: ['192.0.2.1'],
          searches: ['corp.example.org.'],
          options: [{ name: 'ndots', value: '2' }],
        },
      },
      is: { nameservers: ['192.0.2.1'], searches: ['corp.example.org'], ndots: 2, inCluster: false },
    },
    {
      name: 'with None and the DNS of the cluster',
      spec: { dnsPolicy: 'None', dnsConfig: { nameservers: ['10.96.0.53'] } },
      is: { nameservers: ['10.96.0.53'], searches: [], ndots: 1, inCluster: true },
    },
    {
      name: 'with additions, each once',
      spec: {
        dnsConfig: {
          nameservers: ['192.0.2.1', '10.96.0.53'],
          searches: ['corp', 'svc.cluster.local'],
          options: [{ name: 'ndots', value: '1' }],
        },
      },
      is: { ...cluster, nameservers: ['10.96.0.53', '192.0.2.1'], searches: [...cluster.searches, 'corp'], ndots: 1 },
    },
  ])('$name', ({ spec, is }) => {
    expect(conf(spec, kubeDns)).toEqual(is)
  })

  test('names the Service with the label where there is no kube-dns', () => {
    expect(conf({}, coreDns).nameservers).toEqual(['10.96.0.53'])
  })

  test('names the tenth address where the input has no DNS', () => {
    expect(conf({}).nameservers).toEqual(['10.96.0.10'])
  })

  test('keeps three nameservers, and the highest ndots is 15', () => {
    const nameservers = ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4']
    const found = conf({ dnsConfig: { nameservers, options: [{ name: 'ndots', value: '99' }] } }, kubeDns)
    expect([found.nameservers.length, found.ndots]).toEqual([3, 15])
  })
})
