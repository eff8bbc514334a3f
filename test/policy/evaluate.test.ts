import { describe, expect, test } from 'vitest'
import { isAllowed } from '../../src/policy/decision.ts'
import { evaluate } from '../../src/policy/evaluate.ts'
import { reasonSentence } from '../../src/policy/sentence.ts'
import { clusterIn, connectionIn, objectsIn } from './manifest.ts'

/** Namespaces x (team a) and y (team b); x/web and x/cli on node n1, y/cli and the host-network pod x/host on n2. */
const base = `
apiVersion: v1
kind: Node
metadata: {name: n1, labels: {role: worker}}
status: {addresses: [{type: InternalIP, address: 172.18.0.2}, {type: Hostname, address: n1}]}
---
apiVersion: v1
kind: Node
metadata: {name: n2, labels: {role: control-plane}}
status: {addresses: [{type: InternalIP, address: 172.18.0.3}]}
---
apiVersion: v1
kind: Namespace
metadata: {name: x, labels: {team: a, kubernetes.io/metadata.name: forged}}
---
apiVersion: v1
kind: Namespace
metadata: {name: "y", labels: {team: b}}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: x, labels: {app: web}}
spec:
  nodeName: n1
  initContainers:
    - {name: proxy, restartPolicy: Always, ports: [{name: admin, containerPort: 15000}]}
    - {name: setup, ports: [{name: setup, containerPort: 15001}]}
  containers: [{name: c, ports: [{name: http, containerPort: 8080}, {name: dns, containerPort: 53, protocol: UDP}]}]
status: {phase: Running, podIP: 10.244.1.2, podIPs: [{ip: 10.244.1.2}, {ip: "fd00:1::2"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: cli, namespace: x, labels: {app: cli, empty: ""}}
spec: {nodeName: n1, containers: []}
status: {phase: Running, podIP: 10.244.1.3}
---
apiVersion: v1
kind: Pod
metadata: {name: cli, namespace: "y", labels: {app: cli}, deletionTimestamp: "2026-01-01T00:00:00Z"}
spec: {nodeName: n2, containers: []}
status: {phase: Running, podIP: 10.244.2.3}
---
apiVersion: v1
kind: Pod
metadata: {name: host, namespace: x, labels: {app: web}}
spec: {nodeName: n2, hostNetwork: true, containers: []}
status: {phase: Running, podIP: 172.18.0.3}
---
apiVersion: v1
kind: Pod
metadata: {name: job, namespace: x, labels: {app: web}}
spec: {nodeName: n1, containers: []}
status: {phase: Succeeded, podIP: 10.244.2.3}
---
`

const ingress = (rules: string, rest = ''): string => `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: x}
spec: {podSelector: {matchLabels: {app: web}}, ingress: ${rules}${rest}}
---
`
const egress = (rules: string): string => `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: e, namespace: x}
spec: {podSelector: {matchLabels: {app: cli}}, policyTypes: [Egress], egress: ${rules}}
---
`
const cluster = (name: string, spec: string): string => `
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {name: ${name}}
spec: ${spec}
---
`

function check(policies: string, connection: string, allowed: boolean): void {
  const all = clusterIn(objectsIn(base + policies))
  const decision = evaluate(all.policies, connectionIn(all, connection))
  const why = `${reasonSentence(decision.egress)}; ${reasonSentence(decision.ingress)}`
  expect(isAllowed(decision), why).toBe(allowed)
}

type Row = readonly [name: string, policies: string, connection: string, allowed: boolean]
const fromX = 'x/cli > x/web tcp 8080'
const fromY = 'y/cli > x/web tcp 8080'
const outside = 'ip:203.0.113.9 > x/web tcp 8080'

