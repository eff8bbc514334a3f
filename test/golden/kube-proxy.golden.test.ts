import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { applyEdits } from '../../src/artefact/iptables/apply.ts'
import { formatTable } from '../../src/artefact/iptables/print.ts'
import { emptyRuleset, type Ruleset } from '../../src/artefact/iptables/rule.ts'
import type { KubeObject } from '../../src/kube/objects/meta.ts'
import { readYaml } from '../../src/kube/yaml.ts'
import { hashName } from '../../src/proxy/hash.ts'
import { kubelet } from '../../src/proxy/iptables/kubelet.ts'
import { probabilityParts, probabilityText } from '../../src/proxy/iptables/probability.ts'
import { formatRestore } from '../../src/proxy/iptables/restore.ts'
import { restoreDialect } from '../../src/proxy/iptables/restore-text.ts'
import { type ProxierState, syncIptables } from '../../src/proxy/iptables/sync.ts'
import { planServices } from '../../src/proxy/plan.ts'
import type { ProxySettings } from '../../src/proxy/proxy-settings.ts'
import { type Flow, follow, type Outcome } from '../proxy/iptables/follow.ts'
import { TestObjects } from '../proxy/object-reader.ts'
import { goldenRoot } from './golden-root.ts'
import { type GoldenProxyConfig, goldenSettings } from './kube-proxy-settings.ts'
import { sortedRestore } from './sorted-restore.ts'

interface GoldenFlow extends Flow {
  readonly name: string
  readonly expect: Outcome
}

interface Expectation {
  readonly iptablesRestore?: string
  readonly iptablesSave?: string
  readonly flows?: readonly GoldenFlow[]
  readonly chains?: readonly { readonly table: string; readonly chain: string; readonly rules: readonly string[] }[]
  readonly serviceRules?: 'none'
  readonly ruleFor?: {
    readonly table: string
    readonly chain: string
    readonly destination: string
    readonly present: boolean
  }
  readonly contains?: readonly string[]
  readonly dnatRules?: number
  readonly dnatRulesWithComment?: number
}

interface Step {
  readonly name?: string
  readonly apply?: readonly KubeObject[]
  readonly delete?: readonly KubeObject[]
  readonly forceFullSync?: boolean
  readonly expect: Expectation
}

interface GoldenCase {
  readonly name: string
  readonly proves: string
  readonly proxyConfig: GoldenProxyConfig
  readonly objects?: readonly KubeObject[]
  readonly expect?: Expectation
  readonly steps?: readonly Step[]
}

const root = goldenRoot('kube-proxy')

function read<T>(path: string): T {
  const result = readYaml(readFileSync(path, 'utf8'))
  if (!result.ok) throw new Error(`${path}: ${JSON.stringify(result.faults)}`)
  return result.documents[0]?.value as T
}

/** One kube-proxy on one node, step by step. */
class Node {
  state: ProxierState | undefined
  ruleset: Ruleset
  readonly settings: ProxySettings

  constructor(settings: ProxySettings) {
    this.settings = settings
    const empty = emptyRuleset(settings.family)
    this.ruleset = settings.kubeletRanFirst ? applyEdits(empty, kubelet(settings)) : empty
  }

  sync(objects: TestObjects, full: boolean) {
    const sync = syncIptables(planServices(objects, this.settings), this.settings, this.state, { full })
    this.state = sync.state
    this.ruleset = applyEdits(this.ruleset, sync.edits)
    return sync
  }
}

const tablesOf = (save: string): Record<string, string[]> =>
  Object.fromEntries(
    save
      .split(/^(?=\*)/m)
      .filter((part) => part.startsWith('*'))
      .map((part) => [part.slice(1, part.indexOf('\n')), part.trimEnd().split('\n')]),
  )

const savedTables = (ruleset: Ruleset): Record<string, string[]> =>
  Object.fromEntries(ruleset.tables.map((table) => [table.name, formatTable(table).trimEnd().split('\n')]))

