import { describe, expect, test } from 'vitest'
import { isEndProblem } from '../../src/trace/end.ts'
import { trace } from '../../src/trace/run.ts'
import { formatBrief } from '../../src/view/brief.ts'
import { formatTrace } from '../../src/view/text.ts'
import { loadText } from '../scenario.ts'

const node = (name: string, n: number, ready: string): string => `apiVersion: v1
kind: Node
metadata: { name: ${name} }
spec: { podCIDR: 10.244.${n}.0/24 }
status: { addresses: [{ type: InternalIP, address: 192.168.1.1${n} }], conditions: [{ type: Ready, status: "${ready}" }] }
`
const pod = (name: string, on: string): string => `apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: shop, labels: { app: web } }
spec: { nodeName: ${on}, containers: [{ name: c, ports: [{ containerPort: 8080 }] }] }
`
const service = (policy: string): string => `apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec:
  type: NodePort
  externalTrafficPolicy: ${policy}
  selector: { app: web }
  ports: [{ port: 80, targetPort: 8080, nodePort: 30080 }]
`

function asked(...documents: readonly string[]) {
  const { cluster } = loadText({ path: 'a.yaml', text: documents.join('---\n') })
  const result = trace(cluster, { from: 'external', to: 'svc/web.shop:80', namespace: 'shop', seed: 1 })
  if (isEndProblem(result)) throw new Error(result.problem)
  return result
}

describe('a Service that is reached from outside by its node port', () => {
  test('is tried at a Ready node', () => {
    const { question, verdict } = asked(node('a', 0, 'False'), node('b', 1, 'True'), pod('w', 'b'), service('Local'))
    expect(question.to.address).toBe('192.168.1.11')
    expect(verdict.result).toBe('delivered')
  })

  test('is tried at the first node where none is Ready', () => {
    const { question } = asked(node('a', 0, 'False'), node('b', 1, 'Unknown'), pod('w', 'b'), service('Cluster'))
    expect(question.to.address).toBe('192.168.1.10')
  })

  test('and whose traffic stays on the node: the output names the nodes that would deliver, -q too', () => {
    const nodes = ['a', 'b', 'c'].map((name, n) => node(name, n, 'True'))
    const result = asked(...nodes, pod('v', 'b'), pod('w', 'c'), service('Local'))
    expect(result.verdict.reason).toBe('no-local-endpoints')
    const said = 'Service shop/web has externalTrafficPolicy Local and no endpoint on a; ready endpoints are on b, c'
    expect(formatTrace(result)).toContain(said)
    expect(formatBrief(result)).toContain(said)
  })
})
