import { describe, expect, test } from 'vitest'
import type { Node } from '../../src/kube/objects/node.ts'
import type { NodeSelectorRequirement, Pod } from '../../src/kube/objects/pod.ts'
import { formatProblem } from '../../src/kube/problem.ts'
import { container, deployment, node, pod, ran } from './fixture.ts'

const labelled = (name: string, labels: Readonly<Record<string, string>>): Node =>
  node(name, { metadata: { name, labels } })

const requiring = (...matchExpressions: readonly NodeSelectorRequirement[]): Partial<Pod['spec']> => ({
  affinity: {
    nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions }] } },
  },
})

const placeOf = (nodes: readonly Node[], spec: Partial<Pod['spec']>): string | undefined =>
  ran([...nodes, pod('p', {}, spec)]).store.list('Pod')[0]?.spec.nodeName

describe('where a pod goes', () => {
  const nodes = [
    labelled('n1', { cores: '4' }),
    labelled('n2', { cores: '16', disk: 'ssd' }),
    labelled('n3', { cores: 'many' }),
  ]
  test.each([
    { name: 'a label it asks for', spec: { nodeSelector: { disk: 'ssd' } }, on: 'n2' },
    { name: 'In', spec: requiring({ key: 'cores', operator: 'In', values: ['16', '17'] }), on: 'n2' },
    { name: 'NotIn', spec: requiring({ key: 'cores', operator: 'NotIn', values: ['4'] }), on: 'n2' },
    { name: 'Exists', spec: requiring({ key: 'disk', operator: 'Exists' }), on: 'n2' },
    { name: 'DoesNotExist', spec: requiring({ key: 'disk', operator: 'DoesNotExist' }), on: 'n1' },
    { name: 'Gt compares numbers', spec: requiring({ key: 'cores', operator: 'Gt', values: ['5'] }), on: 'n2' },
    { name: 'Lt compares numbers', spec: requiring({ key: 'cores', operator: 'Lt', values: ['5'] }), on: 'n1' },
    { name: 'no number is greater', spec: requiring({ key: 'cores', operator: 'Gt', values: ['100'] }), on: undefined },
    { name: 'nodeName as it is', spec: { nodeName: 'n3' }, on: 'n3' },
  ] satisfies readonly { name: string; spec: Partial<Pod['spec']>; on: string | undefined }[])(
    'by $name',
    ({ spec, on }) => {
      expect(placeOf(nodes, spec)).toBe(on)
    },
  )

  test('by the name of the node', () => {
    const matchFields = [{ key: 'metadata.name', operator: 'In' as const, values: ['n3'] }]
    const nodeAffinity = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchFields }] } }
    expect(placeOf(nodes, { affinity: { nodeAffinity } })).toBe('n3')
  })

  test('away from what it should rather avoid', () => {
    const busy = node('n1', { spec: { taints: [{ key: 'busy', effect: 'PreferNoSchedule' }] } })
    expect(placeOf([busy, node('n2')], {})).toBe('n2')
    expect(placeOf([busy], {})).toBe('n1')
  })
})

test('pods of one owner spread first, then all pods', () => {
  const { store } = ran([deployment('web', 2), deployment('cart', 4)])
  const on = (name: string) => store.list('Pod', { labelSelector: `app=${name}` }).map((p) => p.spec.nodeName)
  expect(on('web')).toEqual(['node-a', 'node-b'])
  expect(on('cart')).toEqual(['node-c', 'node-a', 'node-b', 'node-c'])
})

test('a host port is free once per node', () => {
  const spec = { containers: [container({ containerPort: 80, hostPort: 8080 })] }
  const { store, problems } = ran([deployment('web', 4, spec)])
  expect(store.list('Pod').map((p) => p.spec.nodeName)).toEqual(['node-a', 'node-b', 'node-c', undefined])
  expect(problems.map((p) => p.args)).toEqual([
    { message: "0/3 nodes are available: 3 node(s) didn't have free ports for the requested pod ports." },
  ])
})

describe('a pod that fits nowhere', () => {
  const nodes = [
    node('n1', { spec: { taints: [{ key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' }] } }),
    node('n2', { spec: { unschedulable: true } }),
    node('n3'),
  ]
  const { store, problems } = ran([...nodes, pod('p', {}, { nodeSelector: { disk: 'ssd' } })])
  const message =
    "0/3 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 1 node(s) were unschedulable."

  test('is told with the reason of every node', () => {
    expect(problems.map(formatProblem)).toEqual([`test.yaml:4: Pod shop/p: spec: warning: ${message}`])
  })

  test('stays Pending without an address', () => {
    expect(store.list('Pod')[0]?.status).toEqual({
      phase: 'Pending',
      conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }],
    })
  })
})

test('a pod that a cluster left pending stays so', () => {
  const p = pod('p', {})
  const dumped: Pod = { ...p, metadata: { ...p.metadata, uid: 'u' }, status: { phase: 'Pending' } }
  const { store, problems } = ran([dumped])
  expect(store.list('Pod')[0]).toMatchObject({ spec: dumped.spec, status: dumped.status })
  expect(problems).toEqual([])
})
