import { describe, expect, test } from 'vitest'
import { isLabProblem } from '../../src/lab/session.ts'
import { formatVerified, probesOf, verify } from '../../src/lab/verify.ts'
import { isEndProblem } from '../../src/trace/end.ts'
import { loadText } from '../scenario.ts'
import { labHere } from './lab-here.ts'

const { missing } = await labHere()

/** node-c is behind a router. `web` is open to `client` on its named port; `shut` to nobody; `client` may not go to 203.0.113.0/25. */
const workloads = `
${[
  ['node-a', '192.168.50.11'],
  ['node-b', '192.168.50.12'],
  ['node-c', '192.168.60.13'],
]
  .map(
    ([name, address]) => `apiVersion: v1
kind: Node
metadata: { name: ${name} }
status: { addresses: [{ type: InternalIP, address: ${address} }] }
---`,
  )
  .join('\n')}
${[
  ['client', 'node-a', 'client'],
  ['web-a', 'node-a', 'web'],
  ['web-b', 'node-b', 'web'],
  ['web-c', 'node-c', 'web'],
  ['shut', 'node-b', 'shut'],
]
  .map(
    ([name, node, app]) => `apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: default, labels: { app: ${app} } }
spec:
  nodeName: ${node}
  containers:
    - { name: c, image: example.com/c:1, ports: [{ name: http, containerPort: 8080 }, { name: dns, containerPort: 8053, protocol: UDP }] }
---`,
  )
  .join('\n')}
apiVersion: v1
kind: Service
metadata: { name: web, namespace: default }
spec:
  type: NodePort
  clusterIP: 10.96.0.20
  selector: { app: web }
  ports: [{ port: 80, targetPort: 8080, nodePort: 30080 }]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: web, namespace: default }
spec:
  podSelector: { matchLabels: { app: web } }
  ingress:
    - from: [{ podSelector: { matchExpressions: [{ key: app, operator: In, values: [client] }] } }]
      ports: [{ port: http }, { port: 8053, endPort: 8060, protocol: UDP }]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: shut, namespace: default }
spec: { podSelector: { matchLabels: { app: shut } } }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: client, namespace: default }
spec:
  podSelector: { matchLabels: { app: client } }
  policyTypes: [Egress]
  egress:
    - to: [{ ipBlock: { cidr: 0.0.0.0/0, except: [203.0.113.0/25] } }]
---
`

const pool = (ipipMode: string, vxlanMode: string): string => `
apiVersion: crd.projectcalico.org/v1
kind: IPPool
metadata: { name: default-ipv4-ippool }
spec: { cidr: 10.244.0.0/16, ipipMode: ${ipipMode}, vxlanMode: ${vxlanMode}, natOutgoing: true }
`

const tcp = 'tcp' as const
const udp = 'udp' as const
const icmp = 'icmp' as const
const questions = [
  ['pod/client', 'pod/web-a:8080', tcp],
  ['pod/client', 'pod/web-a:8081', tcp],
  ['pod/client', 'pod/web-b:8080', tcp],
  ['pod/client', 'pod/web-b:8053', udp],
  ['pod/client', 'pod/web-b', icmp],
  ['pod/client', 'pod/web-c:8080', tcp], // the sixth: across the router
  ['pod/client', 'pod/web-c:8061', udp],
  ['pod/client', 'pod/shut:8080', tcp],
  ['pod/web-b', 'pod/client:8080', tcp],
  ['pod/web-b', 'pod/web-a:8080', tcp],
  ['pod/client', 'svc/web:80', tcp],
  ['pod/client', '203.0.113.9:443', tcp],
  ['pod/client', '203.0.113.200:443', tcp],
  ['pod/client', 'node/node-a:22', tcp],
  ['node/node-a', 'pod/web-a:8080', tcp],
  ['node/node-a', 'pod/web-b:8080', tcp],
  ['external', 'node/node-a:30080', tcp],
] as const

const networks = [
  ['no encapsulation', 'Never', 'Never'],
  ['VXLAN Always', 'Never', 'Always'],
  ['VXLAN CrossSubnet', 'Never', 'CrossSubnet'],
] as const

describe.skipIf(missing !== undefined)(
  `Calico against the running kernel${missing === undefined ? '' : ` (${missing})`}`,
  () => {
    test.each(networks)(
      '%s: policies, on one node and across a router',
      { timeout: 240_000 },
      async (_, ipip, vxlan) => {
        const { cluster, problems } = loadText({ path: 'calico.yaml', text: `${workloads}${pool(ipip, vxlan)}` })
        expect(problems).toEqual([])
        const probes = probesOf(
          cluster,
          questions.map(([from, to, protocol]) => ({ from, to, protocol, namespace: 'default', seed: 1 })),
        )
        if (isEndProblem(probes)) throw new Error(probes.problem)
        const results = await verify(cluster, probes, { everyBranch: 0, tell: () => undefined })
        if (isLabProblem(results)) throw new Error(results.problem)
        expect(results.filter((r) => r.outcome.kind !== 'agrees').map(formatVerified)).toEqual([])
        expect(results).toHaveLength(questions.length)
        const across = results[5]?.outcome
        expect(across?.kind === 'agrees' && across.observed.outcome).toBe(vxlan === 'Never' ? 'time-out' : 'connected')
      },
    )
  },
)
