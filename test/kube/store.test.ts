import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../src/kube/objects/meta.ts'
import type { Node } from '../../src/kube/objects/node.ts'
import type { Pod } from '../../src/kube/objects/pod.ts'
import {
  AlreadyExistsError,
  ConflictError,
  NotFoundError,
  ObjectStore,
  SelectorSyntaxError,
  type WatchEvent,
} from '../../src/kube/store.ts'

const pod = (name: string, namespace = 'default', labels: Record<string, string> = {}, nodeName = 'node-a'): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace, labels },
  spec: { nodeName, containers: [] },
})
const node = (name: string): Node => ({ apiVersion: 'v1', kind: 'Node', metadata: { name } })
const names = (objects: readonly KubeObject[]): string[] => objects.map((o) => o.metadata.name)

describe('an object store', () => {
  test('numbers changes from 1 and stamps objects with the number', () => {
    const store = new ObjectStore()
    expect(store.create(pod('a')).metadata.resourceVersion).toBe('1')
    expect(store.create(pod('b')).metadata.resourceVersion).toBe('2')
    expect(store.update(pod('a', 'default', { x: 'y' })).metadata.resourceVersion).toBe('3')
    expect(store.resourceVersion).toBe('3')
  })

  test('turns down a second object of the same name', () => {
    const store = new ObjectStore()
    store.create(pod('a', 'shop'))
    expect(() => store.create(pod('a', 'shop'))).toThrow(AlreadyExistsError)
    expect(() => store.create(pod('a', 'shop'))).toThrow('Pod shop/a already exists')
    store.create(pod('a', 'other'))
  })

  test('turns down an update that was made from an old version', () => {
    const store = new ObjectStore()
    const first = store.create(pod('a'))
    store.update({ ...first, spec: { ...first.spec, nodeName: 'node-b' } })
    expect(() => store.update({ ...first, spec: { ...first.spec, nodeName: 'node-c' } })).toThrow(ConflictError)
    expect(store.get('Pod', 'a')?.spec.nodeName).toBe('node-b')
  })

  test('knows no change in an update that changes nothing', () => {
    const store = new ObjectStore()
    const first = store.create(pod('a'))
    expect(store.update({ ...first })).toBe(first)
    expect(store.apply(pod('a'))).toBe(first)
    expect(store.resourceVersion).toBe('1')
  })

  test('says what is not there', () => {
    const store = new ObjectStore()
    expect(() => store.update(node('a'))).toThrow(NotFoundError)
    expect(() => store.delete({ kind: 'Node', name: 'a' })).toThrow('Node a does not exist')
    expect(store.get('Node', 'a')).toBeUndefined()
  })

  test('looks for namespaced kinds in default and for others nowhere', () => {
    const store = new ObjectStore()
    store.create(pod('a'))
    store.create(node('a'))
    expect(store.get('Pod', 'a')).toBeDefined()
    expect(store.get('Pod', 'a', 'shop')).toBeUndefined()
    expect(store.get('Node', 'a', 'shop')?.kind).toBe('Node')
  })

  test('lists in the order of arrival, by namespace, label and field', () => {
    const store = new ObjectStore()
    store.create(pod('z', 'shop', { app: 'web' }))
    store.create(pod('a', 'other', { app: 'web' }, 'node-b'))
    store.create(pod('m', 'shop', { app: 'api' }))
    store.update(pod('z', 'shop', { app: 'web', more: '' }))
    expect(names(store.list('Pod'))).toEqual(['z', 'a', 'm'])
    expect(names(store.list('Pod', { namespace: 'shop' }))).toEqual(['z', 'm'])
    expect(names(store.list('Pod', { labelSelector: 'app=web' }))).toEqual(['z', 'a'])
    expect(names(store.list('Pod', { labelSelector: 'app', fieldSelector: 'spec.nodeName=node-b' }))).toEqual(['a'])
    store.delete(pod('z', 'shop'))
    expect(names(store.list('Pod', { namespace: 'shop' }))).toEqual(['m'])
    expect(() => store.list('Pod', { labelSelector: 'a in b' })).toThrow(SelectorSyntaxError)
  })

  test('keeps kinds of other groups apart from those that are read', () => {
    const store = new ObjectStore()
    const calico = {
      apiVersion: 'crd.projectcalico.org/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'a', namespace: 'x' },
    }
    const pool = { apiVersion: 'crd.projectcalico.org/v1', kind: 'IPPool', metadata: { name: 'pool' } }
    store.create(calico)
    store.create(pool)
    store.create({ ...calico, apiVersion: 'networking.k8s.io/v1' })
    expect(store.list('NetworkPolicy')).toHaveLength(1)
    expect(store.listAll('NetworkPolicy')[0]?.apiVersion).toBe('networking.k8s.io/v1')
    expect(store.listAll('NetworkPolicy.crd.projectcalico.org')).toHaveLength(1)
    expect(names(store.listAll('IPPool'))).toEqual(['pool'])
    expect(store.delete({ kind: 'IPPool', name: 'pool' }).metadata.name).toBe('pool')
    expect([...store.counts()]).toEqual([
      ['NetworkPolicy.crd.projectcalico.org', 1],
      ['NetworkPolicy', 1],
    ])
  })

  test('remembers where an object was read, also after an update', () => {
    const store = new ObjectStore()
    const source = { file: 'a.yaml', line: 3, lineOf: () => 3 }
    store.create(pod('a', 'shop'), source)
    store.update(pod('a', 'shop', { x: 'y' }))
    expect(store.sourceOf({ kind: 'Pod', namespace: 'shop', name: 'a' })).toBe(source)
    expect(store.sourceOf(pod('b', 'shop'))).toBeUndefined()
  })
})

