import type { Origin } from '../artefact/origin.ts'
import type { KubeObject } from '../kube/objects/meta.ts'
import type { ObjectReader } from '../kube/store.ts'

/** What an agent made because of one field of one object. */
export function originOf(
  objects: ObjectReader,
  by: string,
  note: string,
  object: KubeObject,
  path: readonly (string | number)[],
): Origin {
  const source = objects.sourceOf(object)
  const { namespace, name } = object.metadata
  return {
    by,
    note,
    object: {
      kind: object.kind,
      ...(namespace === undefined ? {} : { namespace }),
      name,
      ...(path.length === 0 ? {} : { field: formatPath(path) }),
      ...(source === undefined ? {} : { file: source.file, line: source.lineOf(path) }),
    },
  }
}

/** `spec.containers[0].ports[1]`. */
export const formatPath = (path: readonly (string | number)[]): string =>
  path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`
    return text === '' ? step : `${text}.${step}`
  }, '')
