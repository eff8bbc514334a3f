import type { KubeObject } from '../kube/objects/meta.ts'
import { type Place, type Problem, type ProblemArgs, type ProblemCode, problem } from '../kube/problem.ts'
import type { ObjectStore } from '../kube/store.ts'
import { controllerOf } from './owner.ts'

/** Tells one thing that a controller could not do for an object. */
export type Report = <Code extends ProblemCode>(
  code: Code,
  object: KubeObject,
  path: readonly (string | number)[],
  args: ProblemArgs[Code],
) => void

export function reportTo(problems: Problem[], store: ObjectStore): Report {
  return (code, object, path, args) => {
    const { name, namespace } = object.metadata
    const ref = { kind: object.kind, name, ...(namespace === undefined ? {} : { namespace }) }
    problems.push(problem(code, { at: placeOf(store, object, path), object: ref, path }, args))
  }
}

/** Where the object was read; for one that was made, where the object stands that it was made for. */
function placeOf(store: ObjectStore, object: KubeObject, path: readonly (string | number)[]): Place {
  const source = store.sourceOf(object)
  if (source) return { file: source.file, line: source.lineOf(path) }
  const owner = controllerOf(object)
  const found =
    owner &&
    store
      .listAll(owner.kind)
      .find((o) => o.metadata.name === owner.name && o.metadata.namespace === object.metadata.namespace)
  return found ? placeOf(store, found, []) : { file: '(generated)' }
}
