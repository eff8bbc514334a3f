import type { FieldPath } from '../field-path.ts'
import type { KubeObject, ObjectRef } from '../objects/meta.ts'
import { type Place, type Problem, type ProblemArgs, type ProblemCode, problem } from '../problem.ts'
import type { ClusterSettings, StatedSettings } from '../settings.ts'
import type { ObjectReader } from '../store.ts'

/** What a check works with, and where it puts what it finds. */
export interface Checking {
  readonly objects: ObjectReader
  readonly settings: ClusterSettings
  readonly stated: StatedSettings
  readonly problems: Problem[]
}

/** All that a report needs. */
export interface Reporting {
  readonly objects: Pick<ObjectReader, 'sourceOf'>
  readonly problems: Problem[]
}

export function report<Code extends ProblemCode>(
  checking: Reporting,
  object: KubeObject,
  path: FieldPath,
  code: Code,
  args: ProblemArgs[Code],
): void {
  const at = placeOf(checking.objects, object, path) ?? { file: '(made up)' }
  checking.problems.push(problem(code, { at, object: refTo(object), path }, args))
}

export function refTo({ kind, metadata }: KubeObject): ObjectRef {
  const { name, namespace } = metadata
  return { kind, name, ...(namespace === undefined ? {} : { namespace }) }
}

export function placeOf(
  objects: Pick<ObjectReader, 'sourceOf'>,
  object: KubeObject,
  path: FieldPath,
): Place | undefined {
  const source = objects.sourceOf(object)
  return source && { file: source.file, line: path.length === 0 ? source.line : source.lineOf(path) }
}
