import { exactFields, fields, flag, type JsonSchema, listOf, oneOf, text, textMap, texts } from './json-schema.ts'

const ownerReference = fields({ apiVersion: text, kind: text, name: text, uid: text, controller: flag }, 'kind', 'name')

export const metadata: JsonSchema = fields({
  name: text,
  namespace: text,
  labels: textMap,
  annotations: textMap,
  uid: text,
  resourceVersion: text,
  generateName: text,
  ownerReferences: listOf(ownerReference),
  deletionTimestamp: text,
})

const named: JsonSchema = { ...metadata, required: ['name'] }

/** `{apiVersion, kind, metadata}` and what a kind adds. */
export const objectWith = (properties: Readonly<Record<string, JsonSchema>>, ...required: string[]): JsonSchema =>
  fields({ apiVersion: text, kind: text, metadata: named, ...properties }, 'metadata', ...required)

/** The same for kinds of kubehop.dev, whose fields are all ours. */
export const exactObjectWith = (properties: Readonly<Record<string, JsonSchema>>, ...required: string[]): JsonSchema =>
  exactFields({ apiVersion: text, kind: text, metadata: named, ...properties }, 'metadata', ...required)

export const labelSelector: JsonSchema = fields({
  matchLabels: textMap,
  matchExpressions: listOf(
    fields({ key: text, operator: oneOf('In', 'NotIn', 'Exists', 'DoesNotExist'), values: texts }, 'key', 'operator'),
  ),
})
