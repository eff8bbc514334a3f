import { describe, expect, test } from 'vitest'
import { isEndProblem } from '../../src/trace/end.ts'
import { trace } from '../../src/trace/run.ts'
import { loadText } from '../scenario.ts'

const node = (n: number, podCidr?: string): string => `apiVersion: v1
kind: Node
metadata: { name: node${n} }
spec: { ${podCidr === undefined ? '' : `podCIDR: ${podCidr}`} }
status: { addresses: [{ type: InternalIP, address: 192.168.0.1${n} }] }`

const pod = (name: string, on: string): string => `apiVersion: v1
kind: Pod
metadata: { name: ${name} }
spec: { nodeName: ${on}, containers: [{ name: c, image: i, ports: [{ containerPort: 80 }] }] }`

/** flanneld without --kube-subnet-mgr. */
const flannel = (range: string): string => `apiVersion: v1
kind: ConfigMap
metadata: { name: kube-flannel-cfg, namespace: kube-flannel }
data:
  net-conf.json: '{ "Network": "10.5.0.0/16", ${range} "Backend": { "Type": "vxlan" } }'
---
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: kube-flannel-ds, namespace: kube-flannel }
spec:
  selector: { matchLabels: { app: flannel } }
  template:
    metadata: { labels: { app: flannel } }
    spec:
      hostNetwork: true
      containers: [{ name: f, image: 'flannel:v0.25.1', command: [/opt/bin/flanneld], args: [--ip-masq] }]`

const clusterOf = (range: string, nodes: readonly string[]) =>
  loadText({ path: 'a.yaml', text: [flannel(range), ...nodes, pod('a', 'node1'), pod('b', 'node2')].join('\n---\n') })

describe('leases of the etcd manager and the addresses of pods agree', () => {
  test.each([
    { name: 'by default', range: '', nodes: [node(1), node(2)], b: /^10\.5\.1\.\d+$/ },
    {
      name: 'with a longer SubnetLen between SubnetMin and SubnetMax',
      range: '"SubnetLen": 26, "SubnetMin": "10.5.10.0", "SubnetMax": "10.5.10.128",',
      nodes: [node(1), node(2)],
      b: /^10\.5\.10\.(6[5-9]|[7-9]\d|1[01]\d|12[0-7])$/,
    },
    {
      name: 'where the nodes tell their podCIDRs',
      range: '',
      nodes: [node(1, '10.5.7.0/24'), node(2, '10.5.3.0/24')],
      b: /^10\.5\.3\.\d+$/,
    },
  ])('$name', ({ range, nodes, b }) => {
    const { cluster, problems } = clusterOf(range, nodes)
    expect(problems).toEqual([])
    expect(cluster.objects.get('Pod', 'b', 'default')?.status?.podIP).toMatch(b)
    const result = trace(cluster, { from: 'pod/a', to: 'pod/b:80', namespace: 'default', seed: 1 })
    expect(isEndProblem(result) ? result.problem : result.verdict.result).toBe('delivered')
  })

  test('a range with room for one node leaves the second without a podCIDR', () => {
    const { cluster } = clusterOf('"SubnetMin": "10.5.9.0", "SubnetMax": "10.5.9.0",', [node(1), node(2)])
    expect(cluster.objects.list('Node').map((n) => n.spec?.podCIDR)).toEqual(['10.5.9.0/24', undefined])
  })
})
