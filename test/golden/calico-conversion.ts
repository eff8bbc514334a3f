import { expect } from 'vitest'
import { convertNetworkPolicy } from '../../src/cni/calico/model/convert-network-policy.ts'
import { calicoSelector } from '../../src/cni/calico/model/convert-selector.ts'
import { workloadEndpoint } from '../../src/cni/calico/model/endpoint.ts'
import { accountProfile, namespaceProfile } from '../../src/cni/calico/model/profile.ts'
import type { KubeObject, LabelSelector } from '../../src/kube/objects/meta.ts'
import type { NetworkPolicy } from '../../src/kube/objects/network-policy.ts'
import type { Pod } from '../../src/kube/objects/pod.ts'
import type { CalicoGolden } from './calico-rule-kinds.ts'

type Fields = Readonly<Record<string, unknown>>

/** Paths such as `ingress[0].source.selector`; `<path>.length` is a list's length. */
function at(value: unknown, path: string): unknown {
  return path
    .replace(/\[(\d+)\]/g, '.$1')
    .split('.')
    .reduce<unknown>((v, step) => {
      if (v === undefined || v === null) return v
      if (step === 'length' && Array.isArray(v)) return v.length
      return (v as Fields)[step]
    }, value)
}

export function conversion(_golden: CalicoGolden, c: Fields): void {
  if ('selector' in c) {
    const selector = c.selector === null ? undefined : (c.selector as LabelSelector)
    expect(calicoSelector(selector, c.of as 'podSelector')).toBe(c.expected)
    return
  }
  const given = c.given as KubeObject
  const expected = c.expected as Fields
  const found = convert(given)
  for (const [path, value] of Object.entries(expected)) {
    if (path === 'error') expect(found.errors).toEqual([expect.stringMatching(/rule 2: invalid name for named port/)])
    else compare(at(found.value, path), value, path)
  }
}

/** An empty text and a field that is absent are the same; lists of rules and ports are complete, in any order. */
function compare(found: unknown, expected: unknown, path: string): void {
  if (Array.isArray(expected)) {
    const plain = (v: unknown) => JSON.stringify(v)
    expect([...((found ?? []) as unknown[])].map(plain).sort(), path).toEqual(expected.map(plain).sort())
  } else if (expected === '') expect(found ?? '', path).toBe('')
  else expect(found, path).toEqual(expected)
}

function convert(given: KubeObject): { readonly value: unknown; readonly errors: readonly string[] } {
  switch (given.kind) {
    case 'NetworkPolicy': {
      const { policy, errors } = convertNetworkPolicy(given as NetworkPolicy)
      return { value: policy.spec, errors }
    }
    case 'Pod': {
      const { interface: interfaceName, ips, serviceAccount, ...rest } = workloadEndpoint(given as Pod)
      const value = {
        ...rest,
        interfaceName,
        ipNetworks: ips.map((ip) => `${ip}/32`),
        serviceAccountName: serviceAccount,
        endpoint: 'eth0',
        orchestrator: 'k8s',
      }
      return { value, errors: [] }
    }
    case 'Namespace':
      return {
        value: { kind: 'Profile', ...namespaceProfile(given.metadata.name, given.metadata.labels) },
        errors: [],
      }
    default: {
      const { namespace = '', name, labels } = given.metadata
      return { value: { kind: 'Profile', ...accountProfile(namespace, name, labels) }, errors: [] }
    }
  }
}