describe('isolation', () => {
  test.each<Row>([
    ['no policy: everything passes', '', fromY, true],
    ['ingress of nothing isolates', ingress('[]'), fromX, false],
    ['null ingress isolates too', ingress('null'), fromX, false],
    ['one empty rule opens all', ingress('[{}]'), outside, true],
    ['null peers and null ports mean any', ingress('[{from: null, ports: null}]'), outside, true],
    ['empty peers and ports mean any', ingress('[{from: [], ports: []}]'), outside, true],
    ['an entry without any field opens nothing', ingress('[{from: [{}]}]'), fromX, false],
    [
      'without policyTypes, egress rules isolate both ways',
      ingress('[]', ', egress: [{ports: [{port: 9}]}]'),
      'x/web > x/cli tcp 1',
      false,
    ],
    ['without policyTypes, empty egress does not isolate', ingress('[]', ', egress: []'), 'x/web > x/cli tcp 1', true],
    ['policyTypes Egress alone leaves ingress open', ingress('[]', ', policyTypes: [Egress]'), fromX, true],
    ['and isolates egress', ingress('[]', ', policyTypes: [Egress]'), 'x/web > x/cli tcp 1', false],
    ['an empty list of policyTypes is none', ingress('[]', ', policyTypes: []'), fromX, false],
    ['both ends must allow', ingress('[{}]') + egress('[]'), fromX, false],
    ['a pod reaches its own address', ingress('[]', ', policyTypes: [Ingress, Egress]'), 'x/web > x/web tcp 1', true],
    ['the own node gets in', ingress('[]'), 'node:n1 > x/web tcp 10000', true],
    ['by its address as well', ingress('[]'), 'ip:172.18.0.2 > x/web tcp 10000', true],
    ['another node does not', ingress('[]'), 'node:n2 > x/web tcp 8080', false],
    ['a host-network pod is no subject', ingress('[]'), 'y/cli > x/host tcp 80', true],
  ])('%s', (_, policies, connection, allowed) => check(policies, connection, allowed))

  test('a policy without a namespace is in default', () => {
    const policy = ingress('[]').replace(', namespace: x', '')
    check(policy, fromX, true)
    expect(clusterIn(objectsIn(policy)).policies[0]?.object.namespace).toBe('default')
  })

  test('a policy without a spec isolates every pod of its namespace', () => {
    check('apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: x}\n', fromX, false)
  })
})

