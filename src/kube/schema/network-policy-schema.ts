import { fields, integer, type JsonSchema, listOf, text, textMap, texts } from './json-schema.ts'
import { objectWith } from './meta-schema.ts'

/** Types alone: what values are right is said by the checks that follow the API server's own. */
const selector = fields({
  matchLabels: textMap,
  matchExpressions: listOf(fields({ key: text, operator: text, values: texts })),
})

const peers = listOf(
  fields({
    podSelector: selector,
    namespaceSelector: selector,
    ipBlock: fields({ cidr: text, except: texts }),
  }),
)

const ports = listOf(fields({ protocol: text, port: { type: ['integer', 'string'] }, endPort: integer }))

export const networkPolicy: JsonSchema = objectWith({
  spec: fields({
    podSelector: selector,
    policyTypes: texts,
    ingress: listOf(fields({ from: peers, ports })),
    egress: listOf(fields({ to: peers, ports })),
  }),
})
