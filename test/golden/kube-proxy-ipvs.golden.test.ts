import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { applyEdits } from '../../src/artefact/iptables/apply.ts'
import { restoreNoflush } from '../../src/artefact/iptables/parse.ts'
import { formatTable } from '../../src/artefact/iptables/print.ts'
import { emptyRuleset, type Rule, type Ruleset } from '../../src/artefact/iptables/rule.ts'
import type { KubeObject } from '../../src/kube/objects/meta.ts'
import { readYaml } from '../../src/kube/yaml.ts'
import { formatSocketAddress } from '../../src/net/port.ts'
import { kubeProxyIpvs } from '../../src/proxy/ipvs/kube-proxy-ipvs.ts'
import { setKinds } from '../../src/proxy/ipvs/set-names.ts'
import { planServices } from '../../src/proxy/plan.ts'
import { TestObjects } from '../proxy/object-reader.ts'
import { goldenRoot } from './golden-root.ts'
import { type GoldenProxyConfig, goldenSettings } from './kube-proxy-settings.ts'

interface GoldenCase {
  readonly name: string
  readonly proves: string
  readonly proxyConfig: GoldenProxyConfig & { readonly nodeAddresses: readonly string[]; readonly scheduler: string }
  readonly objects: readonly KubeObject[]
  readonly expect: {
    readonly source?: Readonly<Record<string, string>>
    readonly dummyInterface: { readonly addresses: readonly string[] }
    readonly virtualServers: readonly {
      readonly address: string
      readonly protocol: string
      readonly scheduler: string
      readonly persistentTimeout?: number
      readonly realServers: readonly string[]
    }[]
    readonly ipsets: readonly {
      readonly name: string
      readonly type: string
      readonly purpose: string
      readonly members: readonly string[]
    }[]
    readonly iptablesRestore: string
    readonly iptablesSave: string
  }
}

const root = goldenRoot('kube-proxy-ipvs')

function read<T>(path: string): T {
  const result = readYaml(readFileSync(path, 'utf8'))
  if (!result.ok) throw new Error(`${path}: ${JSON.stringify(result.faults)}`)
  return result.documents[0]?.value as T
}

const tablesOf = (save: string): Record<string, string[]> =>
  Object.fromEntries(
    save
      .split(/^(?=\*)/m)
      .filter((part) => part.startsWith('*'))
      .map((part) => [part.slice(1, part.indexOf('\n')), part.trimEnd().split('\n')]),
  )

const isAboutIpvs = (rule: Rule): boolean => rule.matches.some((m) => m.kind === 'ipvs')

/** Rules by chain as they are printed; the order of KUBE-IPVS-OUT-FILTER is random. */
function printed(ruleset: Ruleset, keep: (rule: Rule) => boolean): Record<string, readonly string[]> {
  return Object.fromEntries(
    ruleset.tables.map((table) => {
      const chains = table.chains.map((c) => ({ ...c, rules: c.rules.filter(keep) }))
      const lines = formatTable({ ...table, chains })
        .trimEnd()
        .split('\n')
      const out = lines.filter((l) => l.startsWith('-A KUBE-IPVS-OUT-FILTER')).sort()
      return [table.name, [...lines.filter((l) => !l.startsWith('-A KUBE-IPVS-OUT-FILTER')), ...out]]
    }),
  )
}

describe.skipIf('missing' in root)(`kube-proxy in IPVS mode${'missing' in root ? ` (${root.missing})` : ''}`, () => {
  const path = 'path' in root ? root.path : ''
  const names = path === '' ? [] : readdirSync(path).filter((n) => n.endsWith('.yaml'))
  const cases = names.sort().map((name) => read<GoldenCase>(join(path, name)))

  test.each(cases)('$name: $proves', ({ proxyConfig, objects, expect: expected }) => {
    const settings = {
      ...goldenSettings({ ...proxyConfig, localIPs: proxyConfig.nodeAddresses }, '1.30'),
      ipvs: { scheduler: proxyConfig.scheduler, strictARP: false },
    }
    const { services, sets, bound, edits } = kubeProxyIpvs(planServices(new TestObjects(objects), settings), settings)
    expect([...bound].sort()).toEqual([...expected.dummyInterface.addresses].sort())
    const virtual = services.map((s) => ({
      address: formatSocketAddress(s.address, s.port),
      protocol: s.protocol.toUpperCase(),
      scheduler: s.scheduler,
      ...(s.persistent !== undefined && { persistentTimeout: s.persistent }),
      realServers: s.servers.map((r) => `${formatSocketAddress(r.address, r.port)} masq weight ${r.weight}`).sort(),
    }))
    const byAddress = (a: { address: string; protocol: string }, b: { address: string; protocol: string }): number =>
      `${a.address} ${a.protocol}` < `${b.address} ${b.protocol}` ? -1 : 1
    expect(virtual.sort(byAddress)).toEqual(
      expected.virtualServers.map((v) => ({ ...v, realServers: [...v.realServers].sort() })).sort(byAddress),
    )
    const told = Object.fromEntries(
      sets.map((s) => [s.name, { type: s.type, members: s.members.map((m) => m.text).sort() }]),
    )
    expect(told).toEqual(
      Object.fromEntries(expected.ipsets.map((s) => [s.name, { type: s.type, members: [...s.members].sort() }])),
    )
    const purposes = new Set<string>(Object.values(setKinds).map((k) => k.purpose))
    for (const { purpose } of expected.ipsets) expect(purposes).toContain(purpose)
    const ruleset = applyEdits(emptyRuleset(settings.family), edits)
    const restored = restoreNoflush(emptyRuleset(settings.family), expected.iptablesRestore)
    expect(restored.problems).toEqual([])
    const chains = new Set(restored.ruleset.tables.flatMap((t) => t.chains.map((c) => `${t.name} ${c.name}`)))
    const own: Ruleset = {
      ...ruleset,
      tables: ruleset.tables
        .map((t) => ({
          ...t,
          chains: t.chains.filter((c) => c.policy === undefined && chains.has(`${t.name} ${c.name}`)),
        }))
        .filter((t) => t.chains.length > 0),
    }
    const theirs: Ruleset = {
      ...restored.ruleset,
      tables: restored.ruleset.tables.map((t) => ({ ...t, chains: t.chains.filter((c) => c.policy === undefined) })),
    }
    expect(printed(own, () => true)).toEqual(printed(theirs, () => true))
    const saved = expected.source?.iptablesSave?.includes('without') ? (rule: Rule) => !isAboutIpvs(rule) : () => true
    expect(printed(ruleset, saved)).toEqual(tablesOf(expected.iptablesSave))
  })
})
