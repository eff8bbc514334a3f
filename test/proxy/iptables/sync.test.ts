import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { applyEdits } from '../../../src/artefact/iptables/apply.ts'
import { formatRuleset } from '../../../src/artefact/iptables/print.ts'
import { emptyRuleset } from '../../../src/artefact/iptables/rule.ts'
import type { KubeObject } from '../../../src/kube/objects/meta.ts'
import { serviceChainNames } from '../../../src/proxy/iptables/chain-names.ts'
import { kubelet } from '../../../src/proxy/iptables/kubelet.ts'
import { formatRestore } from '../../../src/proxy/iptables/restore.ts'
import { restoreDialect } from '../../../src/proxy/iptables/restore-text.ts'
import { type ProxierState, type Sync, syncIptables } from '../../../src/proxy/iptables/sync.ts'
import { planServices } from '../../../src/proxy/plan.ts'
import { endpoint, everyKindOfService, service, slice } from '../fixtures.ts'
import { TestObjects } from '../object-reader.ts'
import { testSettings } from '../test-settings.ts'

const settings = testSettings()
const sync = (objects: TestObjects, state?: ProxierState, options = {}): Sync =>
  syncIptables(planServices(objects, settings), settings, state, options)
const ownChains = ({ tables }: Sync): string[] =>
  tables.flatMap((t) => t.chains.filter((name) => /^KUBE-(SVC|SVL|EXT|FW|SEP)-/.test(name)))

test('the first sync is full, the next one partial: with nothing changed it writes no chain of a service', () => {
  const objects = everyKindOfService()
  const first = sync(objects)
  const second = sync(objects, first.state)
  expect([first.kind, second.kind]).toEqual(['full', 'partial'])
  expect(ownChains(first).length).toBeGreaterThan(20)
  expect(ownChains(second)).toEqual([])
})

test('up to 1.26 and with other settings every sync is full', () => {
  const old = testSettings({ minor: 26 })
  const plans = planServices(everyKindOfService(), old)
  const first = syncIptables(plans, old)
  expect(syncIptables(plans, old, first.state).kind).toBe('full')
  expect(syncIptables(plans, settings, first.state).kind).toBe('full')
})

test('a change of one Service rewrites its own chains alone', () => {
  const objects = everyKindOfService()
  const before = sync(objects)
  const [changed] = before.state.plans.values()
  if (!changed) throw new Error('no plan')
  objects.apply([slice(changed.service, [endpoint('10.9.9.9', 'node-b')])])
  const after = sync(objects, before.state)
  const names = Object.values(serviceChainNames(changed))
  const written = ownChains(after).filter((name) => !name.startsWith('KUBE-SEP-'))
  expect(written.length).toBeGreaterThan(0)
  for (const name of written) expect(names).toContain(name)
})

test('chains of a Service that is gone are emptied and deleted', () => {
  const objects = everyKindOfService()
  const before = sync(objects)
  objects.remove([service('cluster-ip'), slice('cluster-ip', [])])
  const text = formatRestore(sync(objects, before.state).tables, restoreDialect(settings))
  const gone = [...before.state.plans.values()].find((plan) => plan.service === 'cluster-ip')
  const name = gone ? serviceChainNames(gone).svc : ''
  expect(text).toContain(`:${name} - [0:0]\n`)
  expect(text).toContain(`-X ${name}\n`)
})

describe('large clusters', () => {
  const many = (count: number): TestObjects =>
    new TestObjects([
      service('web', { clusterIP: '10.96.0.1' }),
      slice(
        'web',
        Array.from({ length: count }, (_, i) => `10.1.${i >> 8}.${i & 255}`),
      ),
    ])

  test.each([
    { count: 1000, comments: 1000 },
    { count: 1001, comments: 0 },
  ])('$count endpoints: $comments DNAT rules with a comment', ({ count, comments }) => {
    const lines = formatRestore(sync(many(count)).tables, restoreDialect(settings)).split('\n')
    const dnat = lines.filter((line) => line.includes('-j DNAT'))
    expect(dnat).toHaveLength(count)
    expect(dnat.filter((line) => line.includes('--comment'))).toHaveLength(comments)
  })

  test('stale chains are looked for once in a syncPeriod', () => {
    const objects = many(1002)
    const first = sync(objects, undefined, { now: 0 })
    objects.apply([
      slice(
        'web',
        Array.from({ length: 1001 }, (_, i) => `10.1.${i >> 8}.${i & 255}`),
      ),
    ])
    const soon = sync(objects, first.state, { now: 10 })
    const later = sync(objects, soon.state, { now: 31 })
    const deletions = ({ tables }: Sync) => tables.flatMap((t) => t.lines.filter((line) => 'deleteChain' in line))
    expect(deletions(soon)).toHaveLength(0)
    expect(deletions(later)).toHaveLength(1)
  })
})

