import type { Namespace } from '../kube/objects/node.ts'
import type { ControllerContext } from './context.ts'

const nameLabel = 'kubernetes.io/metadata.name'

/** Namespaces that objects are in exist, and carry their name as a label, as the API server sees to (NamespaceDefaultLabelName). */
export function runNamespaces({ store }: ControllerContext): void {
  for (const name of usedNamespaces([...store.counts().keys()].flatMap((kind) => store.listAll(kind)))) {
    if (!store.get('Namespace', name)) store.create(namespace(name))
  }
  for (const found of store.list('Namespace')) {
    const labels = { ...found.metadata.labels, [nameLabel]: found.metadata.name }
    store.update({ ...found, metadata: { ...found.metadata, labels } })
  }
}

function usedNamespaces(
  objects: readonly { readonly metadata: { readonly namespace?: string } }[],
): ReadonlySet<string> {
  const names = objects.map((o) => o.metadata.namespace).filter((name) => name !== undefined && name !== '')
  return new Set(['default', 'kube-system', ...names.map((name) => name ?? '')])
}

const namespace = (name: string): Namespace => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
