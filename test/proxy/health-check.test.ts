import { expect, test } from 'vitest'
import { proxySockets, serviceHealth } from '../../src/proxy/health-check.ts'
import { planServices } from '../../src/proxy/plan.ts'
import { endpoint, service, slice } from './fixtures.ts'
import { TestObjects } from './object-reader.ts'
import { testSettings } from './test-settings.ts'

const plans = (node: string, ready = true) => {
  const web = service('web', {
    type: 'LoadBalancer',
    clusterIP: '10.96.0.1',
    externalTrafficPolicy: 'Local',
    healthCheckNodePort: 30099,
  })
  const endpoints = [endpoint('10.1.1.1', node, { conditions: { ready } })]
  return planServices(new TestObjects([web, slice('web', endpoints)]), testSettings())
}

test.each([
  { name: 'a ready endpoint here', node: 'node-a', ready: true, localEndpoints: 1, status: 200 },
  { name: 'one that is not ready', node: 'node-a', ready: false, localEndpoints: 0, status: 503 },
  { name: 'one elsewhere', node: 'node-b', ready: true, localEndpoints: 0, status: 503 },
])('$name: $status', ({ node, ready, localEndpoints, status }) => {
  expect(serviceHealth(plans(node, ready))).toEqual([
    { namespace: 'ns', service: 'web', port: 30099, localEndpoints, status },
  ])
})

test('kube-proxy listens on the health check port of the service', () => {
  expect(proxySockets(plans('node-a')).map(({ port }) => port)).toEqual([10256, 10249, 30099])
})
