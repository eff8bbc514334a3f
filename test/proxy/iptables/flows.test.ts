import { describe, expect, test } from 'vitest'
import { applyEdits } from '../../../src/artefact/iptables/apply.ts'
import { emptyRuleset } from '../../../src/artefact/iptables/rule.ts'
import type { Service, ServiceSpec } from '../../../src/kube/objects/service.ts'
import { kubelet } from '../../../src/proxy/iptables/kubelet.ts'
import { syncIptables } from '../../../src/proxy/iptables/sync.ts'
import { planServices } from '../../../src/proxy/plan.ts'
import type { ProxySettings } from '../../../src/proxy/proxy-settings.ts'
import { endpoint, service, slice } from '../fixtures.ts'
import { TestObjects } from '../object-reader.ts'
import { testSettings } from '../test-settings.ts'
import { follow, type Outcome } from './follow.ts'

const pod = '10.1.9.9'
const node = '192.168.0.2'
const outside = '203.0.113.9'
const here = '10.1.1.1:8080'
const there = '10.1.1.2:8080'
const vip = '198.51.100.1'

interface Given {
  readonly spec?: Partial<ServiceSpec>
  readonly endpoints?: readonly ('here' | 'there')[]
  readonly settings?: Partial<ProxySettings>
}

/** Follows packets through a node with one load balancer of cluster IP 10.96.0.1 and node port 30080. */
function cluster({ spec = {}, endpoints = ['here', 'there'], settings: given = {} }: Given) {
  const settings = testSettings(given)
  const web: Service = service(
    'web',
    { type: 'LoadBalancer', clusterIP: '10.96.0.1', ports: [{ name: 'http', port: 80, nodePort: 30080 }], ...spec },
    { status: { loadBalancer: { ingress: [{ ip: vip }] } } },
  )
  const all = endpoints.map((e) => (e === 'here' ? endpoint('10.1.1.1', 'node-a') : endpoint('10.1.1.2', 'node-b')))
  const plans = planServices(new TestObjects([web, slice('web', all)]), settings)
  const edits = [...kubelet(settings), ...syncIptables(plans, settings).edits]
  const ruleset = applyEdits(emptyRuleset('ipv4'), edits)
  return (from: string, destIP: string, destPort = 80): Outcome =>
    follow({ from, protocol: 'tcp', destIP, destPort }, ruleset, settings)
}

const to = (endpoints: readonly string[], masquerade: boolean): Outcome => ({ outcome: 'dnat', endpoints, masquerade })
const both = [here, there]
/** Every version of the rules that differs in its chains. */
const layouts = [22, 23, 24, 25, 36]

describe.each(layouts)('1.%i', (minor) => {
  const settings = { minor }

  test('a cluster IP: only what does not come from a pod is masqueraded', () => {
    const send = cluster({ settings })
    expect(send(pod, '10.96.0.1')).toEqual(to(both, false))
    expect(send(node, '10.96.0.1')).toEqual(to(both, true))
    expect(send(outside, '10.96.0.1')).toEqual(to(both, true))
    expect(send(pod, '10.96.0.1', 81)).toEqual({ outcome: 'none' })
  })

  test('masqueradeAll masquerades pods as well, no detector nobody', () => {
    expect(cluster({ settings: { ...settings, masqueradeAll: true } })(pod, '10.96.0.1')).toEqual(to(both, true))
    const blind = cluster({ settings: { ...settings, detectLocal: { by: 'none' } } })
    expect(blind(outside, '10.96.0.1')).toEqual(to(both, false))
  })

  test('a pod that meets itself is masqueraded', () => {
    expect(cluster({ settings, endpoints: ['here'] })('10.1.1.1', '10.96.0.1')).toEqual(to([here], true))
  })

  test('policy Cluster masquerades what comes from outside', () => {
    const send = cluster({ settings })
    expect(send(outside, vip)).toEqual(to(both, true))
    expect(send(outside, node, 30080)).toEqual(to(both, true))
    expect(send(node, '127.0.0.1', 30080)).toEqual(to(both, true))
  })

  test('policy Local keeps the client and stays on the node; pods and the node are short-circuited', () => {
    const send = cluster({ settings, spec: { externalTrafficPolicy: 'Local' } })
    expect(send(outside, vip)).toEqual(to([here], false))
    expect(send(outside, node, 30080)).toEqual(to([here], false))
    expect(send(pod, vip)).toEqual(to(both, false))
    expect(send(node, vip)).toEqual(to(both, true))
  })

  test('policy Local without a local endpoint drops what comes from outside, and nothing else', () => {
    const send = cluster({ settings, endpoints: ['there'], spec: { externalTrafficPolicy: 'Local' } })
    expect(send(outside, node, 30080)).toEqual({ outcome: 'drop' })
    // KUBE-MARK-DROP was acted on in INPUT and OUTPUT alone: a VIP that no device has was forwarded.
    expect(send(outside, vip)).toEqual({ outcome: minor < 25 ? 'none' : 'drop' })
    expect(send(pod, vip)).toEqual(to([there], false))
    expect(send(pod, '10.96.0.1')).toEqual(to([there], false))
  })

  test('no endpoints: refused wherever it is asked', () => {
    const send = cluster({ settings, endpoints: [] })
    expect(send(pod, '10.96.0.1')).toEqual({ outcome: 'reject' })
    expect(send(outside, vip)).toEqual({ outcome: 'reject' })
    expect(send(outside, node, 30080)).toEqual({ outcome: 'reject' })
    expect(send(node, node, 30080)).toEqual({ outcome: 'reject' })
  })

  test('a health check port is let in', () => {
    const send = cluster({ settings, spec: { externalTrafficPolicy: 'Local', healthCheckNodePort: 30099 } })
    expect(send(outside, node, 30099)).toEqual({ outcome: 'accept' })
  })
})

describe('source ranges', () => {
  const ranges = { loadBalancerSourceRanges: ['203.0.113.0/25'] }

  test('let in whom they name, and drop the others at the VIP alone', () => {
    const send = cluster({ spec: ranges })
    expect(send(outside, vip)).toEqual(to(both, true))
    expect(send('203.0.113.200', vip)).toEqual({ outcome: 'drop' })
    expect(send('203.0.113.200', node, 30080)).toEqual(to(both, true))
  })

  test('that hold the node let packets loop back with the VIP as source', () => {
    const send = cluster({ spec: { loadBalancerSourceRanges: ['192.168.0.0/24'] } })
    expect(send(vip, vip)).toEqual(to(both, true))
    expect(send(outside, vip)).toEqual({ outcome: 'drop' })
  })
})

test('internal policy Local without a local endpoint drops; outside traffic still gets through', () => {
  const send = cluster({ endpoints: ['there'], spec: { internalTrafficPolicy: 'Local' } })
  expect(send(pod, '10.96.0.1')).toEqual({ outcome: 'drop' })
  expect(send(outside, vip)).toEqual(to([there], true))
})

test('loopback of the node is guarded from its neighbours', () => {
  expect(cluster({})(outside, '127.0.0.1', 30099)).toEqual({ outcome: 'drop' })
})
