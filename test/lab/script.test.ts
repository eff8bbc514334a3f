import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { clusterOf } from '../../src/lab/manifests.ts'
import { isRunId, labNames } from '../../src/lab/names.ts'
import { planLab } from '../../src/lab/plan.ts'
import { buildScript, removeScript } from '../../src/lab/script.ts'
import { nodeState, smallCluster } from './small-cluster.ts'

function planned(more: Parameters<typeof nodeState>[] = []) {
  const cluster = clusterOf([...smallCluster(), ...more.map((m) => nodeState(...m))])
  if ('problem' in cluster) throw new Error(cluster.problem)
  return planLab(cluster.network(), 't1')
}

const plan = planned()
const script = buildScript(plan)
const names = plan.spaces.map((s) => s.name)

describe('the script', () => {
  test('has one namespace for each machine, all with short names of this run', () => {
    expect(names).toEqual([...new Set(names)])
    expect(names.filter((n) => !/^kht1-[a-z]\d+$/.test(n))).toEqual([])
    const kinds = plan.spaces.map((s) => s.machine.kind)
    expect(kinds.filter((k) => k === 'node')).toHaveLength(2)
    expect(kinds.filter((k) => k === 'pod')).toHaveLength(3)
  })

  test('lays every cable once', () => {
    const ends = plan.cables.flatMap(({ a, b }) => [a, ...(b ? [b] : [])]).map((e) => `${e.netns} ${e.device}`)
    expect(ends).toEqual([...new Set(ends)])
    const wired = plan.spaces.flatMap(({ name, state }) =>
      state.links.filter((l) => l.kind.kind === 'physical' || l.kind.kind === 'veth').map((l) => `${name} ${l.name}`),
    )
    expect(ends.toSorted()).toEqual(wired.toSorted())
  })

  test('is a shell script without a mistake of syntax', () => {
    for (const text of [script, removeScript(plan)]) {
      const { status, stderr } = spawnSync('sh', ['-n'], { input: text, encoding: 'utf8' })
      expect(stderr).toBe('')
      expect(status).toBe(0)
    }
  })

  test('sets what a machine may hand on, and turns IPv6 off where the cluster has none', () => {
    for (const setting of [
      'net.ipv4.conf.default.rp_filter = 0',
      'net.bridge.bridge-nf-call-iptables = 1',
      'net.ipv6.conf.default.disable_ipv6 = 1',
    ])
      expect(script).toContain(`\n${setting}\n`)
  })

  test("carries the node's own settings, device settings after the devices", () => {
    const text = buildScript(
      planned([['node-a', { sysctl: 'net.ipv4.ip_forward = 0\nnet.ipv4.conf.flannel.1.rp_filter = 2\n' }]]),
    )
    const node = text.slice(text.indexOf('# node node-a'), text.indexOf('# node node-b'))
    expect(node.indexOf('net.ipv4.ip_forward = 0')).toBeLessThan(node.indexOf('link add flannel.1'))
    expect(node.indexOf('net.ipv4.conf.flannel/1.rp_filter = 2')).toBeGreaterThan(node.indexOf('link add flannel.1'))
  })

  test('that removes names what the other made, and nothing else', () => {
    const named = removeScript(plan).match(/kh\S*?-[a-z]\d*/g) ?? []
    expect([...new Set(named)].toSorted()).toEqual(names.toSorted())
  })
})

test.each([
  ['lab', true],
  ['a1', true],
  ['', false],
  ['toolong', false],
  ['UP', false],
  ['a b', false],
  ['../x', false],
])('run id %j: %s', (text, good) => {
  expect(isRunId(text)).toBe(good)
})

test('names count within each kind', () => {
  const machines = plan.spaces.map((s) => s.machine)
  expect([...labNames(machines, 'x').values()].filter((n) => n.startsWith('khx-n'))).toEqual(['khx-n1', 'khx-n2'])
})
