import { describe, expect, test } from 'vitest'
import { ip } from '../../src/net/ip.ts'
import { type PolicyCluster, virtualPod } from '../../src/policy/cluster.ts'
import type { Connection } from '../../src/policy/connection.ts'
import { isAllowed, nearestMisses } from '../../src/policy/decision.ts'
import { podEnd } from '../../src/policy/end.ts'
import { evaluate } from '../../src/policy/evaluate.ts'
import { nearMissSentence, reasonSentence } from '../../src/policy/sentence.ts'
import { clusterIn, connectionIn, objectsIn } from './manifest.ts'

const shop = (rules: string): PolicyCluster => clusterIn(objectsIn(shopWith(rules)))

const shopWith = (rules: string): string => `
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: a}}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {nodeName: n1, containers: [{name: c, ports: [{name: http, containerPort: 8080}]}]}
status: {podIP: 10.244.1.2}
---
apiVersion: v1
kind: Pod
metadata: {name: cart, namespace: shop, labels: {app: cart}}
spec: {nodeName: n2, containers: []}
status: {podIP: 10.244.2.2}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow-web, namespace: shop}
spec: {podSelector: {matchLabels: {app: web}}, ingress: ${rules}}
`

const near = (cluster: PolicyCluster, connection: Connection): readonly string[] => {
  const { ingress } = evaluate(cluster.policies, connection)
  return nearestMisses(ingress).map(({ policy, miss }) => nearMissSentence(policy.object, miss))
}

const policy = 'NetworkPolicy shop/allow-web'

describe('the nearest miss', () => {
  test.each<readonly [name: string, rules: string, connection: string, sentence: string]>([
    [
      'a port',
      '[{ports: [{port: 80}]}]',
      'shop/cart > shop/web tcp 8080',
      `ingress[0] of ${policy}: port 80, but the port is 8080`,
    ],
    [
      'a range',
      '[{ports: [{port: 80, endPort: 90}]}]',
      'shop/cart > shop/web tcp 8080',
      `ingress[0] of ${policy}: port 80-90, but the port is 8080`,
    ],
    [
      'a name for another number',
      '[{ports: [{port: http}]}]',
      'shop/cart > shop/web tcp 80',
      `ingress[0] of ${policy}: port http (8080), but the port is 80`,
    ],
    [
      'a name that is not declared',
      '[{ports: [{port: metrics}]}]',
      'shop/cart > shop/web tcp 80',
      `ingress[0] of ${policy}: a port named metrics, but the pod declares none`,
    ],
    [
      'a protocol',
      '[{ports: [{protocol: UDP, port: 80}]}]',
      'shop/cart > shop/web tcp 80',
      `ingress[0] of ${policy}: protocol UDP, but the connection is TCP`,
    ],
    [
      'a label',
      '[{from: [{podSelector: {matchLabels: {app: front}}}]}]',
      'shop/cart > shop/web tcp 80',
      `ingress[0] of ${policy}: pod label app=front, but the pod has app=cart`,
    ],
    [
      'a label that is missing',
      '[{from: [{podSelector: {matchExpressions: [{key: tier, operator: In, values: [a, b]}]}}]}]',
      'shop/cart > shop/web tcp 80',
      `ingress[0] of ${policy}: pod label tier in (a,b), but the pod has no label tier`,
    ],
    [
      'a namespace label',
      '[{from: [{namespaceSelector: {matchLabels: {team: b}}}]}]',
      'shop/cart > shop/web tcp 80',
      `ingress[0] of ${policy}: namespace label team=b, but the namespace has team=a`,
    ],
    [
      'an address',
      '[{from: [{ipBlock: {cidr: 192.0.2.0/24}}]}]',
      'ip:203.0.113.9 > shop/web tcp 80',
      `ingress[0] of ${policy}: an address in 192.0.2.0/24, but the address is 203.0.113.9`,
    ],
    [
      'an exception',
      '[{from: [{ipBlock: {cidr: 203.0.113.0/24, except: [203.0.113.0/28]}}]}]',
      'ip:203.0.113.9 > shop/web tcp 80',
      `ingress[0] of ${policy}: no address in the exception 203.0.113.0/28, but the address is 203.0.113.9`,
    ],
    [
      'no pod',
      '[{from: [{podSelector: {}}]}]',
      'ip:203.0.113.9 > shop/web tcp 80',
      `ingress[0] of ${policy}: a pod, but the other end is an address`,
    ],
    [
      'the rule that fails on fewest fields',
      '[{from: [{podSelector: {matchLabels: {app: x}}}], ports: [{port: 1}]}, {ports: [{port: 2}]}]',
      'shop/cart > shop/web tcp 80',
      `ingress[1] of ${policy}: port 2, but the port is 80`,
    ],
    [
      'every field of it',
      '[{from: [{podSelector: {matchLabels: {app: x}}}], ports: [{protocol: UDP, port: 1}]}]',
      'shop/cart > shop/web tcp 80',
      `ingress[0] of ${policy}: pod label app=x, but the pod has app=cart; protocol UDP, but the connection is TCP; port 1, but the port is 80`,
    ],
    ['no rule at all', '[]', 'shop/cart > shop/web tcp 80', `${policy} has no rule that could allow it`],
  ])('%s', (_, rules, connection, sentence) => {
    const cluster = shop(rules)
    expect(near(cluster, connectionIn(cluster, connection))).toEqual([sentence])
  })

  test('a Service port in the policy', () => {
    const cluster = shop('[{ports: [{port: 80}]}]')
    const connection = connectionIn(cluster, 'shop/cart > shop/web tcp 8080')
    const dialled = { ip: ip('10.96.0.7'), port: 80 }
    expect(near(cluster, { ...connection, dialled })).toEqual([
      `ingress[0] of ${policy}: port 80, but the pod's port after DNAT is 8080`,
    ])
  })

  test('nothing is missed where a rule allows', () => {
    const cluster = shop('[{}]')
    expect(near(cluster, connectionIn(cluster, 'shop/cart > shop/web tcp 8080'))).toEqual([])
  })
})

