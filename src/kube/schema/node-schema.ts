import { fields, flag, type JsonSchema, listOf, oneOf, text, textMap, texts } from './json-schema.ts'
import { objectWith } from './meta-schema.ts'
import { conditions } from './pod-schema.ts'

const taint = fields(
  { key: text, value: text, effect: oneOf('NoSchedule', 'PreferNoSchedule', 'NoExecute') },
  'key',
  'effect',
)

const nodeAddress = fields(
  { type: oneOf('InternalIP', 'ExternalIP', 'Hostname', 'InternalDNS', 'ExternalDNS'), address: text },
  'type',
  'address',
)

export const node: JsonSchema = objectWith({
  spec: fields({ podCIDR: text, podCIDRs: texts, providerID: text, taints: listOf(taint), unschedulable: flag }),
  status: fields({
    addresses: listOf(nodeAddress),
    conditions,
    nodeInfo: fields({ kubeletVersion: text, kubeProxyVersion: text }),
  }),
})

export const namespace: JsonSchema = objectWith({})
export const configMap: JsonSchema = objectWith({ data: textMap })
