import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import type { FieldPath } from '../field-path.ts'
import type { CalicoKind } from '../objects/calico.ts'
import type { KnownKind } from '../objects/kinds.ts'
import { calicoSchemas } from './calico-schema.ts'
import { fields, type JsonSchema } from './json-schema.ts'
import { kindSchemas } from './kind-schemas.ts'
import { metadata } from './meta-schema.ts'

/** A field that is not what its schema says. */
export type SchemaFault = {
  readonly path: FieldPath
} & (
  | { readonly kind: 'type'; readonly types: readonly string[]; readonly found: unknown }
  | { readonly kind: 'missing'; readonly field: string; readonly present: readonly string[] }
  | { readonly kind: 'unknown'; readonly field: string; readonly known: readonly string[] }
  | { readonly kind: 'enum'; readonly allowed: readonly string[]; readonly found: unknown }
  | {
      readonly kind: 'range'
      readonly minimum: number | undefined
      readonly maximum: number | undefined
      readonly found: unknown
    }
)

const compiled = new Map<string, ValidateFunction>()
let ajv: Ajv | undefined

/** Every fault of an object, in the order of the schema. Compiles the schema of a kind when it is first met. */
export function schemaFaults(kind: KnownKind, object: unknown): readonly SchemaFault[] {
  return faultsOf(
    validatorOf(kind, () => kindSchemas[kind]),
    object,
  )
}

/** Every fault of one of Calico's objects, whose kinds may share their name with those of Kubernetes. */
export function calicoFaults(kind: CalicoKind, object: unknown): readonly SchemaFault[] {
  return faultsOf(
    validatorOf(`calico ${kind}`, () => calicoSchemas[kind]),
    object,
  )
}

/** Faults in the metadata of an object whose kind is not read. */
export function metadataFaults(object: unknown): readonly SchemaFault[] {
  return faultsOf(
    validatorOf('', () => fields({ metadata })),
    object,
  )
}

function validatorOf(kind: string, schema: () => JsonSchema): ValidateFunction {
  const found = compiled.get(kind)
  if (found) return found
  ajv ??= new Ajv({
    strict: false,
    allErrors: true,
    verbose: true,
    validateSchema: false,
    meta: false,
    addUsedSchema: false,
    // Optimising the generated code costs as much as all the rest, and a schema is used on few objects.
    code: { optimize: false },
  })
  const validate = ajv.compile(schema())
  compiled.set(kind, validate)
  return validate
}

function faultsOf(validate: ValidateFunction, object: unknown): readonly SchemaFault[] {
  return validate(object) ? [] : (validate.errors ?? []).map((e) => toFault(e, object))
}

function toFault(error: ErrorObject, object: unknown): SchemaFault {
  const path = pathOf(error.instancePath, object)
  const schema = error.parentSchema as JsonSchema
  const found = error.data as unknown
  switch (error.keyword) {
    case 'required':
      return { kind: 'missing', path, field: String(error.params.missingProperty), present: keysOf(found) }
    case 'additionalProperties': {
      const field = String(error.params.additionalProperty)
      return { kind: 'unknown', path, field, known: keysOf(schema.properties) }
    }
    case 'enum':
      return { kind: 'enum', path, allowed: schema.enum ?? [], found }
    case 'minimum':
    case 'maximum':
      return { kind: 'range', path, minimum: schema.minimum, maximum: schema.maximum, found }
    case 'type':
      return { kind: 'type', path, types: [schema.type ?? []].flat(), found }
    default:
      throw new Error(`a schema uses the keyword ${error.keyword}, which has no sentence`)
  }
}

const keysOf = (value: unknown): readonly string[] =>
  typeof value === 'object' && value !== null ? Object.keys(value) : []

/** A JSON pointer (RFC 6901) as a path: a step into a list is a number. */
function pathOf(pointer: string, object: unknown): FieldPath {
  let value = object
  return pointer
    .split('/')
    .slice(1)
    .map((raw) => {
      const step = raw.replaceAll('~1', '/').replaceAll('~0', '~')
      const isIndex = Array.isArray(value)
      value = (value as Readonly<Record<string, unknown>>)[step]
      return isIndex ? Number(step) : step
    })
}
