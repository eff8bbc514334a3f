import { fields, type JsonSchema, listOf, oneOf, portNumber, text, texts } from './json-schema.ts'
import { labelSelector, objectWith } from './meta-schema.ts'
import { protocol } from './pod-schema.ts'

const pods = fields({ namespaceSelector: labelSelector, podSelector: labelSelector })
const subject = fields({ namespaces: labelSelector, pods })
const ingressPeers = listOf(subject)
const egressPeers = listOf(
  fields({ namespaces: labelSelector, pods, networks: texts, nodes: labelSelector, domainNames: texts }),
)
const priority: JsonSchema = { type: 'integer', minimum: 0, maximum: 1000 }

const ports = listOf(
  fields({
    portNumber: fields({ protocol, port: portNumber }, 'port'),
    portRange: fields({ protocol, start: portNumber, end: portNumber }, 'start', 'end'),
    namedPort: text,
  }),
)

const destination = fields({
  destinationPort: fields({
    number: portNumber,
    range: fields({ start: portNumber, end: portNumber }, 'start', 'end'),
  }),
})
const protocols = listOf(fields({ tcp: destination, udp: destination, sctp: destination, destinationNamedPort: text }))

const rules = (actions: readonly string[], portFields: Readonly<Record<string, JsonSchema>>) => {
  const action = oneOf(...actions)
  return {
    subject,
    ingress: listOf(fields({ name: text, action, from: ingressPeers, ...portFields }, 'action', 'from')),
    egress: listOf(fields({ name: text, action, to: egressPeers, ...portFields }, 'action', 'to')),
  }
}

const withSpec = (properties: Readonly<Record<string, JsonSchema>>, ...required: string[]): JsonSchema =>
  objectWith({ spec: fields(properties, 'subject', ...required) }, 'spec')

export const adminNetworkPolicy: JsonSchema = withSpec(
  { priority, ...rules(['Allow', 'Deny', 'Pass'], { ports }) },
  'priority',
)

export const baselineAdminNetworkPolicy: JsonSchema = withSpec(rules(['Allow', 'Deny'], { ports }))

export const clusterNetworkPolicy: JsonSchema = withSpec(
  { tier: oneOf('Admin', 'Baseline'), priority, ...rules(['Accept', 'Deny', 'Pass'], { protocols }) },
  'tier',
  'priority',
)