describe('peers', () => {
  test.each<Row>([
    ['a pod selector means the own namespace', ingress('[{from: [{podSelector: {}}]}]'), fromY, false],
    ['and its pods', ingress('[{from: [{podSelector: {}}]}]'), fromX, true],
    ['an empty namespace selector means all pods', ingress('[{from: [{namespaceSelector: {}}]}]'), fromY, true],
    ['but no outside address', ingress('[{from: [{namespaceSelector: {}}]}]'), outside, false],
    ['nor a node', ingress('[{from: [{namespaceSelector: {}}]}]'), 'node:n2 > x/web tcp 1', false],
    ['nor a host-network pod', ingress('[{from: [{podSelector: {}}]}]'), 'x/host > x/web tcp 1', false],
    [
      'two selectors in one entry must both hold',
      ingress('[{from: [{namespaceSelector: {matchLabels: {team: b}}, podSelector: {matchLabels: {app: web}}}]}]'),
      fromY,
      false,
    ],
    [
      'in two entries either will do',
      ingress('[{from: [{namespaceSelector: {matchLabels: {team: b}}}, {podSelector: {matchLabels: {app: web}}}]}]'),
      fromY,
      true,
    ],
    [
      'a null selector beside another is absent',
      ingress('[{from: [{namespaceSelector: {}, podSelector: null}]}]'),
      fromY,
      true,
    ],
    [
      'every namespace has its name for a label, whatever its object says',
      ingress('[{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: x}}}]}]'),
      fromX,
      true,
    ],
    [
      'NotIn holds for an absent key',
      ingress(
        '[{from: [{namespaceSelector: {}, podSelector: {matchExpressions: [{key: no, operator: NotIn, values: [a]}]}}]}]',
      ),
      fromY,
      true,
    ],
    [
      'an empty value needs the key',
      ingress('[{from: [{namespaceSelector: {}, podSelector: {matchLabels: {empty: ""}}}]}]'),
      fromY,
      false,
    ],
    [
      'a terminating pod is still a peer',
      ingress('[{from: [{namespaceSelector: {matchLabels: {team: b}}}]}]'),
      fromY,
      true,
    ],
    [
      'a finished pod lends its labels to nobody',
      ingress('[{from: [{podSelector: {matchLabels: {app: web}}}]}]'),
      'ip:10.244.2.3 > x/web tcp 1',
      false,
    ],
    ['a block holds addresses', ingress('[{from: [{ipBlock: {cidr: 203.0.113.0/24}}]}]'), outside, true],
    ['of pods too', ingress('[{from: [{ipBlock: {cidr: 10.244.2.0/24}}]}]'), fromY, true],
    [
      'except what it excepts',
      ingress('[{from: [{ipBlock: {cidr: 203.0.113.0/24, except: [203.0.113.8/30]}}]}]'),
      outside,
      false,
    ],
    [
      'which takes nothing from another entry',
      ingress('[{from: [{ipBlock: {cidr: 0.0.0.0/0, except: [203.0.113.8/30]}}, {ipBlock: {cidr: 203.0.113.9/32}}]}]'),
      outside,
      true,
    ],
    [
      'IPv4 blocks hold no IPv6',
      ingress('[{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}]'),
      'ip:2001:db8::1 > x/web tcp 1',
      false,
    ],
    [
      'IPv6 blocks are compared as numbers',
      ingress('[{from: [{ipBlock: {cidr: "2001:DB8:0::/32"}}]}]'),
      'ip:2001:db8::1 > x/web tcp 1',
      true,
    ],
    [
      'a block beside a selector is refused, and opens nothing',
      ingress('[{from: [{podSelector: {}, ipBlock: {cidr: 0.0.0.0/0}}]}]'),
      fromX,
      false,
    ],
    ['a block that is none opens nothing', ingress('[{from: [{ipBlock: {cidr: 10.0.0.0/99}}]}]'), fromX, false],
    [
      'nor does one with a bad exception',
      ingress('[{from: [{ipBlock: {cidr: 0.0.0.0/0, except: [010.0.0.0/8]}}]}]'),
      outside,
      false,
    ],
  ])('%s', (_, policies, connection, allowed) => check(policies, connection, allowed))
})

describe('ports', () => {
  test.each<Row>([
    ['a number is TCP', ingress('[{ports: [{port: 8080}]}]'), 'x/cli > x/web udp 8080', false],
    ['an entry without anything is every TCP port', ingress('[{ports: [{}]}]'), 'x/cli > x/web tcp 1', true],
    ['and no UDP port', ingress('[{ports: [{}]}]'), 'x/cli > x/web udp 1', false],
    ['a protocol alone is all its ports', ingress('[{ports: [{protocol: SCTP}]}]'), 'x/cli > x/web sctp 7', true],
    [
      'both ends of a range are in it',
      ingress('[{ports: [{port: 8080, endPort: 8081}]}]'),
      'x/cli > x/web tcp 8081',
      true,
    ],
    ['past it is out', ingress('[{ports: [{port: 8080, endPort: 8081}]}]'), 'x/cli > x/web tcp 8082', false],
    ['a name is the destination pod’s port', ingress('[{ports: [{port: http}]}]'), fromX, true],
    ['with its protocol', ingress('[{ports: [{port: dns}]}]'), 'x/cli > x/web udp 53', false],
    ['which may be UDP', ingress('[{ports: [{port: dns, protocol: UDP}]}]'), 'x/cli > x/web udp 53', true],
    ['a name that the pod lacks is no port', ingress('[{ports: [{port: metrics}]}]'), fromX, false],
    ['sidecars declare names', ingress('[{ports: [{port: admin}]}]'), 'x/cli > x/web tcp 15000', true],
    ['other init containers do not', ingress('[{ports: [{port: setup}]}]'), 'x/cli > x/web tcp 15001', false],
    ['for egress too', egress('[{ports: [{port: http}]}]'), fromX, true],
    ['where an address has no names', egress('[{ports: [{port: http}]}]'), 'x/cli > ip:203.0.113.9 tcp 8080', false],
    [
      'a range of a name is refused, and opens nothing',
      ingress('[{ports: [{port: http, endPort: 9000}]}]'),
      fromX,
      false,
    ],
    ['an end without a start as well', ingress('[{ports: [{endPort: 9000}]}]'), fromX, false],
    ['a protocol that is none as well', ingress('[{ports: [{protocol: tcp, port: 8080}]}]'), fromX, false],
    [
      'peers and ports of different rules never mix',
      ingress(
        '[{from: [{podSelector: {}}], ports: [{port: 1}]}, {from: [{ipBlock: {cidr: 1.2.3.4/32}}], ports: [{port: 8080}]}]',
      ),
      fromX,
      false,
    ],
    ['a rule without ports covers ICMP', ingress('[{}]'), 'x/cli > x/web icmp', true],
    ['a rule with ports does not', ingress('[{ports: [{}]}]'), 'x/cli > x/web icmp', false],
  ])('%s', (_, policies, connection, allowed) => check(policies, connection, allowed))
})

