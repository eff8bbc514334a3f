import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../src/kube/objects/meta.ts'
import type { Pod } from '../../src/kube/objects/pod.ts'
import type { CronJob, DaemonSet, Job, ReplicaSet, StatefulSet } from '../../src/kube/objects/workload.ts'
import { deployment, node, pod, ran, template } from './fixture.ts'

const podNames = (...objects: readonly KubeObject[]): readonly string[] =>
  ran(objects)
    .store.list('Pod')
    .map((p) => p.metadata.name)

const statefulSet = (spec: Partial<StatefulSet['spec']>): StatefulSet => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'db', namespace: 'shop' },
  spec: { serviceName: 'db', selector: { matchLabels: { app: 'db' } }, template: template({ app: 'db' }), ...spec },
})

const daemonSet = (spec: Partial<Pod['spec']> = {}): DaemonSet => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: 'agent', namespace: 'shop' },
  spec: { selector: { matchLabels: { app: 'agent' } }, template: template({ app: 'agent' }, spec) },
})

const job = (spec: Partial<Job['spec']>, name = 'import'): Job => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name, namespace: 'shop' },
  spec: { template: template({ app: 'import' }), ...spec },
})

const cronJob = (spec: Partial<CronJob['spec']> = {}): CronJob => ({
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  metadata: { name: 'nightly', namespace: 'shop' },
  spec: { schedule: '0 3 * * *', jobTemplate: { spec: job({}).spec }, ...spec },
})

const ownedBy = (p: Pod, kind: string, name: string): Pod => ({
  ...p,
  metadata: { ...p.metadata, uid: 'u', ownerReferences: [{ apiVersion: 'apps/v1', kind, name, controller: true }] },
})

describe('a Deployment', () => {
  test('has one ReplicaSet, whose pods carry the hash, the labels and the spec of the template', () => {
    const { store } = ran([deployment('web', 2, { hostNetwork: true })])
    const [replicaSet] = store.list('ReplicaSet')
    const hash = replicaSet?.metadata.labels?.['pod-template-hash'] ?? ''
    expect(hash).toMatch(/^[456789bcdf]{8,10}$/)
    expect(replicaSet?.metadata).toMatchObject({
      name: `web-${hash}`,
      ownerReferences: [{ kind: 'Deployment', name: 'web' }],
    })
    for (const p of store.list('Pod')) {
      expect(p.metadata.name).toMatch(new RegExp(`^web-${hash}-[bcdfghjklmnpqrstvwxz2456789]{5}$`))
      expect(p.metadata.labels).toEqual({ app: 'web', 'pod-template-hash': hash })
      expect(p.spec).toMatchObject({ hostNetwork: true, containers: [{ ports: [{ containerPort: 8080 }] }] })
    }
    expect(store.list('Pod')).toHaveLength(2)
  })

  test('without replicas runs one pod, with 0 none', () => {
    const { replicas: _, ...spec } = deployment('web', 0).spec
    expect(podNames({ ...deployment('web', 0), spec } as KubeObject)).toHaveLength(1)
    expect(podNames(deployment('web', 0))).toEqual([])
  })

  test('cuts the name of its pods at 58 characters, and leaves room for five', () => {
    const names = podNames(deployment('w'.repeat(60), 3))
    for (const name of names) expect(name).toMatch(/^w{58}[^w]|^w{58}/)
    expect(names.map((n) => n.length)).toEqual([63, 63, 63])
    expect(new Set(names).size).toBe(3)
  })

  test('makes nothing where a dump has its ReplicaSet and pods', () => {
    const replicaSet: ReplicaSet = {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: {
        name: 'web-abc',
        namespace: 'shop',
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', controller: true }],
      },
      spec: { replicas: 3, template: template({ app: 'web' }) },
    }
    expect(
      podNames(deployment('web', 3), replicaSet, ownedBy(pod('web-abc-1', { app: 'web' }), 'ReplicaSet', 'web-abc')),
    ).toEqual(['web-abc-1'])
  })

  test('makes nothing where a dump has pods of it but left the ReplicaSet out', () => {
    const labels = { app: 'web', 'pod-template-hash': 'abc' }
    expect(podNames(deployment('web', 3), ownedBy(pod('web-abc-1', labels), 'ReplicaSet', 'web-abc'))).toEqual([
      'web-abc-1',
    ])
  })

  test('makes nothing where the pods of a dump have lost their references', () => {
    const bare = pod('web-abc-x7f2k', { app: 'web', 'pod-template-hash': 'abc' })
    expect(podNames(deployment('web', 3), bare)).toEqual(['web-abc-x7f2k'])
  })

  test('is not misled by a lone pod with the labels of its own', () => {
    expect(podNames(deployment('web', 2), pod('web', { app: 'web' }))).toHaveLength(3)
  })

  test('is not misled by pods of another Deployment that its selector matches', () => {
    const labels = { app: 'web', 'pod-template-hash': 'abc' }
    expect(
      podNames(deployment('web', 1), ownedBy(pod('web-canary-abc-1', labels), 'ReplicaSet', 'web-canary-abc')),
    ).toHaveLength(2)
  })
})

