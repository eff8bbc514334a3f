import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { applyNft } from '../../src/artefact/nft/draft.ts'
import { formatNftTable } from '../../src/artefact/nft/print.ts'
import { parseNft, runNft } from '../../src/artefact/nft/read.ts'
import { emptyNft, type NftRuleset } from '../../src/artefact/nft/ruleset.ts'
import { dumpNftTable, formatNftScript } from '../../src/artefact/nft/script.ts'
import type { KubeObject } from '../../src/kube/objects/meta.ts'
import { readYaml } from '../../src/kube/yaml.ts'
import { prefix, prefixFamily } from '../../src/net/prefix.ts'
import { kubeProxyTable } from '../../src/proxy/nftables/kube-proxy-nftables.ts'
import { nameBase } from '../../src/proxy/nftables/names.ts'
import { type NftProxierState, syncNft } from '../../src/proxy/nftables/sync.ts'
import { planServices } from '../../src/proxy/plan.ts'
import type { Flow } from '../proxy/iptables/follow.ts'
import { followNft } from '../proxy/nftables/follow.ts'
import { TestObjects } from '../proxy/object-reader.ts'
import { goldenRoot } from './golden-root.ts'
import { type GoldenProxyConfig, goldenSettings } from './kube-proxy-settings.ts'

interface Expectation {
  readonly nftDump?: string
  readonly nftList?: string
  readonly flows?: readonly (Flow & { readonly name: string; readonly expect: unknown })[]
  readonly elementFor?: { readonly map: string; readonly key: string; readonly present: boolean }
  readonly staleChains?: readonly string[]
}

interface Step {
  readonly name?: string
  readonly apply?: readonly KubeObject[]
  readonly delete?: readonly KubeObject[]
  readonly ageStaleChains?: boolean
  readonly expect?: Expectation
}

interface GoldenCase {
  readonly name: string
  readonly proves: string
  readonly proxyConfig: GoldenProxyConfig & { readonly serviceCIDRs?: readonly string[] }
  readonly objects?: readonly KubeObject[]
  readonly expect?: Expectation
  readonly steps?: readonly Step[]
}

const root = goldenRoot('kube-proxy-nftables')

function read<T>(path: string): T {
  const result = readYaml(readFileSync(path, 'utf8'))
  if (!result.ok) throw new Error(`${path}: ${JSON.stringify(result.faults)}`)
  return result.documents[0]?.value as T
}

const lines = (text: string): readonly string[] => text.trimEnd().split('\n')
const sorted = (text: string): readonly string[] => lines(text).toSorted()
/** Tabs as two spaces, blocks in one order. */
const blocks = (list: string): readonly string[] =>
  list
    .replaceAll('\t', '  ')
    .replace(/^table.*\n(?: {2}comment.*\n)?/, '')
    .trimEnd()
    .replace(/\n}$/, '')
    .split(/\n\n/)
    .toSorted()

describe.skipIf('missing' in root)(
  `kube-proxy in nftables mode${'missing' in root ? ` (${root.missing})` : ''}`,
  () => {
    const path = 'path' in root ? root.path : ''
    const names = path === '' ? [] : readdirSync(path).filter((n) => n.endsWith('.yaml') && n !== 'hash-vectors.yaml')
    const cases = names.sort().map((name) => read<GoldenCase>(join(path, name)))

    test.each(cases)('$name: $proves', ({ proxyConfig, objects = [], expect: expected, steps }) => {
      const settings = goldenSettings(proxyConfig, '1.34')
      const cidrs = (proxyConfig.serviceCIDRs ?? []).map(prefix).filter((p) => prefixFamily(p) === settings.family)
      const store = new TestObjects()
      let state: NftProxierState | undefined
      let ruleset: NftRuleset = emptyNft
      let now = 0
      for (const step of steps ?? [{ apply: objects, ...(expected && { expect: expected }) }]) {
        store.apply(step.apply ?? []).remove(step.delete ?? [])
        if (step.ageStaleChains) now += 2000
        const sync = syncNft(kubeProxyTable(planServices(store, settings), settings, cidrs), state, now)
        state = sync.state
        const applied = applyNft(ruleset, sync.commands)
        expect(applied.failures).toEqual([])
        const script = runNft(ruleset, formatNftScript(sync.commands))
        expect(script.problems).toEqual([])
        ruleset = applied.ruleset
        const [table] = ruleset.tables
        if (!table) throw new Error('no table')
        expect(formatNftTable(script.ruleset.tables[0] ?? table)).toBe(formatNftTable(table))
        const { nftDump, nftList, flows = [], elementFor, staleChains } = step.expect ?? {}
        if (nftDump !== undefined) {
          expect(sorted(dumpNftTable(table)), step.name).toEqual(sorted(nftDump))
          expect(lines(dumpNftTable(table)).filter((l) => l.startsWith('add rule'))).toEqual(
            lines(nftDump).filter((l) => l.startsWith('add rule')),
          )
        }
        if (nftList !== undefined) expect(blocks(formatNftTable(table)), step.name).toEqual(blocks(nftList))
        if (elementFor) {
          const keys = lines(dumpNftTable(table)).filter((l) =>
            l.startsWith(`add element ip kube-proxy ${elementFor.map} `),
          )
          expect(keys.some((l) => l.includes(`{ ${elementFor.key} :`))).toBe(elementFor.present)
        }
        if (staleChains) expect([...sync.state.stale.keys()].sort()).toEqual([...staleChains].sort())
        for (const flow of flows) expect(followNft(flow, ruleset, settings.localIPs), flow.name).toEqual(flow.expect)
      }
    })

    test.each(cases.filter((c) => c.expect?.nftList))(
      '$name: the listing read back prints the same',
      ({ expect: e }) => {
        const text = (e?.nftList ?? '').replace(/^( {2})+/gm, (indent) => '\t'.repeat(indent.length / 2))
        const parsed = parseNft(text)
        expect(parsed.problems).toEqual([])
        expect(
          blocks(formatNftTable(parsed.ruleset.tables[0] ?? { family: 'ip', name: '', sets: [], chains: [] })),
        ).toEqual(blocks(text))
      },
    )

    test('every name of the hash vectors', () => {
      const { vectors } = read<{ vectors: readonly { input: string; name: string }[] }>(join(path, 'hash-vectors.yaml'))
      for (const { input, name } of vectors) expect(nameBase(input)).toBe(name)
    })
  },
)
