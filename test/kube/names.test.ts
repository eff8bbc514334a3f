import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { findResource, resourceKey } from '../../src/kube/kinds.ts'
import { editDistance, nearestName } from '../../src/kube/names.ts'

describe('the nearest name', () => {
  test.each([
    { text: 'segmnets', known: ['segments', 'routers'], nearest: 'segments' },
    { text: 'Nodeport', known: ['ClusterIP', 'NodePort'], nearest: 'NodePort' },
    { text: 'xyz', known: ['segments'], nearest: undefined },
    { text: '', known: ['a'], nearest: 'a' },
    { text: 'prot', known: ['port', 'post'], nearest: 'port' },
  ])('of $text among $known is $nearest', ({ text, known, nearest }) => {
    expect(nearestName(text, known)).toBe(nearest)
  })

  test('is a metric as far as swaps allow: zero for equals, the same both ways', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 6 })
    fc.assert(
      fc.property(word, word, (a, b) => {
        expect(editDistance(a, b)).toBe(editDistance(b, a))
        expect(editDistance(a, b) === 0).toBe(a === b)
        expect(editDistance(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length))
      }),
      { numRuns: 200 },
    )
  })

  test('counts a swap of neighbours once', () => {
    expect(editDistance('port', 'prot')).toBe(1)
  })
})

describe('a resource type by name', () => {
  test.each([
    { text: 'po', kind: 'Pod' },
    { text: 'Services', kind: 'Service' },
    { text: 'deploy', kind: 'Deployment' },
    { text: 'deployments.apps', kind: 'Deployment' },
    { text: 'netpol', kind: 'NetworkPolicy' },
    { text: 'endpointslice.v1.discovery.k8s.io', kind: 'EndpointSlice' },
    { text: 'ep', kind: 'Endpoints' },
    { text: 'cm', kind: 'ConfigMap' },
    { text: 'underlay', kind: 'Underlay' },
    { text: 'widgets', kind: undefined },
    { text: 'pods.apps', kind: undefined },
  ])('$text is $kind', ({ text, kind }) => {
    expect(findResource(text)?.kind).toBe(kind)
  })

  test('of another group is its own', () => {
    expect(findResource('networkpolicies.projectcalico.org')?.group).toBe('projectcalico.org')
    expect(resourceKey({ apiVersion: 'projectcalico.org/v3', kind: 'NetworkPolicy' })).toBe(
      'NetworkPolicy.projectcalico.org',
    )
    expect(resourceKey({ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy' })).toBe('NetworkPolicy')
  })
})