function checkStep(expected: Expectation, restore: string, node: Node): void {
  const lines = restore.split('\n')
  if (expected.iptablesRestore !== undefined) {
    expect(sortedRestore(restore)).toEqual(sortedRestore(expected.iptablesRestore))
  }
  const tables = tablesOf(restore)
  for (const { table, chain, rules } of expected.chains ?? []) {
    expect(tables[table]?.filter((line) => line.startsWith(`-A ${chain} `))).toEqual(rules)
  }
  if (expected.serviceRules === 'none') {
    expect(lines.filter((line) => /KUBE-(SVC|SVL|EXT|SEP|FW)-/.test(line))).toEqual([])
    expect(lines.filter((line) => /^-A KUBE-(EXTERNAL-SERVICES|NODEPORTS|PROXY-FIREWALL) /.test(line))).toEqual([])
    expect(lines.filter((line) => /^-A KUBE-SERVICES /.test(line) && !line.includes('must be the last'))).toEqual([])
  }
  for (const line of expected.contains ?? []) expect(lines).toContain(line)
  const dnat = lines.filter((line) => /^-A KUBE-SEP-.* -j DNAT/.test(line))
  if (expected.dnatRules !== undefined) expect(dnat).toHaveLength(expected.dnatRules)
  if (expected.dnatRulesWithComment !== undefined) {
    expect(dnat.filter((line) => line.includes('--comment'))).toHaveLength(expected.dnatRulesWithComment)
  }
  if (expected.ruleFor !== undefined) {
    const { table, chain, destination, present } = expected.ruleFor
    const rules = tables[table]?.filter((line) => line.startsWith(`-A ${chain} `)) ?? []
    expect(rules.some((line) => `${line} `.includes(` -d ${destination} `))).toBe(present)
  }
  for (const flow of expected.flows ?? []) {
    expect(follow(flow, node.ruleset, node.settings), flow.name).toEqual(flow.expect)
  }
}

describe.skipIf('missing' in root)(
  `kube-proxy in iptables mode${'missing' in root ? ` (${root.missing})` : ''}`,
  () => {
    const path = 'path' in root ? root.path : ''
    const names =
      path === ''
        ? []
        : readdirSync(path)
            .filter((name) => name.endsWith('.yaml'))
            .sort()
    const cases = names
      .filter((name) => name !== 'hash-vectors.yaml' && name !== 'probabilities.yaml')
      .map((name) => read<GoldenCase>(join(path, name)))

    test.each(cases)('$name: $proves', ({ proxyConfig, objects = [], expect: expected, steps }) => {
      const settings = goldenSettings(proxyConfig, '1.36')
      const dialect = { ...restoreDialect(settings), mark: () => proxyConfig.masqueradeMark }
      const node = new Node(settings)
      const saved = new Node({ ...settings, nfacct: false })
      const store = new TestObjects()
      const all = steps ?? (expected ? [{ apply: objects, expect: expected }] : [])
      for (const step of all as readonly Step[]) {
        store.apply(step.apply ?? []).remove(step.delete ?? [])
        const full = step.forceFullSync ?? false
        const sync = node.sync(store, full)
        saved.sync(store, full)
        checkStep(step.expect, formatRestore(sync.tables, dialect), saved)
        if (step.expect.iptablesSave !== undefined) {
          expect(savedTables(saved.ruleset), step.name).toEqual(tablesOf(step.expect.iptablesSave))
        }
      }
    })

    test('every chain name of the hash vectors', () => {
      const { vectors } = read<{ vectors: readonly { input: string; chain: string }[] }>(
        join(path, 'hash-vectors.yaml'),
      )
      for (const { input, chain } of vectors) expect(chain.replace(/^KUBE-[A-Z]+-/, '')).toBe(hashName(input, 16))
    })

    test('every probability, as written and as the kernel prints it', () => {
      const { upstreamRestore, measured } = read<{
        upstreamRestore: readonly { n: number; restore: string }[]
        measured: readonly { n: number; restore: string; save: string }[]
      }>(join(path, 'probabilities.yaml'))
      for (const { n, restore } of [...upstreamRestore, ...measured]) expect(probabilityText(n)).toBe(restore)
      for (const { n, save } of measured) expect((probabilityParts(n) / 2 ** 31).toFixed(11)).toBe(save)
    })
  },
)