describe('a ReplicaSet', () => {
  const replicaSet: ReplicaSet = {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { replicas: 3, selector: { matchLabels: { app: 'web' } }, template: template({ app: 'web' }) },
  }
  test('adopts a selected pod that nobody manages, and makes so many less', () => {
    expect(podNames(replicaSet, pod('lone', { app: 'web' }), pod('other', { app: 'x' }))).toHaveLength(4)
  })
  test('of a ReplicationController selects by a plain map', () => {
    const rc = {
      ...replicaSet,
      apiVersion: 'v1',
      kind: 'ReplicationController',
      spec: { replicas: 2, selector: { app: 'web' }, template: template({ app: 'web' }) },
    }
    expect(podNames(rc, pod('lone', { app: 'web' }))).toHaveLength(2)
  })
})

describe('a StatefulSet', () => {
  test('makes nothing where a dump has pods of its names', () => {
    expect(podNames(statefulSet({ replicas: 3 }), pod('db-0', { app: 'db' }))).toEqual(['db-0'])
  })

  test('numbers its pods from ordinals.start and gives them their host names', () => {
    const { store } = ran([statefulSet({ replicas: 2, ordinals: { start: 5 } })])
    expect(store.list('Pod').map((p) => p.metadata.name)).toEqual(['db-5', 'db-6'])
    expect(store.list('Pod')[1]).toMatchObject({
      metadata: { labels: { 'apps.kubernetes.io/pod-index': '6', 'statefulset.kubernetes.io/pod-name': 'db-6' } },
      spec: { hostname: 'db-6', subdomain: 'db' },
    })
  })
})