test('a denial by an ordered tier tells which earlier rules would have let it through', () => {
  const spec = `{tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [
    {action: Accept, from: [{namespaces: {matchLabels: {team: b}}}]},
    {action: Deny, name: rest, from: [{namespaces: {}}]}]}`
  const manifest = `apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {name: c}\nspec: ${spec}\n`
  const cluster = clusterIn([...objectsIn(shopWith('[{}]')), ...objectsIn(manifest)])
  const connection = connectionIn(cluster, 'shop/cart > shop/web tcp 8080')
  expect(reasonSentence(evaluate(cluster.policies, connection).ingress)).toBe(
    'denied by ingress[1] "rest" of ClusterNetworkPolicy c',
  )
  expect(near(cluster, connection)).toEqual([
    'ingress[0] of ClusterNetworkPolicy c: namespace label team=b, but the namespace has team=a',
  ])
})

describe('virtual pods', () => {
  const cluster = shop(
    '[{from: [{podSelector: {matchLabels: {app: front}}}]}, {from: [{ipBlock: {cidr: 10.244.3.0/24}}]}]',
  )
  const [web] = cluster.pods

  test('are judged by the labels they would have', () => {
    const labels = [{ app: 'front' }, { app: 'back' }]
    const verdicts = labels.map((own) => {
      const from = podEnd(virtualPod(cluster, { namespace: 'shop', labels: own }))
      return web && isAllowed(evaluate(cluster.policies, { from, to: podEnd(web), protocol: 'tcp', port: 80 }))
    })
    expect(verdicts).toEqual([true, false])
  })

  test('without an address leave blocks open to question', () => {
    const from = podEnd(virtualPod(cluster, { namespace: 'shop', labels: { app: 'back' } }))
    const decision = web && evaluate(cluster.policies, { from, to: podEnd(web), protocol: 'tcp', port: 80 })
    expect(decision?.ingress.unsettled).toEqual(['unknown-address'])
  })

  test('are subjects as well, of policies in their namespace', () => {
    const to = podEnd(virtualPod(cluster, { namespace: 'shop', labels: { app: 'web' } }))
    const elsewhere = podEnd(virtualPod(cluster, { namespace: 'dev', labels: { app: 'web' } }))
    const from = cluster.endAt(ip('203.0.113.9'))
    const ask = (end: typeof to) => isAllowed(evaluate(cluster.policies, { from, to: end, protocol: 'tcp', port: 80 }))
    expect([ask(to), ask(elsewhere)]).toEqual([false, true])
  })

  test('two of them are two pods', () => {
    const [a, b] = [1, 2].map(() => podEnd(virtualPod(cluster, { namespace: 'shop', labels: { app: 'web' } })))
    const decision = a && b && evaluate(cluster.policies, { from: a, to: b, protocol: 'tcp', port: 80 })
    expect(decision && isAllowed(decision)).toBe(false)
  })
})

test('reasons name the rule that decided', () => {
  const cluster = shop('[{from: [{ipBlock: {cidr: 192.0.2.0/24}}]}, {from: [{podSelector: {}}]}]')
  const reason = (connection: string): string =>
    reasonSentence(evaluate(cluster.policies, connectionIn(cluster, connection)).ingress)
  expect(reason('shop/cart > shop/web tcp 80')).toBe(`allowed by ingress[1] of ${policy}`)
  expect(reason('ip:203.0.113.9 > shop/web tcp 80')).toBe(`isolated by ${policy}, and no rule allows it`)
  expect(reason('shop/web > shop/cart tcp 80')).toBe('no policy isolates the pod for ingress')
  expect(reason('node:n1 > shop/web tcp 80')).toBe("the source is the pod's own node n1, which is always let in")
  expect(reason('shop/web > ip:203.0.113.9 tcp 80')).toBe('the destination is an address: policy selects pods only')
})
