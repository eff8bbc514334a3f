import type { KubeObject, ObjectRef } from '../../src/kube/objects/meta.ts'
import type { ObjectReader } from '../../src/kube/store.ts'

const keyOf = ({ kind, metadata }: KubeObject): string => `${kind}/${metadata.namespace ?? ''}/${metadata.name}`

/** Objects by key, in the order in which they came: all that kube-proxy asks of a store. */
export class TestObjects implements ObjectReader {
  readonly #objects = new Map<string, KubeObject>()

  constructor(objects: readonly KubeObject[] = []) {
    this.apply(objects)
  }

  apply(objects: readonly KubeObject[]): this {
    for (const object of objects) this.#objects.set(keyOf(object), object)
    return this
  }

  remove(objects: readonly KubeObject[]): this {
    for (const object of objects) this.#objects.delete(keyOf(object))
    return this
  }

  get: ObjectReader['get'] = (kind, name, namespace = '') =>
    this.#objects.get(`${kind}/${namespace}/${name}`) as ReturnType<ObjectReader['get']> as never

  list: ObjectReader['list'] = (kind, query) =>
    [...this.#objects.values()].filter(
      (object) =>
        object.kind === kind && (query?.namespace === undefined || object.metadata.namespace === query.namespace),
    ) as never

  listAll: ObjectReader['listAll'] = (kind, query) => this.list(kind as 'Service', query)

  sourceOf = (_: KubeObject | ObjectRef): undefined => undefined
}
