import { nearestName } from './names.ts'
import type { CalicoKind } from './objects/calico.ts'
import type { KnownKind } from './objects/kinds.ts'
import type { ObjectRef } from './objects/meta.ts'
import { type Problem, problem, type Subject } from './problem.ts'
import { calicoFaults, metadataFaults, type SchemaFault, schemaFaults } from './schema/validate.ts'
import type { Source } from './source.ts'

/** What an object's schema has against it; of one whose kind is not read (`''`), its metadata alone. */
export function schemaProblems(
  kind: KnownKind | '',
  object: Readonly<Record<string, unknown>>,
  source: Source,
  ref: ObjectRef | undefined,
): readonly Problem[] {
  return inWords(kind === '' ? metadataFaults(object) : schemaFaults(kind, object), source, ref)
}

/** What the schema of one of Calico's kinds has against an object. */
export const calicoProblems = (
  kind: CalicoKind,
  object: Readonly<Record<string, unknown>>,
  source: Source,
  ref: ObjectRef | undefined,
): readonly Problem[] => inWords(calicoFaults(kind, object), source, ref)

function inWords(faults: readonly SchemaFault[], source: Source, ref: ObjectRef | undefined): readonly Problem[] {
  return faults.map((fault) => {
    // A missing field stands nowhere: its parent is shown.
    const at = { file: source.file, line: source.lineOf(placeIn(fault)) }
    return toProblem(fault, { at, object: ref, path: fault.path })
  })
}

const placeIn = (fault: SchemaFault): SchemaFault['path'] =>
  fault.kind === 'unknown' ? [...fault.path, fault.field] : fault.path

function toProblem(fault: SchemaFault, subject: Subject): Problem {
  if ('found' in fault && typeof fault.found === 'string' && /\{\{|\{%/.test(fault.found)) {
    return problem('TEMPLATE', subject, { text: fault.found })
  }
  switch (fault.kind) {
    case 'type':
      return problem('WRONG_TYPE', subject, { expected: typesInWords(fault.types), found: fault.found })
    case 'missing':
      return problem('MISSING_FIELD', subject, {
        field: fault.field,
        nearest: nearestName(fault.field, fault.present),
      })
    case 'unknown':
      return problem('UNKNOWN_FIELD', subject, { field: fault.field, nearest: nearestName(fault.field, fault.known) })
    case 'enum': {
      const nearest = typeof fault.found === 'string' ? nearestName(fault.found, fault.allowed) : undefined
      return problem('NOT_ONE_OF', subject, { allowed: fault.allowed, found: fault.found, nearest })
    }
    case 'range':
      return problem('OUT_OF_RANGE', subject, {
        expected: rangeInWords(fault.minimum, fault.maximum),
        found: fault.found,
      })
  }
}

const typeWords: Readonly<Record<string, string>> = {
  object: 'a map of fields',
  array: 'a list',
  string: 'a string',
  integer: 'an integer',
  number: 'a number',
  boolean: 'true or false',
}

const typesInWords = (types: readonly string[]): string => types.map((t) => typeWords[t] ?? t).join(' or ')

function rangeInWords(minimum: number | undefined, maximum: number | undefined): string {
  if (minimum === undefined) return `at most ${maximum}`
  return maximum === undefined ? `at least ${minimum}` : `${minimum} to ${maximum}`
}
