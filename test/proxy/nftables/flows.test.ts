import { describe, expect, test } from 'vitest'
import { applyNft } from '../../../src/artefact/nft/draft.ts'
import { formatNft } from '../../../src/artefact/nft/print.ts'
import { emptyNft, type NftRuleset } from '../../../src/artefact/nft/ruleset.ts'
import { formatNftScript } from '../../../src/artefact/nft/script.ts'
import type { ServiceSpec } from '../../../src/kube/objects/service.ts'
import { prefix } from '../../../src/net/prefix.ts'
import { kubeProxyTable } from '../../../src/proxy/nftables/kube-proxy-nftables.ts'
import { syncNft } from '../../../src/proxy/nftables/sync.ts'
import { planServices } from '../../../src/proxy/plan.ts'
import type { ProxySettings } from '../../../src/proxy/proxy-settings.ts'
import { inNamespace, missingTools } from '../../artefact/real-tools.ts'
import { endpoint, service, slice } from '../fixtures.ts'
import type { Outcome } from '../iptables/follow.ts'
import { TestObjects } from '../object-reader.ts'
import { testSettings } from '../test-settings.ts'
import { followNft } from './follow.ts'

const pod = '10.1.9.9'
const node = '192.168.0.2'
const outside = '203.0.113.9'
const here = '10.1.1.1:8080'
const there = '10.1.1.2:8080'
const vip = '198.51.100.1'
const cidrs = [prefix('10.96.0.0/12')]

type Where = 'here' | 'there'
interface Given {
  readonly spec?: Partial<ServiceSpec>
  readonly endpoints?: readonly Where[]
  readonly settings?: Partial<ProxySettings>
}

function objects(spec: Partial<ServiceSpec>, endpoints: readonly Where[]): TestObjects {
  const web = service(
    'web',
    { type: 'LoadBalancer', clusterIP: '10.96.0.1', ports: [{ name: 'http', port: 80, nodePort: 30080 }], ...spec },
    { status: { loadBalancer: { ingress: [{ ip: vip }] } } },
  )
  const all = endpoints.map((e) => (e === 'here' ? endpoint('10.1.1.1', 'node-a') : endpoint('10.1.1.2', 'node-b')))
  return new TestObjects([web, slice('web', all)])
}

const settingsOf = (given: Partial<ProxySettings> = {}): ProxySettings =>
  testSettings({ mode: 'nftables', nodePortAddresses: [prefix('192.168.0.2/32')], ...given })

function rulesetOf({ spec = {}, endpoints = ['here', 'there'], settings: given = {} }: Given): NftRuleset {
  const settings = settingsOf(given)
  const table = kubeProxyTable(planServices(objects(spec, endpoints), settings), settings, cidrs)
  return applyNft(emptyNft, syncNft(table, undefined, 0).commands).ruleset
}

function cluster(given: Given) {
  const ruleset = rulesetOf(given)
  const { localIPs } = settingsOf(given.settings)
  return (from: string, destIP: string, destPort = 80): Outcome =>
    followNft({ from, protocol: 'tcp', destIP, destPort }, ruleset, localIPs)
}

const to = (endpoints: readonly string[], masquerade: boolean): Outcome => ({ outcome: 'dnat', endpoints, masquerade })
const both = [here, there]

