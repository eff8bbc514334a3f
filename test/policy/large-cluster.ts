import type { KubeObject } from '../../src/kube/objects/meta.ts'
import type { NetworkPolicy, PolicyPeer } from '../../src/kube/objects/network-policy.ts'
import type { Pod } from '../../src/kube/objects/pod.ts'
import { ObjectStore } from '../../src/kube/store.ts'
import { policyCluster } from '../../src/policy/cluster.ts'
import { type End, podEnd } from '../../src/policy/end.ts'
import type { Policy } from '../../src/policy/policy.ts'

export interface LargeClusterSize {
  readonly pods: number
  readonly policies: number
  readonly seed: number
}

/** As policies and ends. */
export function largeCluster(size: LargeClusterSize): {
  readonly policies: readonly Policy[]
  readonly ends: readonly End[]
} {
  const store = new ObjectStore()
  for (const object of largeClusterObjects(size)) store.create(object)
  const { policies, pods } = policyCluster(store)
  return { policies, ends: pods.map((p) => podEnd(p)) }
}

/** Twenty namespaces of pods that differ in three labels, and policies over them: selectors, blocks, ports and names. */
export function largeClusterObjects(size: LargeClusterSize): readonly KubeObject[] {
  const next = numbers(size.seed)
  return [
    ...Array.from({ length: 20 }, (_, i) => namespace(i)),
    ...Array.from({ length: size.pods }, (_, i) => pod(i, next)),
    ...Array.from({ length: size.policies }, (_, i) => policy(i, next)),
  ]
}

type Next = (below: number) => number

/** A small generator of our own (xorshift32): the same cluster everywhere. */
function numbers(seed: number): Next {
  let state = seed
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

const namespace = (i: number): KubeObject => ({
  ...{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: `ns${i}`, labels: { team: `t${i % 4}` } } },
})

function pod(i: number, next: Next): Pod {
  const labels = { app: `a${next(100)}`, tier: `t${next(5)}`, env: `e${next(3)}` }
  const podIP = `10.244.${i >>> 7}.${(i & 127) + 1}`
  const ports = [{ name: 'http', containerPort: next(2) === 0 ? 80 : 8080 }]
  return {
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: `p${i}`, namespace: `ns${i % 20}`, labels } },
    spec: { nodeName: `n${i >>> 7}`, containers: [{ name: 'c', ports }] },
    status: { phase: 'Running', podIP },
  }
}

function policy(i: number, next: Next): NetworkPolicy {
  const peers = () => Array.from({ length: 1 + next(3) }, () => peer(next))
  const ports = next(2) === 0 ? [{ port: 80 }] : next(2) === 0 ? [{ port: 'http' }] : []
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: `np${i}`, namespace: `ns${i % 20}` },
    spec: {
      podSelector: { matchLabels: { tier: `t${next(5)}`, env: `e${next(3)}` } },
      policyTypes: next(3) === 0 ? ['Ingress', 'Egress'] : ['Ingress'],
      ingress: [{ from: peers(), ports }],
      egress: [{ to: peers() }],
    },
  }
}

function peer(next: Next): PolicyPeer {
  const podSelector = { matchLabels: { app: `a${next(100)}` } }
  switch (next(5)) {
    case 0:
      return { ipBlock: { cidr: `10.244.${next(32)}.0/24` } }
    case 1:
      return { namespaceSelector: { matchLabels: { team: `t${next(4)}` } }, podSelector }
    case 2:
      return {
        namespaceSelector: {},
        podSelector: { matchExpressions: [{ key: 'tier', operator: 'NotIn', values: ['t0', 't1', 't2'] }] },
      }
    default:
      return { podSelector }
  }
}