const anyChange: fc.Arbitrary<(objects: TestObjects) => void> = fc
  .tuple(
    fc.constantFrom('a', 'b', 'c'),
    fc.integer({ min: 0, max: 4 }),
    fc.constantFrom('Cluster', 'Local'),
    fc.boolean(),
  )
  .map(([name, count, policy, gone]) => {
    const index = name.charCodeAt(0)
    const objects: KubeObject[] = [
      service(name, {
        type: 'NodePort',
        clusterIP: `10.96.0.${index}`,
        externalTrafficPolicy: policy as 'Cluster' | 'Local',
        ports: [{ name: 'http', port: 80, nodePort: 30000 + index }],
      }),
      slice(
        name,
        Array.from({ length: count }, (_, i) => endpoint(`10.1.${index}.${i}`, i % 2 ? 'node-a' : 'node-b')),
      ),
    ]
    return (store) => void (gone ? store.remove(objects) : store.apply(objects))
  })

test('partial syncs leave the node as one full sync would', () => {
  fc.assert(
    fc.property(fc.array(anyChange, { minLength: 1, maxLength: 6 }), (changes) => {
      const objects = new TestObjects()
      let ruleset = emptyRuleset('ipv4')
      let state: ProxierState | undefined
      for (const change of changes) {
        change(objects)
        const next = sync(objects, state)
        state = next.state
        ruleset = applyEdits(ruleset, next.edits)
      }
      expect(formatRuleset(ruleset)).toEqual(formatRuleset(applyEdits(emptyRuleset('ipv4'), sync(objects).edits)))
    }),
    { numRuns: 100 },
  )
})

describe('who comes first on a node', () => {
  const targets = (kubeletFirst: boolean, chain: string, minor = 36): string[] => {
    const given = testSettings({ minor })
    const proxy = syncIptables([], given).edits
    const ruleset = applyEdits(
      emptyRuleset('ipv4'),
      kubeletFirst ? [...kubelet(given), ...proxy] : [...proxy, ...kubelet(given)],
    )
    const filter = ruleset.tables.find((t) => t.name === 'filter')
    const rules = filter?.chains.find((c) => c.name === chain)?.rules ?? []
    return rules.map((rule) => (rule.target?.kind === 'jump' ? rule.target.chain : ''))
  }

  test('kubelet first, the usual case: KUBE-FIREWALL is the last jump', () => {
    expect(targets(true, 'INPUT')).toEqual([
      'KUBE-PROXY-FIREWALL',
      'KUBE-NODEPORTS',
      'KUBE-EXTERNAL-SERVICES',
      'KUBE-FIREWALL',
    ])
    expect(targets(true, 'OUTPUT')).toEqual(['KUBE-PROXY-FIREWALL', 'KUBE-SERVICES', 'KUBE-FIREWALL'])
  })

  test('kube-proxy first: KUBE-FIREWALL is the first', () => {
    expect(targets(false, 'INPUT')[0]).toBe('KUBE-FIREWALL')
    expect(targets(false, 'FORWARD')).toEqual([
      'KUBE-PROXY-FIREWALL',
      'KUBE-FORWARD',
      'KUBE-SERVICES',
      'KUBE-EXTERNAL-SERVICES',
    ])
  })
})

describe("kubelet's share", () => {
  const text = (minor: number, family: 'ipv4' | 'ipv6' = 'ipv4'): string => {
    const given = testSettings({ minor, family })
    return formatRuleset(applyEdits(emptyRuleset(family), kubelet(given)))
  }
  test.each([
    { minor: 23, markDrop: true, hint: false },
    { minor: 26, markDrop: true, hint: true },
    { minor: 27, markDrop: false, hint: true },
    { minor: 28, markDrop: false, hint: true },
  ])('1.$minor', ({ minor, markDrop, hint }) => {
    expect(text(minor).includes('-A KUBE-MARK-DROP -j MARK --set-xmark 0x8000/0x8000')).toBe(markDrop)
    expect(
      text(minor).includes('-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING'),
    ).toBe(markDrop)
    expect(text(minor).includes(':KUBE-IPTABLES-HINT')).toBe(hint)
    expect(text(minor)).toContain(':KUBE-KUBELET-CANARY')
  })

  test('the guard of loopback addresses is for IPv4 alone', () => {
    expect(text(36)).toContain('block incoming localnet connections')
    expect(text(36, 'ipv6')).not.toContain('localnet')
  })
})
