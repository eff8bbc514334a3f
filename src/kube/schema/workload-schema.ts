import { fields, flag, integer, type JsonSchema, oneOf, podCount, text, textMap } from './json-schema.ts'
import { labelSelector, metadata, objectWith } from './meta-schema.ts'
import { podTemplate } from './pod-schema.ts'

const workload = (properties: Readonly<Record<string, JsonSchema>>, ...required: string[]): JsonSchema =>
  objectWith({ spec: fields(properties, ...required) }, 'spec')

const scaled = { replicas: podCount, selector: labelSelector, template: podTemplate }

export const deployment: JsonSchema = workload(scaled, 'template')
export const replicaSet: JsonSchema = workload(scaled)
export const daemonSet: JsonSchema = workload({ selector: labelSelector, template: podTemplate }, 'template')

export const replicationController: JsonSchema = workload({
  replicas: podCount,
  selector: textMap,
  template: podTemplate,
})

export const statefulSet: JsonSchema = workload(
  { ...scaled, serviceName: text, ordinals: fields({ start: integer }) },
  'template',
)

const jobSpec = fields(
  {
    parallelism: podCount,
    completions: podCount,
    completionMode: oneOf('NonIndexed', 'Indexed'),
    suspend: flag,
    template: podTemplate,
  },
  'template',
)

export const job: JsonSchema = objectWith({ spec: jobSpec }, 'spec')

export const cronJob: JsonSchema = workload(
  { schedule: text, suspend: flag, jobTemplate: fields({ metadata, spec: jobSpec }, 'spec') },
  'jobTemplate',
)