describe.each([30, 34, 36])('1.%i', (minor) => {
  const settings = { minor }

  test('a cluster IP: only what does not come from a pod is masqueraded; other ports are rejected', () => {
    const send = cluster({ settings })
    expect(send(pod, '10.96.0.1')).toEqual(to(both, false))
    expect(send(node, '10.96.0.1')).toEqual(to(both, true))
    expect(send(pod, '10.96.0.1', 81)).toEqual({ outcome: 'reject' })
    expect(send(pod, '10.96.0.9')).toEqual({ outcome: 'drop' })
  })

  test('masqueradeAll masquerades pods as well', () => {
    expect(cluster({ settings: { ...settings, masqueradeAll: true } })(pod, '10.96.0.1')).toEqual(to(both, true))
  })

  test('a pod that meets itself is masqueraded', () => {
    expect(cluster({ settings, endpoints: ['here'] })('10.1.1.1', '10.96.0.1')).toEqual(to([here], true))
  })

  test('policy Local keeps the client; pods and the node are short-circuited', () => {
    const send = cluster({ settings, spec: { externalTrafficPolicy: 'Local' } })
    expect(send(outside, vip)).toEqual(to([here], false))
    expect(send(outside, node, 30080)).toEqual(to([here], false))
    expect(send(pod, vip)).toEqual(to(both, false))
    expect(send(node, vip)).toEqual(to(both, true))
  })

  test('policy Local without a local endpoint drops what comes from outside', () => {
    const send = cluster({ settings, endpoints: ['there'], spec: { externalTrafficPolicy: 'Local' } })
    expect(send(outside, node, 30080)).toEqual({ outcome: 'drop' })
    expect(send(outside, vip)).toEqual({ outcome: 'drop' })
    expect(send(pod, '10.96.0.1')).toEqual(to([there], false))
  })

  test('no endpoints: refused wherever it is asked', () => {
    const send = cluster({ settings, endpoints: [] })
    for (const [ip, port] of [
      ['10.96.0.1', 80],
      [vip, 80],
      [node, 30080],
    ] as const) {
      expect(send(outside, ip, port)).toEqual({ outcome: 'reject' })
    }
  })

  test('source ranges are judged before DNAT, at the VIP alone', () => {
    const send = cluster({ settings, spec: { loadBalancerSourceRanges: ['203.0.113.0/25'] } })
    expect(send(outside, vip)).toEqual(to(both, true))
    expect(send('203.0.113.200', vip)).toEqual({ outcome: 'drop' })
    expect(send('203.0.113.200', node, 30080)).toEqual(to(both, true))
  })

  test('with affinity', () => {
    const send = cluster({ settings, spec: { sessionAffinity: 'ClientIP' } })
    expect(send(pod, '10.96.0.1')).toEqual(to(both, false))
  })
})

const missing = missingTools('nft')

describe.skipIf(missing !== undefined)(`the real nft${missing ? ` (${missing})` : ''}`, () => {
  test.each([30, 34, 36])('takes what 1.%i writes, and lists what we print', (minor) => {
    const spec: Partial<ServiceSpec> = { sessionAffinity: 'ClientIP', loadBalancerSourceRanges: ['203.0.113.0/25'] }
    for (const given of [
      { spec },
      { spec: { externalTrafficPolicy: 'Local' as const }, endpoints: ['there' as const] },
      {},
    ]) {
      const ruleset = rulesetOf({ ...given, settings: { minor } })
      const settings = settingsOf({ minor })
      const plans = planServices(objects(given.spec ?? {}, given.endpoints ?? ['here', 'there']), settings)
      const script = formatNftScript(syncNft(kubeProxyTable(plans, settings, cidrs), undefined, 0).commands)
      const listed = inNamespace('cat > /run/s; nft -c -f /run/s && nft -f /run/s && nft list ruleset', script)
      expect(listed.stderr).toBe('')
      expect(formatNft(ruleset)).toBe(listed.stdout)
    }
  })
})

describe('a transaction holds only what changed', () => {
  const settings = settingsOf({ minor: 34 })
  const table = (endpoints: readonly Where[]) =>
    kubeProxyTable(planServices(objects({}, endpoints), settings), settings, cidrs)

  test('nothing, where nothing did', () => {
    const first = syncNft(table(['here']), undefined, 0)
    expect(syncNft(table(['here']), first.state, 10).commands).toEqual([])
  })

  test('an endpoint that comes: its chain, and the chain that balances', () => {
    const first = syncNft(table(['here']), undefined, 0)
    const { commands } = syncNft(table(['here', 'there']), first.state, 10)
    expect(commands.map((c) => c.op)).toEqual([
      'add-chain',
      'flush-chain',
      'add-rule',
      'add-rule',
      'add-rule',
      'add-rule',
    ])
  })

  test('an endpoint that goes: its chain is emptied at once and deleted a second later', () => {
    const first = syncNft(table(['here', 'there']), undefined, 0)
    const second = syncNft(table(['here']), first.state, 10)
    expect([...second.state.stale.keys()]).toHaveLength(1)
    expect(second.commands.map((c) => c.op)).not.toContain('delete-chain')
    const soon = syncNft(table(['here']), second.state, 500)
    expect(soon.commands).toEqual([])
    const later = syncNft(table(['here']), soon.state, 2000)
    expect(later.commands.map((c) => c.op)).toEqual(['delete-chain'])
  })
})
