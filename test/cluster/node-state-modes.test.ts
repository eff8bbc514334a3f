import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { formatIpvsSave } from '../../src/artefact/ipvs.ts'
import { formatNft } from '../../src/artefact/nft/print.ts'
import { nodeNetns } from '../../src/cluster/machine.ts'
import { loadText } from '../scenario.ts'

const small = ['cluster.yaml', 'shop.yaml'].map((path) => ({
  path,
  text: readFileSync(join(import.meta.dirname, '../../scenarios/small', path), 'utf8'),
}))

function nodeWith(spec: object, more = '') {
  const nodeState = { apiVersion: 'kubehop.dev/v1alpha1', kind: 'NodeState', metadata: { name: 'node-a' }, spec }
  const { cluster, problems } = loadText(...small, {
    path: 'state.yaml',
    text: `${JSON.stringify(nodeState)}\n${more}`,
  })
  return { problems, state: cluster.network().machines.get(nodeNetns('node-a'))?.state() }
}

describe('a NodeState', () => {
  test('adds nftables text, with itself as origin', () => {
    const nftables = 'table inet filter {\n chain input {\n type filter hook input priority 0; policy drop;\n }\n}'
    const { state, problems } = nodeWith({ nftables })
    expect(problems).toEqual([])
    expect(formatNft(state?.nftables ?? { tables: [] })).toContain(
      '\t\ttype filter hook input priority filter; policy drop;\n',
    )
  })

  test('adds virtual services and sets', () => {
    const ipvs = '-A -t 10.96.7.7:80 -s rr\n-a -t 10.96.7.7:80 -r 10.244.1.2:8080 -m -w 1\n'
    const { state, problems } = nodeWith({ ipvs, ipset: 'create S hash:ip family inet\nadd S 10.0.0.1\n' })
    expect(problems).toEqual([])
    expect(formatIpvsSave(state?.ipvs ?? [])).toBe(ipvs)
    expect(state?.ipsets?.map((s) => s.name)).toEqual(['S'])
  })

  test.each([
    [{ nftables: 'frobnicate' }, /found "frobnicate"/],
    [{ ipvs: 'frobnicate' }, /found "frobnicate"/],
    [{ ipset: 'frobnicate' }, /found "frobnicate"/],
  ])('tells what it cannot read: %j', (spec, expected) => {
    expect(nodeWith(spec).problems.join('\n')).toMatch(expected)
  })
})

test("flannel's nftables rules are executed where EnableNFTables is set", () => {
  const files = small.map(({ path, text }) => ({
    path,
    text: text.replace('"Network": "10.244.0.0/16",', '"Network": "10.244.0.0/16", "EnableNFTables": true,'),
  }))
  const { cluster, problems } = loadText(...files)
  expect(problems).toEqual([])
  const state = cluster.network().machines.get(nodeNetns('node-a'))?.state()
  const listed = formatNft(state?.nftables ?? { tables: [] })
  expect(listed).toContain('table ip flannel-ipv4 {')
  expect(listed).toContain('ip saddr 10.244.0.0/16 ip daddr != 224.0.0.0/4 masquerade fully-random')
})
