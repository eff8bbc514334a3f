import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatFdb } from '../../../src/artefact/fdb-text.ts'
import { formatRuleSpec } from '../../../src/artefact/iptables/print.ts'
import { formatNeighbour } from '../../../src/artefact/neighbour-text.ts'
import { formatRoute } from '../../../src/artefact/route-text.ts'
import type { HostTables } from '../../../src/cni/flannel/command.ts'
import { nodeEvent, programPeers } from '../../../src/cni/flannel/events.ts'
import { peersOf, planFlannel } from '../../../src/cni/flannel/plan.ts'
import { renderFlannel } from '../../../src/cni/flannel.ts'
import type { CniResult } from '../../../src/cni/result.ts'
import type { Node } from '../../../src/kube/objects/node.ts'
import type { Pod } from '../../../src/kube/objects/pod.ts'
import { zeroMac } from '../../../src/net/mac.ts'
import { formatPrefix, prefix, prefixContains } from '../../../src/net/prefix.ts'
import { flannelConfig, node, pod, settings, storeOf, uplink, withPorts } from '../objects.ts'

interface Cluster {
  readonly backend: string
  readonly dual: boolean
  readonly count: number
  readonly podsOn: readonly number[]
}

/** Backends with a route per node, in one or two families, and up to four pods a node. */
const cluster: fc.Arbitrary<Cluster> = fc
  .record({
    backend: fc.constantFrom('vxlan', 'host-gw', 'ipip'),
    dual: fc.boolean(),
    count: fc.integer({ min: 1, max: 6 }),
    podsOn: fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 12 }),
  })
  .map((c) => ({ ...c, dual: c.dual && c.backend !== 'ipip' }))

const cidrs = (i: number, dual: boolean): readonly string[] => [
  `10.244.${i}.0/24`,
  ...(dual ? [`fd00:10:244:${i + 1}::/64`] : []),
]

function objectsOf({ backend, dual, count, podsOn }: Cluster) {
  const conf = flannelConfig({
    Network: '10.244.0.0/16',
    ...(dual ? { EnableIPv6: true, IPv6Network: 'fd00:10:244::/48' } : {}),
    Backend: { Type: backend },
  })
  const nodes: readonly Node[] = Array.from({ length: count }, (_, i) => node(`n${i}`, cidrs(i, dual)))
  const pods: readonly Pod[] = podsOn
    .filter((n) => n < count)
    .map((n, i) => pod(`p${i}`, `n${n}`, withPorts({ containerPort: 80, hostPort: 8000 + i })))
  const uplinks = new Map(
    nodes.map((n, i) => [n.metadata.name, uplink([`192.168.0.${10 + i}/24`, `fd00:192::${i + 1}/64`])]),
  )
  return { conf, nodes, pods, uplinks }
}

function render(c: Cluster): CniResult {
  const { conf, nodes, pods, uplinks } = objectsOf(c)
  return renderFlannel(storeOf(conf, ...nodes, ...pods), settings, uplinks)
}

/** Everything on a node in its native text, line by line. */
function linesOf(result: CniResult, name: string): readonly string[] {
  const network = result.nodes.get(name)
  const { routes = [], neighbours = [], fdb = [], links = [], addresses = [] } = network?.additions ?? {}
  const edits = [...(network?.edits.ipv4 ?? []), ...(network?.edits.ipv6 ?? [])]
  return [
    ...links.map((l) => `${l.name} ${l.mac} ${l.mtu}`),
    ...addresses.map((a) => `${a.ip}/${a.length} ${a.dev}`),
    ...routes.map(formatRoute),
    ...neighbours.map(formatNeighbour),
    ...fdb.map(formatFdb),
    ...edits.map((e) => `${e.op} ${e.table} ${e.chain} ${'rule' in e ? formatRuleSpec(e.rule) : ''}`),
  ]
}