describe('a watch', () => {
  const record = (into: string[]) => (e: WatchEvent) => {
    into.push(`${e.resourceVersion} ${e.type} ${e.object.metadata.name}`)
  }

  test('replays what it missed, then follows, then ends', () => {
    const store = new ObjectStore()
    store.create(pod('a'))
    store.create(pod('b'))
    const [all, since, later]: string[][] = [[], [], []]
    const end = store.watch(record(all ?? []), { since: '0' })
    store.watch(record(since ?? []), { since: '1' })
    store.watch(record(later ?? []))
    store.delete(pod('a'))
    end()
    store.create(pod('c'))
    expect(all).toEqual(['1 ADDED a', '2 ADDED b', '3 DELETED a'])
    expect(since).toEqual(['2 ADDED b', '3 DELETED a', '4 ADDED c'])
    expect(later).toEqual(['3 DELETED a', '4 ADDED c'])
  })

  test('tells a change made by a listener to everyone after the one at hand', () => {
    const store = new ObjectStore()
    const heard: string[] = []
    store.watch((e) => {
      if (e.object.metadata.name === 'a') store.create(pod('b'))
    })
    store.watch(record(heard))
    store.create(pod('a'))
    expect(heard).toEqual(['1 ADDED a', '2 ADDED b'])
  })

  test('that is replayed gives the objects that the store lists', () => {
    const change = fc.tuple(fc.constantFrom('create', 'update', 'delete'), fc.constantFrom('a', 'b', 'c'), fc.nat(3))
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
        const store = new ObjectStore()
        for (const [verb, name, label] of changes) {
          const object = pod(name, label % 2 ? 'x' : 'y', { n: String(label) })
          const exists = store.get('Pod', name, object.metadata.namespace) !== undefined
          if (verb === 'create' && !exists) store.create(object)
          if (verb === 'update' && exists) store.update(object)
          if (verb === 'delete' && exists) store.delete(object)
        }
        const replayed = new Map<string, KubeObject>()
        let last = 0
        store.watch(
          ({ type, object, resourceVersion }) => {
            expect(Number(resourceVersion)).toBe(++last)
            const key = `${object.metadata.namespace}/${object.metadata.name}`
            if (type === 'DELETED') replayed.delete(key)
            else replayed.set(key, object)
          },
          { since: '0' },
        )
        expect([...replayed.values()]).toEqual(store.list('Pod'))
        for (const namespace of ['x', 'y']) {
          const expected = store.list('Pod').filter((p) => p.metadata.namespace === namespace)
          expect(new Set(store.list('Pod', { namespace }))).toEqual(new Set(expected))
        }
      }),
      { numRuns: 150 },
    )
  })
})
