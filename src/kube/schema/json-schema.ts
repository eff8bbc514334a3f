/** The part of JSON Schema (draft 7) that the schemas here are written in. */
export interface JsonSchema {
  readonly type?: TypeName | readonly TypeName[]
  readonly enum?: readonly string[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: JsonSchema | false
  readonly items?: JsonSchema
  readonly minimum?: number
  readonly maximum?: number
}

export type TypeName = 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean'

type Properties = Readonly<Record<string, JsonSchema>>

export const text: JsonSchema = { type: 'string' }
export const flag: JsonSchema = { type: 'boolean' }
export const integer: JsonSchema = { type: 'integer' }
export const texts: JsonSchema = { type: 'array', items: text }
export const textMap: JsonSchema = { type: 'object', additionalProperties: text }
export const portNumber: JsonSchema = { type: 'integer', minimum: 1, maximum: 65535 }
/** IntOrString: a number must be a port, a text is a name. */
export const portOrName: JsonSchema = { type: ['integer', 'string'], minimum: 1, maximum: 65535 }
export const count: JsonSchema = { type: 'integer', minimum: 0 }
/** Kubernetes supports 150,000 pods in a cluster; a number far beyond is a slip, and would only take memory. */
export const podCount: JsonSchema = { type: 'integer', minimum: 0, maximum: 150_000 }

export const oneOf = (...values: string[]): JsonSchema => ({ type: 'string', enum: values })
export const listOf = (items: JsonSchema): JsonSchema => ({ type: 'array', items })

/** An object whose other fields are nobody's business. Names in `required` must be there. */
export const fields = (properties: Properties, ...required: string[]): JsonSchema =>
  required.length === 0 ? { type: 'object', properties } : { type: 'object', properties, required }

/** An object that has no other fields. */
export const exactFields = (properties: Properties, ...required: string[]): JsonSchema => ({
  ...fields(properties, ...required),
  additionalProperties: false,
})
