import { runControllers } from '../../src/controllers/run.ts'
import type { KnownKind, ObjectOf } from '../../src/kube/objects/kinds.ts'
import type { KubeObject } from '../../src/kube/objects/meta.ts'
import type { Node } from '../../src/kube/objects/node.ts'
import type { Container, Pod } from '../../src/kube/objects/pod.ts'
import type { Service } from '../../src/kube/objects/service.ts'
import type { Deployment, PodTemplate } from '../../src/kube/objects/workload.ts'
import type { Problem } from '../../src/kube/problem.ts'
import type { ClusterSettings } from '../../src/kube/settings.ts'
import { ObjectStore } from '../../src/kube/store.ts'
import { prefix } from '../../src/net/prefix.ts'

export const ipv4Settings: ClusterSettings = {
  podNetworks: [prefix('10.244.0.0/16')],
  serviceNetworks: [prefix('10.96.0.0/12')],
  nodeMaskLength: { ipv4: 24, ipv6: 64 },
  clusterDomain: 'cluster.local',
  nodePorts: { from: 30000, to: 32767 },
  kubeVersion: '1.34',
}

export const dualSettings: ClusterSettings = {
  ...ipv4Settings,
  podNetworks: [prefix('10.244.0.0/16'), prefix('fd00:10:244::/48')],
  serviceNetworks: [prefix('10.96.0.0/12'), prefix('fd00:10:96::/112')],
}

/** A store as a load leaves it: every object has a source. */
export function storeOf(...objects: readonly KubeObject[]): ObjectStore {
  const store = new ObjectStore()
  objects.forEach((object, i) => {
    store.create(object, { file: 'test.yaml', line: i + 1, lineOf: () => i + 1 })
  })
  return store
}

export interface Ran {
  readonly store: ObjectStore
  readonly problems: readonly Problem[]
}

export function ran(objects: readonly KubeObject[], settings: ClusterSettings = ipv4Settings): Ran {
  const store = storeOf(...objects)
  return { store, problems: runControllers(store, settings) }
}

/** Every object of the kinds that controllers touch, without its resourceVersion. */
export function snapshot(store: ObjectStore): readonly KubeObject[] {
  return [...store.counts().keys()].sort().flatMap((kind) =>
    store.listAll(kind).map((o) => {
      const { resourceVersion: _, ...metadata } = o.metadata
      return { ...o, metadata }
    }),
  )
}

export function only<K extends KnownKind>(store: ObjectStore, kind: K, name: string, namespace = 'shop'): ObjectOf<K> {
  const found = store.get(kind, name, namespace)
  if (!found) throw new Error(`no ${kind} ${name}: ${store.list(kind).map((o) => o.metadata.name)}`)
  return found
}

export const node = (name: string, rest: Partial<Node> = {}): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, ...(rest.metadata?.labels ? { labels: rest.metadata.labels } : {}) },
  ...(rest.spec ? { spec: rest.spec } : {}),
  ...(rest.status ? { status: rest.status } : {}),
})

export const container = (...ports: NonNullable<Container['ports']>): Container => ({ name: 'app', ports })

export const pod = (name: string, labels: Readonly<Record<string, string>>, rest: Partial<Pod['spec']> = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'shop', labels },
  spec: { containers: [container({ containerPort: 8080, name: 'http' })], ...rest },
})

export const template = (labels: Readonly<Record<string, string>>, spec: Partial<PodTemplate['spec']> = {}) => ({
  metadata: { labels },
  spec: { containers: [container({ containerPort: 8080, name: 'http' })], ...spec },
})

export const deployment = (name: string, replicas: number, spec: Partial<PodTemplate['spec']> = {}): Deployment => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace: 'shop' },
  spec: { replicas, selector: { matchLabels: { app: name } }, template: template({ app: name }, spec) },
})

export const service = (name: string, spec: Partial<Service['spec']> = {}): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'shop' },
  spec: { selector: { app: name }, ports: [{ port: 80, targetPort: 'http' }], ...spec },
})