const web = 'subject: {pods: {podSelector: {matchLabels: {app: web}}}}'
const cli = 'subject: {namespaces: {matchLabels: {team: a}}}'
const deny = (from = '{namespaces: {}}'): string => `ingress: [{action: Deny, from: [${from}]}]`

describe('tiers', () => {
  test.each<Row>([
    [
      'admin denies before NetworkPolicy',
      cluster('c', `{tier: Admin, priority: 1, ${web}, ${deny()}}`) + ingress('[{}]'),
      fromX,
      false,
    ],
    [
      'admin accepts before NetworkPolicy',
      cluster('c', `{tier: Admin, priority: 1, ${web}, ingress: [{action: Accept, from: [{namespaces: {}}]}]}`) +
        ingress('[]'),
      fromX,
      true,
    ],
    [
      'the lowest priority number decides',
      cluster('b', `{tier: Admin, priority: 9, ${web}, ${deny()}}`) +
        cluster('c', `{tier: Admin, priority: 1, ${web}, ingress: [{action: Accept, from: [{namespaces: {}}]}]}`),
      fromX,
      true,
    ],
    [
      'the first rule decides',
      cluster(
        'c',
        `{tier: Admin, priority: 1, ${web}, ingress: [{action: Accept, from: [{namespaces: {}}]}, {action: Deny, from: [{namespaces: {}}]}]}`,
      ),
      fromX,
      true,
    ],
    [
      'Pass skips the rest of the tier',
      cluster('b', `{tier: Admin, priority: 9, ${web}, ${deny()}}`) +
        cluster('c', `{tier: Admin, priority: 1, ${web}, ingress: [{action: Pass, from: [{namespaces: {}}]}]}`),
      fromX,
      true,
    ],
    [
      'and then NetworkPolicy decides',
      cluster('c', `{tier: Admin, priority: 1, ${web}, ingress: [{action: Pass, from: [{namespaces: {}}]}]}`) +
        ingress('[]'),
      fromX,
      false,
    ],
    [
      'baseline decides for a pod that is not isolated',
      cluster('c', `{tier: Baseline, priority: 1, ${web}, ${deny()}}`),
      fromX,
      false,
    ],
    [
      'and is not asked for one that is',
      cluster('c', `{tier: Baseline, priority: 1, ${web}, ${deny()}}`) + ingress('[{}]'),
      fromX,
      true,
    ],
    [
      'Pass in the baseline leaves it open',
      cluster('c', `{tier: Baseline, priority: 1, ${web}, ingress: [{action: Pass, from: [{namespaces: {}}]}]}`),
      fromX,
      true,
    ],
    [
      'what no rule names stays open',
      cluster('c', `{tier: Admin, priority: 1, ${web}, ${deny('{namespaces: {matchLabels: {team: b}}}')}}`),
      fromX,
      true,
    ],
    [
      'pods without a namespace selector are those of all namespaces',
      cluster('c', `{tier: Admin, priority: 1, ${web}, ${deny('{pods: {podSelector: {matchLabels: {app: cli}}}}')}}`),
      fromY,
      false,
    ],
    [
      'an ingress rule names no outside address',
      cluster('c', `{tier: Admin, priority: 1, ${web}, ${deny()}}`),
      outside,
      true,
    ],
    [
      'the own node gets in past a rule that fails closed',
      cluster('c', `{tier: Admin, priority: 1, ${web}, ${deny('{sometime: {}}')}}`),
      'node:n1 > x/web tcp 1',
      true,
    ],
    [
      'a denying rule with an entry of the future denies everything',
      cluster('c', `{tier: Admin, priority: 1, ${web}, ${deny('{sometime: {}}')}}`),
      fromX,
      false,
    ],
    [
      'an accepting one accepts what it knows',
      cluster('c', `{tier: Admin, priority: 1, ${web}, ingress: [{action: Accept, from: [{sometime: {}}]}]}`) +
        ingress('[]'),
      fromX,
      false,
    ],
    [
      'networks hold pods too',
      cluster('c', `{tier: Admin, priority: 1, ${cli}, egress: [{action: Deny, to: [{networks: [10.244.0.0/16]}]}]}`),
      fromX,
      false,
    ],
    [
      'nodes are peers by their labels',
      cluster(
        'c',
        `{tier: Admin, priority: 1, ${cli}, egress: [{action: Deny, to: [{nodes: {matchLabels: {role: control-plane}}}]}]}`,
      ),
      'x/cli > x/host tcp 1',
      false,
    ],
    [
      'also the own one',
      cluster('c', `{tier: Admin, priority: 1, ${cli}, egress: [{action: Deny, to: [{nodes: {}}]}]}`),
      'x/cli > node:n1 tcp 1',
      false,
    ],
    [
      'ports of a protocol',
      cluster(
        'c',
        `{tier: Admin, priority: 1, ${web}, ingress: [{action: Deny, from: [{namespaces: {}}], protocols: [{udp: {destinationPort: {range: {start: 50, end: 60}}}}]}]}`,
      ),
      'x/cli > x/web udp 53',
      false,
    ],
    [
      'a named port has the protocol that the pod gives it',
      cluster(
        'c',
        `{tier: Admin, priority: 1, ${web}, ingress: [{action: Deny, from: [{namespaces: {}}], protocols: [{destinationNamedPort: dns}]}]}`,
      ),
      'x/cli > x/web udp 53',
      false,
    ],
    [
      'no protocols means ICMP too',
      cluster('c', `{tier: Admin, priority: 1, ${web}, ${deny()}}`),
      'x/cli > x/web icmp',
      false,
    ],
    [
      'accepting egress does not open ingress',
      cluster('c', `{tier: Admin, priority: 1, ${cli}, egress: [{action: Accept, to: [{namespaces: {}}]}]}`) +
        ingress('[]'),
      fromX,
      false,
    ],
    [
      'a policy without a subject selects nothing',
      cluster('c', `{tier: Admin, priority: 1, subject: {}, ${deny()}}`),
      fromX,
      true,
    ],
  ])('%s', (_, policies, connection, allowed) => check(policies, connection, allowed))

  const v1alpha1 = (kind: string, name: string, spec: string): string => `
apiVersion: policy.networking.k8s.io/v1alpha1
kind: ${kind}
metadata: {name: ${name}}
spec: ${spec}
---
`
  const pods = 'subject: {pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: web}}}}'

  test.each<Row>([
    [
      'AdminNetworkPolicy allows',
      v1alpha1(
        'AdminNetworkPolicy',
        'a',
        `{priority: 1, ${pods}, ingress: [{action: Allow, from: [{namespaces: {}}], ports: [{portNumber: {port: 8080}}]}]}`,
      ) + ingress('[]'),
      fromX,
      true,
    ],
    [
      'on its ports only',
      v1alpha1(
        'AdminNetworkPolicy',
        'a',
        `{priority: 1, ${pods}, ingress: [{action: Allow, from: [{namespaces: {}}], ports: [{portRange: {protocol: TCP, start: 1, end: 80}}]}]}`,
      ) + ingress('[]'),
      fromX,
      false,
    ],
    [
      'by name',
      v1alpha1(
        'AdminNetworkPolicy',
        'a',
        `{priority: 1, ${pods}, ingress: [{action: Deny, from: [{namespaces: {}}], ports: [{namedPort: http}]}]}`,
      ),
      fromX,
      false,
    ],
    [
      'BaselineAdminNetworkPolicy comes last',
      v1alpha1(
        'BaselineAdminNetworkPolicy',
        'default',
        `{${pods}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`,
      ),
      fromX,
      false,
    ],
    [
      'and not for an isolated pod',
      v1alpha1(
        'BaselineAdminNetworkPolicy',
        'default',
        `{${pods}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}`,
      ) + ingress('[{}]'),
      fromX,
      true,
    ],
  ])('%s', (_, policies, connection, allowed) => check(policies, connection, allowed))
})