describe('a DaemonSet', () => {
  const nodes = [
    node('n1'),
    node('n2', { metadata: { name: 'n2', labels: { disk: 'ssd', 'kubernetes.io/arch': 'arm64' } } }),
    node('n3', { spec: { taints: [{ key: 'gpu', value: 'a', effect: 'NoSchedule' }] } }),
    node('n4', {
      spec: { unschedulable: true, taints: [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }] },
    }),
    node('n5', { spec: { taints: [{ key: 'busy', effect: 'PreferNoSchedule' }] } }),
  ]
  const affinity = (matchExpressions: object[]) =>
    ({
      nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions }] } },
    }) as NonNullable<Pod['spec']['affinity']>

  test.each([
    { name: 'runs on cordoned nodes but not on tainted ones', spec: {}, on: ['n1', 'n2', 'n4', 'n5'] },
    {
      name: 'tolerates everything with a bare Exists',
      spec: { tolerations: [{ operator: 'Exists' }] },
      on: ['n1', 'n2', 'n3', 'n4', 'n5'],
    },
    {
      name: 'tolerates one value',
      spec: { tolerations: [{ key: 'gpu', value: 'a' }] },
      on: ['n1', 'n2', 'n3', 'n4', 'n5'],
    },
    {
      name: 'does not tolerate another value',
      spec: { tolerations: [{ key: 'gpu', value: 'b' }] },
      on: ['n1', 'n2', 'n4', 'n5'],
    },
    {
      name: 'does not tolerate another effect',
      spec: { tolerations: [{ key: 'gpu', operator: 'Exists', effect: 'NoExecute' }] },
      on: ['n1', 'n2', 'n4', 'n5'],
    },
    { name: 'follows its nodeSelector', spec: { nodeSelector: { disk: 'ssd' } }, on: ['n2'] },
    {
      name: 'follows the old architecture label',
      spec: { nodeSelector: { 'beta.kubernetes.io/arch': 'arm64' } },
      on: ['n2'],
    },
    {
      name: 'finds amd64 where a node says nothing',
      spec: { nodeSelector: { 'kubernetes.io/arch': 'amd64' } },
      on: ['n1', 'n4', 'n5'],
    },
    {
      name: 'follows NotIn, which an absent label satisfies',
      spec: { affinity: affinity([{ key: 'disk', operator: 'NotIn', values: ['ssd'] }]) },
      on: ['n1', 'n4', 'n5'],
    },
    { name: 'matches nothing by an empty term', spec: { affinity: affinity([]) }, on: [] },
  ] as const)('$name', ({ spec, on }) => {
    const { store, problems } = ran([...nodes, daemonSet(spec as Partial<Pod['spec']>)])
    expect(store.list('Pod').map((p) => p.spec.nodeName)).toEqual(on)
    expect(problems).toEqual([])
  })
})

test('a DaemonSet makes nothing where a dump has pods of it, and is not misled by a lone pod', () => {
  const made = pod('agent-x7f2k', { app: 'agent', 'controller-revision-hash': 'abc' })
  expect(podNames(daemonSet(), made)).toEqual(['agent-x7f2k'])
  expect(podNames(daemonSet(), pod('agent-debug', { app: 'agent' }))).toHaveLength(4)
})

describe('a Job', () => {
  test.each([
    { name: 'runs one pod by default', spec: {}, count: 1 },
    { name: 'runs as many as may run at once', spec: { parallelism: 3, completions: 10 }, count: 3 },
    { name: 'runs no more than are to complete', spec: { parallelism: 5, completions: 2 }, count: 2 },
    { name: 'runs nothing while suspended', spec: { suspend: true }, count: 0 },
    { name: 'runs nothing with a parallelism of 0', spec: { parallelism: 0 }, count: 0 },
  ])('$name', ({ spec, count }) => {
    expect(podNames(job(spec))).toHaveLength(count)
  })

  test('names indexed pods by their index, which a long name does not cost them', () => {
    const pods = ran([job({ completionMode: 'Indexed', completions: 2, parallelism: 2 }, 'j'.repeat(63))]).store.list(
      'Pod',
    )
    expect(pods.map((p) => p.metadata.name)).toEqual([
      expect.stringMatching(/^j{55}-0-.{5}$/),
      expect.stringMatching(/^j{55}-1-.{5}$/),
    ])
    expect(pods[1]).toMatchObject({
      metadata: { labels: { 'batch.kubernetes.io/job-completion-index': '1' } },
      spec: { hostname: `${'j'.repeat(63)}-1` },
    })
  })

  test('that has ended in a dump gets no pods', () => {
    const ended = { ...job({}), status: { conditions: [{ type: 'Complete', status: 'True' }] } }
    expect(podNames(ended)).toEqual([])
  })
})

describe('a CronJob', () => {
  test('shows one Job as it would run, with its pod', () => {
    const { store } = ran([cronJob()])
    expect(store.list('Job').map((j) => j.metadata.name)).toEqual([expect.stringMatching(/^nightly-\d{8}$/)])
    expect(store.list('Pod')[0]?.metadata.name).toMatch(/^nightly-\d{8}-.{5}$/)
  })

  test('shows none while suspended', () => {
    const { store } = ran([cronJob({ suspend: true })])
    expect([store.list('Job'), store.list('Pod')]).toEqual([[], []])
  })
})
