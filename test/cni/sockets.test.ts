import { describe, expect, test } from 'vitest'
import { nodeSockets, podSockets } from '../../src/cni/sockets.ts'
import type { EndpointSlice } from '../../src/kube/objects/service.ts'
import { node, pod, storeOf, withPorts } from './objects.ts'

const slice = (name: string, pods: readonly string[], ports: EndpointSlice['ports']): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: `${name}-x1`, namespace: 'default', labels: { 'kubernetes.io/service-name': name } },
  addressType: 'IPv4',
  endpoints: pods.map((p) => ({
    addresses: ['10.244.0.2'],
    targetRef: { kind: 'Pod', namespace: 'default', name: p },
  })),
  ...(ports ? { ports } : {}),
})

const shown = (sockets: readonly { readonly protocol: string; readonly port: number; readonly owner: string }[]) =>
  sockets.map((s) => `${s.protocol}/${s.port} ${s.owner}`)

describe('who listens in a pod', () => {
  const web = pod('web', 'n', withPorts({ name: 'http', containerPort: 80 }, { containerPort: 53, protocol: 'UDP' }))

  test('what its containers declare', () => {
    expect(shown(podSockets(storeOf(web))(web))).toEqual(['tcp/80 container web, port http', 'udp/53 container web'])
  })

  test('and what a Service sends to it, named as assumed, unless it is declared', () => {
    const objects = storeOf(web, slice('front', ['web', 'bare'], [{ port: 80 }, { port: 9090, protocol: 'TCP' }]))
    expect(shown(podSockets(objects)(web))).toEqual([
      'tcp/80 container web, port http',
      'udp/53 container web',
      'tcp/9090 assumed: target of Service default/front',
    ])
    expect(shown(podSockets(objects)(pod('bare', 'n')))).toEqual([
      'tcp/80 assumed: target of Service default/front',
      'tcp/9090 assumed: target of Service default/front',
    ])
  })

  test('sidecars count, init containers do not', () => {
    const port = (containerPort: number) => ({ ports: [{ containerPort }] })
    const initContainers = [
      { name: 'proxy', restartPolicy: 'Always', ...port(15001) },
      { name: 'setup', ...port(1) },
    ]
    const given = pod('p', 'n', { containers: [{ name: 'app' }], initContainers })
    expect(shown(podSockets(storeOf())(given))).toEqual(['tcp/15001 container proxy'])
  })

  test('a container without ports listens on nothing that the manifest tells', () => {
    expect(podSockets(storeOf())(pod('p', 'n'))).toEqual([])
  })
})

test('a node has kubelet, kube-proxy and its hostNetwork pods', () => {
  const host = pod('speaker', 'n', { hostNetwork: true, ...withPorts({ containerPort: 7472 }) })
  const elsewhere = pod('other', 'm', { hostNetwork: true, ...withPorts({ containerPort: 7473 }) })
  const done = pod('done', 'n', { hostNetwork: true, ...withPorts({ containerPort: 7474 }) }, { phase: 'Failed' })
  const own = pod('own', 'n', withPorts({ containerPort: 7475 }))
  const sockets = shown(nodeSockets(storeOf(node('n', []), host, elsewhere, done, own), 'n'))
  expect(sockets).toEqual([
    'tcp/10250 kubelet',
    'tcp/10248 kubelet healthz',
    'tcp/10256 kube-proxy healthz',
    'tcp/10249 kube-proxy metrics',
    'tcp/7472 pod default/speaker, container web',
  ])
})