describe('what is left open is told', () => {
  const domain = `{tier: Admin, priority: 1, ${cli}, egress: [{action: Accept, to: [{domainNames: ['*.example.com']}]}]}`
  test.each<readonly [name: string, policies: string, connection: string, points: readonly string[]]>([
    ['egress to the own node', egress('[]'), 'x/cli > node:n1 tcp 1', ['own-node-egress']],
    ['but not to another', egress('[]'), 'x/cli > node:n2 tcp 1', []],
    ['ICMP under a NetworkPolicy', ingress('[{}]'), 'x/cli > x/web icmp', ['icmp']],
    [
      'two policies of one priority that contradict',
      cluster('b', `{tier: Admin, priority: 1, ${web}, ${deny()}}`) +
        cluster('c', `{tier: Admin, priority: 1, ${web}, ingress: [{action: Accept, from: [{namespaces: {}}]}]}`),
      fromX,
      ['same-priority'],
    ],
    [
      'two of different priorities',
      cluster('b', `{tier: Admin, priority: 1, ${web}, ${deny()}}`) +
        cluster('c', `{tier: Admin, priority: 2, ${web}, ingress: [{action: Accept, from: [{namespaces: {}}]}]}`),
      fromX,
      [],
    ],
    [
      'two that agree',
      cluster('b', `{tier: Admin, priority: 1, ${web}, ${deny()}}`) +
        cluster('c', `{tier: Admin, priority: 1, ${web}, ${deny()}}`),
      fromX,
      [],
    ],
    [
      'baseline for a pod isolated the other way',
      cluster('c', `{tier: Baseline, priority: 1, ${web}, ${deny()}}`) + ingress('[]', ', policyTypes: [Egress]'),
      fromX,
      ['baseline-other-direction'],
    ],
    [
      'a domain that nobody looked up',
      cluster('c', domain) + egress('[]'),
      'x/cli > ip:203.0.113.9 tcp 443',
      ['unknown-domain'],
    ],
    ['a plain verdict', ingress('[]'), fromX, []],
  ])('%s', (_, policies, connection, points) => {
    const all = clusterIn(objectsIn(base + policies))
    const { egress: out, ingress: into } = evaluate(all.policies, connectionIn(all, connection))
    expect([...out.unsettled, ...into.unsettled]).toEqual(points)
  })

  test('a pod that reaches itself through a Service', () => {
    const all = clusterIn(objectsIn(base + ingress('[]')))
    const connection = connectionIn(all, 'x/web > x/web tcp 8080')
    const hairpin = evaluate(all.policies, {
      ...connection,
      dialled: { ip: connection.to.ip ?? ('' as never), port: 80 },
    })
    expect(hairpin.ingress.unsettled).toEqual(['hairpin'])
    expect(isAllowed(hairpin)).toBe(false)
  })

  test.each([
    ['www.example.com', true],
    ['a.b.EXAMPLE.com.', true],
    ['example.com', false],
    ['www.example.org', false],
  ])('the domain %s is in *.example.com: %s', (name, allowed) => {
    const all = clusterIn(objectsIn(base + cluster('c', domain) + egress('[]')))
    const connection = connectionIn(all, 'x/cli > ip:203.0.113.9 tcp 443')
    const to = { ...connection.to, domain: name } as typeof connection.to
    expect(isAllowed(evaluate(all.policies, { ...connection, to }))).toBe(allowed)
  })
})
