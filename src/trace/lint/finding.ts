import type { FieldPath } from '../../kube/field-path.ts'
import type { KubeObject, ObjectRef } from '../../kube/objects/meta.ts'
import type { Place } from '../../kube/problem.ts'
import type { ObjectReader } from '../../kube/store.ts'
import { type LintCode, lintCodes } from './codes.ts'

/** Something that is wrong without any packet being sent. */
export interface Finding {
  readonly code: LintCode
  readonly level: 'error' | 'warning'
  readonly object: ObjectRef | undefined
  readonly path: FieldPath
  /** Undefined where no file has it. */
  readonly at: Place | undefined
  readonly message: string
  /** What to change; undefined where the message says it. */
  readonly fix: string | undefined
}

/** Makes findings about one object of the input. */
export function findingAt(
  objects: ObjectReader,
  object: KubeObject | ObjectRef,
  code: LintCode,
  path: FieldPath,
  message: string,
  fix?: string,
): Finding {
  const source = objects.sourceOf(object)
  const at = source && { file: source.file, line: source.lineOf(path) }
  return { code, level: lintCodes[code].level, object: refOf(object), path, at, message, fix }
}

function refOf(object: KubeObject | ObjectRef): ObjectRef {
  const { name, namespace } = 'metadata' in object ? object.metadata : object
  return { kind: object.kind, name, ...(namespace === undefined ? {} : { namespace }) }
}
