import { describe, expect, test } from 'vitest'
import { explainNoEndpoints } from '../../src/controllers/no-endpoints.ts'
import { noEndpointsSentence } from '../../src/controllers/no-endpoints-sentence.ts'
import type { KubeObject } from '../../src/kube/objects/meta.ts'
import type { EndpointSlice, Service } from '../../src/kube/objects/service.ts'
import { deployment, only, pod, ran, service } from './fixture.ts'

function why(web: Service, ...objects: readonly KubeObject[]): readonly string[] {
  const { store } = ran([...objects, web])
  return explainNoEndpoints(store, only(store, 'Service', 'web')).map(noEndpointsSentence)
}

const slice = (rest: Partial<EndpointSlice>): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: 'web-1', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'web' } },
  addressType: 'IPv4',
  endpoints: [],
  ports: [{ port: 8080 }],
  ...rest,
})

const ready = pod('p', { app: 'web' })
const unready = { ...ready, status: { conditions: [{ type: 'Ready', status: 'False' }] } }
const inOther = { ...ready, metadata: { ...ready.metadata, namespace: 'other' } }

describe('a Service without endpoints is explained', () => {
  test.each([
    { name: 'has some', web: service('web'), objects: [ready], says: [] },
    { name: 'selects nothing', web: service('web'), objects: [], says: ['the selector app=web matches no pod'] },
    {
      name: 'selects by a wrong value',
      web: service('web', { selector: { app: 'web', tier: 'front' } }),
      objects: [pod('a', { app: 'web', tier: 'back' }), pod('b', { app: 'x', tier: 'y' })],
      says: ['the selector app=web,tier=front matches no pod; nearest is a: tier=front is wanted and it has tier=back'],
    },
    {
      name: 'selects by a key that the pods lack',
      web: service('web', { selector: { name: 'web' } }),
      objects: [ready],
      says: [
        'the selector name=web matches no pod; nearest is p: name=web is wanted and it has no such label, but one named app',
      ],
    },
    {
      name: 'is in another namespace than the pods',
      web: service('web'),
      objects: [inOther],
      says: [
        'the selector app=web matches no pod; pods with these labels are in namespace other, and a Service selects in its own only',
      ],
    },
    {
      name: 'waits for a workload scaled to none',
      web: service('web'),
      objects: [deployment('web', 0)],
      says: ['the selector app=web matches no pod; Deployment web would make such pods, but has none now'],
    },
    {
      name: 'has pods that are not ready',
      web: service('web'),
      objects: [unready],
      says: ['pod p is selected but is not ready'],
    },
    {
      name: 'publishes pods that are not ready',
      web: service('web', { publishNotReadyAddresses: true }),
      objects: [unready],
      says: [],
    },
    {
      name: 'has pods that wait for a node',
      web: service('web'),
      objects: [pod('p', { app: 'web' }, { nodeSelector: { disk: 'ssd' } })],
      says: ['pod p is selected but has no IP address'],
    },
    {
      name: 'has pods that have finished',
      web: service('web'),
      objects: [{ ...ready, status: { phase: 'Succeeded' as const } }],
      says: ['pod p is selected but has finished'],
    },
    {
      name: 'has pods that are going',
      web: service('web'),
      objects: [{ ...ready, metadata: { ...ready.metadata, deletionTimestamp: 'x' } }],
      says: ['pod p is selected but is terminating'],
    },
    {
      name: 'names a port that no container has',
      web: service('web', { ports: [{ port: 80, targetPort: 'https' }] }),
      objects: [ready],
      says: ['ports[0].targetPort "https" (TCP) names no container port of the selected pods; they have http/TCP'],
    },
    {
      name: 'names a port of another protocol',
      web: service('web', { ports: [{ port: 80, targetPort: 'http', protocol: 'UDP' as const }] }),
      objects: [ready],
      says: ['ports[0].targetPort "http" (UDP) names no container port of the selected pods; they have http/TCP'],
    },
    {
      name: 'has neither selector nor slices',
      web: service('web', { selector: {} }),
      objects: [],
      says: ['there is no selector, and no EndpointSlice or Endpoints of its name lists an address'],
    },
    {
      name: 'has a slice that is empty',
      web: service('web'),
      objects: [ready, slice({})],
      says: ['EndpointSlice web-1 in the input lists no endpoint'],
    },
    {
      name: 'has a slice with nothing ready',
      web: service('web'),
      objects: [slice({ endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready: false } }] })],
      says: ['EndpointSlice web-1 in the input lists no ready endpoint'],
    },
    {
      name: 'has a slice that serves',
      web: service('web', { selector: {} }),
      objects: [slice({ endpoints: [{ addresses: ['10.0.0.1'] }] })],
      says: [],
    },
    {
      name: 'is a name for another',
      web: service('web', { type: 'ExternalName', externalName: 'example.org' }),
      objects: [],
      says: ['type ExternalName has no endpoints; DNS answers with example.org'],
    },
  ])('where it $name', ({ web, objects, says }) => {
    expect(why(web, ...objects)).toEqual(says)
  })
})
