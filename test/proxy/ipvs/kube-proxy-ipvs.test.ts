import { describe, expect, test } from 'vitest'
import { formatIpvsSave } from '../../../src/artefact/ipvs.ts'
import type { ServiceSpec } from '../../../src/kube/objects/service.ts'
import { kubeProxyIpvs } from '../../../src/proxy/ipvs/kube-proxy-ipvs.ts'
import { setName } from '../../../src/proxy/ipvs/set-names.ts'
import { gracefully, virtualServers } from '../../../src/proxy/ipvs/virtual-servers.ts'
import { planServices } from '../../../src/proxy/plan.ts'
import type { ProxySettings } from '../../../src/proxy/proxy-settings.ts'
import { endpoint, service, slice } from '../fixtures.ts'
import { TestObjects } from '../object-reader.ts'
import { testSettings } from '../test-settings.ts'

function rendered(spec: Partial<ServiceSpec> = {}, settings: Partial<ProxySettings> = {}) {
  const own = testSettings({ mode: 'ipvs', minor: 30, ...settings })
  const web = service(
    'web',
    { type: 'LoadBalancer', clusterIP: '10.96.0.1', ports: [{ name: 'http', port: 80, nodePort: 30080 }], ...spec },
    { status: { loadBalancer: { ingress: [{ ip: '198.51.100.1' }] } } },
  )
  const endpoints = [endpoint('10.1.1.1', 'node-b'), endpoint('10.1.1.2', 'node-a')]
  return kubeProxyIpvs(planServices(new TestObjects([web, slice('web', endpoints)]), own), own)
}

const membersOf = ({ sets }: ReturnType<typeof rendered>): Record<string, readonly string[]> =>
  Object.fromEntries(sets.filter((s) => s.members.length > 0).map((s) => [s.name, s.members.map((m) => m.text)]))

describe('virtual servers', () => {
  test('stand for the cluster IP, the load balancer and every node address', () => {
    expect(formatIpvsSave(rendered().services)).toBe(
      ['10.96.0.1:80', '192.168.0.2:30080', '198.51.100.1:80']
        .flatMap((a) => [`-A -t ${a} -s rr`, ...['1', '2'].map((n) => `-a -t ${a} -r 10.1.1.${n}:8080 -m -w 1`)])
        .map((line) => `${line}\n`)
        .join(''),
    )
  })

  test('carry the scheduler and the affinity', () => {
    const ipvs = { scheduler: 'wlc', strictARP: false }
    const [first] = rendered({ sessionAffinity: 'ClientIP' }, { ipvs }).services
    expect(first).toMatchObject({ scheduler: 'wlc', persistent: 10800 })
  })

  test('of an external policy Local have the endpoints of this node', () => {
    const { services } = rendered({ externalTrafficPolicy: 'Local' })
    const servers = Object.fromEntries(services.map((s) => [s.address, s.servers.map((r) => r.address)]))
    expect(servers['10.96.0.1']).toEqual(['10.1.1.1', '10.1.1.2'])
    expect(servers['198.51.100.1']).toEqual(['10.1.1.2'])
  })
})

test('sets hold what belongs in them; all seventeen are made', () => {
  const out = rendered({
    externalTrafficPolicy: 'Local',
    healthCheckNodePort: 30099,
    loadBalancerSourceRanges: ['203.0.113.0/25'],
  })
  expect(out.sets).toHaveLength(17)
  expect(membersOf(out)).toEqual({
    'KUBE-LOOP-BACK': ['10.1.1.2,tcp:8080,10.1.1.2'],
    'KUBE-CLUSTER-IP': ['10.96.0.1,tcp:80'],
    'KUBE-LOAD-BALANCER': ['198.51.100.1,tcp:80'],
    'KUBE-LOAD-BALANCER-LOCAL': ['198.51.100.1,tcp:80'],
    'KUBE-LOAD-BALANCER-FW': ['198.51.100.1,tcp:80'],
    'KUBE-LOAD-BALANCER-SOURCE-CIDR': ['198.51.100.1,tcp:80,203.0.113.0/25'],
    'KUBE-NODE-PORT-TCP': ['30080'],
    'KUBE-NODE-PORT-LOCAL-TCP': ['30080'],
    'KUBE-HEALTH-CHECK-NODE-PORT': ['30099'],
    'KUBE-IPVS-IPS': ['10.96.0.1', '198.51.100.1'],
  })
})

test('names of IPv6 sets are cut at 31 characters', () => {
  expect(setName('sourceCIDR', 'ipv6')).toBe('KUBE-6-LOAD-BALANCER-SOURCE-CID')
})

test('strictARP sets what keeps the node from answering for its neighbours', () => {
  const strict = rendered({}, { ipvs: { scheduler: 'rr', strictARP: true } }).sysctls
  expect(strict).toMatchObject({ 'net.ipv4.conf.all.arp_ignore': '1', 'net.ipv4.conf.all.arp_announce': '2' })
  expect(rendered().sysctls).not.toHaveProperty('net.ipv4.conf.all.arp_ignore')
})

test('a TCP server that goes stays with weight 0 while it has connections', () => {
  const settings = testSettings({ mode: 'ipvs' })
  const of = (...ips: readonly string[]) =>
    virtualServers(
      planServices(new TestObjects([service('web', { clusterIP: '10.96.0.1' }), slice('web', ips)]), settings),
      settings,
    )
  const before = of('10.1.1.1', '10.1.1.2')
  const wanted = of('10.1.1.2')
  const weights = (load: number) =>
    gracefully(wanted, before, () => load).flatMap((s) => s.servers.map((r) => `${r.address} ${r.weight}`))
  expect(weights(1)).toEqual(['10.1.1.1 0', '10.1.1.2 1'])
  expect(weights(0)).toEqual(['10.1.1.2 1'])
})
