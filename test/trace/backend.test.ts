import { describe, expect, test } from 'vitest'
import { isEndProblem } from '../../src/trace/end.ts'
import { trace } from '../../src/trace/run.ts'
import { formatTrace } from '../../src/view/text.ts'
import { loadText } from '../scenario.ts'

const node = (name: string, third: number, address: string): string => `
apiVersion: v1
kind: Node
metadata: { name: ${name} }
spec: { podCIDR: 10.20.${third}.0/24 }
status: { addresses: [{ type: InternalIP, address: ${address} }] }
---`
const pod = (name: string, nodeName: string, hostNetwork = false): string => `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, labels: { app: ${name === 'a' ? 'a' : 'b'} } }
spec:
  nodeName: ${nodeName}
  hostNetwork: ${hostNetwork}
  containers: [{ name: c, image: c, ports: [{ containerPort: 80 }] }]
---`

/** host-gw cannot reach the pods of n3, which is in another subnet; b-host is on its node's network. */
const text = `
apiVersion: v1
kind: ConfigMap
metadata: { name: kube-flannel-cfg, namespace: kube-flannel }
data: { net-conf.json: '{"Network": "10.20.0.0/16", "Backend": {"Type": "host-gw"}}' }
---${node('n1', 1, '10.0.0.1')}${node('n2', 2, '10.0.0.2')}${node('n3', 3, '10.0.7.3')}${pod('a', 'n1')}${pod('b', 'n2')}${pod('b3', 'n3')}${pod('b-host', 'n2', true)}
apiVersion: v1
kind: Service
metadata: { name: b }
spec: { selector: { app: b }, ports: [{ port: 80 }] }
`
const { cluster } = loadText({ path: 'b.yaml', text })
const pinned = (from: string, to: string, backend: string) =>
  trace(cluster, { from, to, namespace: 'default', seed: 1, backend })

describe('--backend', () => {
  test.each([
    { name: 'by the whole name, where another begins so', from: 'pod/a', backend: 'b', to: '10.20.2.2', ok: true },
    { name: 'though the packet does not get there', from: 'pod/a', backend: 'b3', to: '10.20.3.2', ok: false },
    { name: 'with another endpoint alone in reach', from: 'node/n3', backend: 'b', to: '10.20.2.2', ok: false },
    { name: 'by address and port', from: 'pod/a', backend: '10.20.3.2:80', to: '10.20.3.2', ok: false },
    { name: 'by the name of a pod on its host network', from: 'pod/a', backend: 'b-host', to: '10.0.0.2', ok: true },
  ])('pins an endpoint $name', ({ from, backend, to, ok }) => {
    const told = pinned(from, 'svc/b:80', backend)
    if (isEndProblem(told)) throw new Error(told.problem)
    const steps = told.branches[0]?.legs[0]?.hops.flatMap((h) => h.steps.map((s) => s.event)) ?? []
    expect(steps.find((e) => e.kind === 'nat')).toMatchObject({ after: { dst: to } })
    expect(told.verdict.result === 'delivered').toBe(ok)
  })

  test('the headline names the pod behind a Service of the same name', () => {
    const told = pinned('pod/a', 'svc/b:80', 'b')
    if (isEndProblem(told)) throw new Error(told.problem)
    expect(formatTrace(told)).toContain('-> svc default/b:80 -> pod default/b (n2)')
  })

  test('says which endpoints there are, whether reached or not', () => {
    expect(pinned('pod/a', 'svc/b:80', 'zz')).toEqual({
      problem: expect.stringMatching(
        /^no endpoint is called "zz"; the packet can go to (?=.*default\/b\b)(?=.*default\/b3)(?=.*default\/b-host)/,
      ),
    })
  })

  test('says so where the packet goes to no endpoint', () => {
    expect(pinned('node/n1', '127.0.0.1:31999', 'b')).toEqual({
      problem: expect.stringContaining('leave --backend out'),
    })
  })
})
