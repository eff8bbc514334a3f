import { describe, expect, test } from 'vitest'
import { isEndProblem } from '../../src/trace/end.ts'
import { trace } from '../../src/trace/run.ts'
import { runWith } from '../cli/memory-io.ts'
import { loadText } from '../scenario.ts'

const node = (name: string, address: string, as: number): string =>
  `{ apiVersion: v1, kind: Node, metadata: { name: ${name}, labels: { rack: '${as}' }, annotations: { projectcalico.org/ASNumber: '${as}' } }, status: { addresses: [{ type: InternalIP, address: ${address} }] } }`

const pod = (name: string, on: string): string =>
  `{ apiVersion: v1, kind: Pod, metadata: { name: ${name}, namespace: default }, spec: { nodeName: ${on}, containers: [{ name: c, image: i, ports: [{ containerPort: 8080 }] }] } }`

const peer = (name: string, rack: number, address: string, as: number): string =>
  `{ apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: { name: ${name} }, spec: { nodeSelector: "rack == '${rack}'", peerIP: ${address}, asNumber: ${as} } }`

/** Two racks, each an AS of its own behind its router; the routers meet on a segment between them. */
const racks = [
  node('node-a', '10.1.0.11', 65101),
  node('node-b', '10.1.0.12', 65101),
  node('node-c', '10.2.0.11', 65102),
  pod('left', 'node-a'),
  pod('beside', 'node-b'),
  pod('right', 'node-c'),
  '{ apiVersion: crd.projectcalico.org/v1, kind: IPPool, metadata: { name: p }, spec: { cidr: 10.244.0.0/16, natOutgoing: true } }',
  '{ apiVersion: projectcalico.org/v3, kind: BGPConfiguration, metadata: { name: default }, spec: { nodeToNodeMeshEnabled: false } }',
  peer('rack1', 65101, '10.1.0.1', 65001),
  peer('rack2', 65102, '10.2.0.1', 65002),
]

const underlay = (tor2: string): string => `
apiVersion: kubehop.dev/v1alpha1
kind: Underlay
metadata: { name: hall }
spec:
  segments:
    - { name: rack1, cidr: 10.1.0.0/24 }
    - { name: rack2, cidr: 10.2.0.0/24 }
    - { name: spine, cidr: 10.0.0.0/24 }
  routers:
    - name: tor1
      addresses: { rack1: 10.1.0.1, spine: 10.0.0.1 }
      bgp: { as: 65001, neighbors: [{ address: 10.1.0.0/24, as: 65101 }, { address: 10.0.0.2, as: 65002 }] }
    - name: tor2
      addresses: { rack2: 10.2.0.1, spine: 10.0.0.2 }
      bgp: ${tor2}
`
const tor2 = '{ as: 65002, neighbors: [{ address: 10.2.0.11, as: 65102 }, { address: 10.0.0.1, as: 65001 }] }'

const text = (bgp = tor2): string => [...racks, underlay(bgp)].join('\n---\n')

function traced(from: string, to: string, bgp?: string) {
  const { cluster, problems } = loadText({ path: 'a.yaml', text: text(bgp) })
  expect(problems).toEqual([])
  const result = trace(cluster, { from, to, namespace: 'default', seed: 1 })
  if (isEndProblem(result)) throw new Error(result.problem)
  return result
}

const kindsOf = (result: ReturnType<typeof traced>): readonly string[] =>
  result.branches.flatMap((b) => b.legs.flatMap((l) => l.hops.flatMap((h) => h.steps.map((s) => s.event.kind))))

describe('top-of-rack routers that speak BGP', () => {
  test('pods of two racks reach each other without encapsulation, through both routers', () => {
    const result = traced('pod/left', 'pod/right:8080')
    expect(result.verdict.result).toBe('delivered')
    expect(kindsOf(result)).not.toContain('encapsulate')
    const passed = result.branches[0]?.legs[0]?.hops.flatMap((h) => (h.place.kind === 'machine' ? [h.place.name] : []))
    expect(passed).toEqual(expect.arrayContaining(['tor1', 'tor2']))
  })

  test('within a rack the router knows the way that nodes of one AS do not take from each other', () => {
    const result = traced('pod/left', 'pod/beside:8080')
    expect(result.verdict.result).toBe('delivered')
  })

  test.each([
    { name: 'no session between the routers', bgp: '{ as: 65002, neighbors: [{ address: 10.2.0.11, as: 65102 }] }' },
    { name: 'a wrong AS number', bgp: tor2.replace('as: 65001', 'as: 65009') },
  ])('$name: pods of two racks do not reach each other', ({ bgp }) => {
    expect(traced('pod/left', 'pod/right:8080', bgp).verdict.result).not.toBe('delivered')
  })

  test('what a router has from BGP is shown like a node', async () => {
    const files = { 'a.yaml': text() }
    const bgp = await runWith(files, ['show', 'bgp', '--netns', 'router tor1', '-f', 'a.yaml'])
    expect(bgp.out).toMatch(/peer_10_1_0_11 +BGP .*Established/)
    expect(bgp.out).toMatch(/peer_10_0_0_2 +BGP .*Established/)
    const routes = await runWith(files, ['show', 'routes', '--netns', 'router tor1', '-f', 'a.yaml'])
    expect(routes.out).toMatch(/10\.244\.\S+\/26 via 10\.0\.0\.2 dev eth1 proto bird/)
    expect(routes.out).toMatch(/10\.244\.\S+\/26 via 10\.1\.0\.11 dev eth0 proto bird/)
  })

  test('a neighbour that is no address is told, with its place', async () => {
    const { err, status } = await runWith({ 'a.yaml': text(tor2.replace('10.2.0.11', 'node-c')) }, [
      'show',
      'bgp',
      '--netns',
      'router tor2',
      '-f',
      'a.yaml',
    ])
    expect(status).toBe(2)
    expect(err).toContain('spec.routers[1].bgp.neighbors[0].address')
  })
})