describe('laws of a flannel cluster', () => {
  test('every node has exactly one route to every other podCIDR, and none to its own', () => {
    fc.assert(
      fc.property(cluster, (c) => {
        const result = render(c)
        for (let i = 0; i < c.count; i++) {
          const routes = result.nodes.get(`n${i}`)?.additions.routes ?? []
          const others = Array.from({ length: c.count }, (_, j) => (j === i ? [] : cidrs(j, c.dual))).flat()
          expect(routes.map((r) => formatPrefix(r.dst)).toSorted()).toEqual(others.toSorted())
        }
      }),
      { numRuns: 100 },
    )
  })

  test('no two devices share a MAC', () => {
    fc.assert(
      fc.property(cluster, (c) => {
        const result = render(c)
        const nodes = [...result.nodes.values()].flatMap((n) => n.additions.links ?? [])
        const pods = result.pods.flatMap((p) => p.netns.links)
        const macs = [...nodes, ...pods].map((l) => l.mac).filter((m) => m !== zeroMac)
        expect(new Set(macs).size).toBe(macs.length)
      }),
      { numRuns: 100 },
    )
  })

  test("no two pods share an address, and each lies in its node's podCIDR", () => {
    fc.assert(
      fc.property(cluster, (c) => {
        const { pods } = render(c)
        const addresses = pods.flatMap((p) => p.netns.addresses.filter((a) => a.dev === 'eth0'))
        for (const p of pods) {
          const own = cidrs(Number(p.node.slice(1)), c.dual).map(prefix)
          const eth0 = p.netns.addresses.filter((a) => a.dev === 'eth0')
          expect(eth0.map((a) => own.findIndex((o) => prefixContains(o, a.ip)))).toEqual(own.map((_, i) => i))
        }
        expect(new Set(addresses.map((a) => a.ip)).size).toBe(addresses.length)
      }),
      { numRuns: 100 },
    )
  })

  test('a node more changes, on the others, only lines that name it', () => {
    fc.assert(
      fc.property(cluster, (c) => {
        const [before, after] = [
          render({ ...c, podsOn: c.podsOn.filter((n) => n < c.count) }),
          render({ ...c, podsOn: c.podsOn.filter((n) => n < c.count), count: c.count + 1 }),
        ]
        const own = after.nodes.get(`n${c.count}`)?.additions.links?.map((l) => l.mac) ?? []
        const names = [`10.244.${c.count}.0`, `fd00:10:244:${c.count + 1}::`, ...own]
        for (let i = 0; i < c.count; i++) {
          const old = linesOf(before, `n${i}`)
          const now = linesOf(after, `n${i}`)
          expect(old.filter((line) => !now.includes(line))).toEqual([])
          for (const line of now.filter((l) => !old.includes(l)))
            expect(
              names.some((n) => line.includes(n)),
              line,
            ).toBe(true)
        }
      }),
      { numRuns: 100 },
    )
  })

  test('a node that joins and leaves again leaves nothing behind', () => {
    fc.assert(
      fc.property(cluster, (c) => {
        const { conf, nodes, pods, uplinks } = objectsOf({ ...c, count: c.count + 1 })
        const plan = planFlannel(storeOf(conf, ...nodes, ...pods), settings, uplinks)
        const last = `n${c.count}`
        const [joins, leaves] = [nodeEvent(plan, last, 'joins'), nodeEvent(plan, last, 'leaves')]
        for (const [name, self] of plan.nodes) {
          if (name === last) continue
          const without = peersOf(plan, self).filter((p) => p.node.metadata.name !== last)
          const { tables } = programPeers(self, without)
          const shown = (t: HostTables) => [
            ...t.routes.map(formatRoute),
            ...t.neighbours.map(formatNeighbour),
            ...t.fdb.map(formatFdb),
          ]
          const before = shown(tables)
          tables.apply(joins.get(name) ?? [])
          expect(shown(tables).length).toBeGreaterThan(before.length)
          tables.apply(leaves.get(name) ?? [])
          expect(shown(tables)).toEqual(before)
        }
      }),
      { numRuns: 60 },
    )
  })

  test('the same input gives the same artefacts', () => {
    fc.assert(
      fc.property(cluster, (c) => {
        expect(linesOf(render(c), 'n0')).toEqual(linesOf(render(c), 'n0'))
      }),
      { numRuns: 30 },
    )
  })
})
