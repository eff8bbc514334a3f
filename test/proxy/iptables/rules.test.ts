import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { restoreInput } from '../../../src/proxy/iptables/kube-proxy-iptables.ts'
import { oneOf } from '../../../src/proxy/iptables/probability.ts'
import { syncIptables } from '../../../src/proxy/iptables/sync.ts'
import { planServices } from '../../../src/proxy/plan.ts'
import type { ProxySettings } from '../../../src/proxy/proxy-settings.ts'
import { endpoint, everyKindOfService, service, slice } from '../fixtures.ts'
import { TestObjects } from '../object-reader.ts'
import { testSettings } from '../test-settings.ts'

/** The lines of restore input that belong to services, without hashes: KUBE-SVC-#. */
function listing(objects: TestObjects, given: Partial<ProxySettings> = {}): string[] {
  const settings = testSettings(given)
  return restoreInput(planServices(objects, settings), settings)
    .split('\n')
    .filter((line) => line.startsWith('-A ') && line.includes('ns/'))
    .map((line) => line.replace(/(KUBE-(?:SVC|SVL|EXT|FW|SEP|XLB)-)[A-Z2-7]{16}/g, '$1#'))
}

test('a node without services: the whole restore input', () => {
  expect(restoreInput([], testSettings())).toBe(`*filter
:KUBE-SERVICES - [0:0]
:KUBE-EXTERNAL-SERVICES - [0:0]
:KUBE-FORWARD - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-PROXY-FIREWALL - [0:0]
:KUBE-FIREWALL - [0:0]
-A KUBE-FIREWALL -m comment --comment "block incoming localnet connections" -d 127.0.0.0/8 ! -s 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x00004000/0x00004000 -j ACCEPT
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
*nat
:KUBE-SERVICES - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-MARK-MASQ - [0:0]
-A KUBE-POSTROUTING -m mark ! --mark 0x00004000/0x00004000 -j RETURN
-A KUBE-POSTROUTING -j MARK --xor-mark 0x00004000
-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully
-A KUBE-MARK-MASQ -j MARK --or-mark 0x00004000
-A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
COMMIT
`)
})

test.each([
  { name: 'a liberal conntrack keeps INVALID packets', given: { conntrackTCPBeLiberal: true }, lines: [] },
  {
    name: 'which nobody looked at before 1.29',
    given: { conntrackTCPBeLiberal: true, minor: 28 },
    lines: ['--ctstate INVALID -j DROP'],
  },
  {
    name: 'nfacct counts them',
    given: { nfacct: true },
    lines: ['--ctstate INVALID -m nfacct --nfacct-name ct_state_invalid_dropped_pkts -j DROP'],
  },
  { name: 'but not before 1.31', given: { nfacct: true, minor: 30 }, lines: ['--ctstate INVALID -j DROP'] },
])('INVALID: $name', ({ given, lines }) => {
  const found = restoreInput([], testSettings(given))
    .split('\n')
    .filter((line) => line.includes('INVALID'))
  expect(found.map((line) => line.replace(/.*(?=--ctstate)/, ''))).toEqual(lines)
})

const local = () =>
  new TestObjects([
    service(
      'web',
      {
        type: 'LoadBalancer',
        clusterIP: '10.96.0.1',
        externalTrafficPolicy: 'Local',
        ports: [{ name: 'http', port: 80, nodePort: 30080 }],
        loadBalancerSourceRanges: ['203.0.113.0/24'],
      },
      { status: { loadBalancer: { ingress: [{ ip: '198.51.100.1' }] } } },
    ),
    slice('web', [endpoint('10.1.1.1', 'node-a'), endpoint('10.1.1.2', 'node-b')]),
  ])

describe('a load balancer with policy Local and a source range', () => {
  test('1.25 and newer drop in filter', () => {
    expect(listing(local())).toEqual([
      '-A KUBE-PROXY-FIREWALL -m comment --comment "ns/web:http traffic not accepted by KUBE-FW-#" -m tcp -p tcp -d 198.51.100.1 --dport 80 -j DROP',
      '-A KUBE-SERVICES -m comment --comment "ns/web:http cluster IP" -m tcp -p tcp -d 10.96.0.1 --dport 80 -j KUBE-SVC-#',
      '-A KUBE-SERVICES -m comment --comment "ns/web:http loadbalancer IP" -m tcp -p tcp -d 198.51.100.1 --dport 80 -j KUBE-FW-#',
      '-A KUBE-NODEPORTS -m comment --comment ns/web:http -m tcp -p tcp --dport 30080 -j KUBE-EXT-#',
      '-A KUBE-SVC-# -m comment --comment "ns/web:http cluster IP" -m tcp -p tcp -d 10.96.0.1 --dport 80 ! -s 10.0.0.0/8 -j KUBE-MARK-MASQ',
      '-A KUBE-EXT-# -m comment --comment "pod traffic for ns/web:http external destinations" -s 10.0.0.0/8 -j KUBE-SVC-#',
      '-A KUBE-EXT-# -m comment --comment "masquerade LOCAL traffic for ns/web:http external destinations" -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ',
      '-A KUBE-EXT-# -m comment --comment "route LOCAL traffic for ns/web:http external destinations" -m addrtype --src-type LOCAL -j KUBE-SVC-#',
      '-A KUBE-FW-# -m comment --comment "ns/web:http loadbalancer IP" -s 203.0.113.0/24 -j KUBE-EXT-#',
      '-A KUBE-FW-# -m comment --comment "other traffic to ns/web:http will be dropped by KUBE-PROXY-FIREWALL"',
      '-A KUBE-SVC-# -m comment --comment "ns/web:http -> 10.1.1.1:8080" -m statistic --mode random --probability 0.5000000000 -j KUBE-SEP-#',
      '-A KUBE-SVC-# -m comment --comment "ns/web:http -> 10.1.1.2:8080" -j KUBE-SEP-#',
      '-A KUBE-SVL-# -m comment --comment "ns/web:http -> 10.1.1.1:8080" -j KUBE-SEP-#',
      '-A KUBE-SEP-# -m comment --comment ns/web:http -s 10.1.1.1 -j KUBE-MARK-MASQ',
      '-A KUBE-SEP-# -m comment --comment ns/web:http -m tcp -p tcp -j DNAT --to-destination 10.1.1.1:8080',
      '-A KUBE-SEP-# -m comment --comment ns/web:http -s 10.1.1.2 -j KUBE-MARK-MASQ',
      '-A KUBE-SEP-# -m comment --comment ns/web:http -m tcp -p tcp -j DNAT --to-destination 10.1.1.2:8080',
    ])
  })

  test('KUBE-FW says who drops the rest since 1.27', () => {
    const says = (minor: number) => listing(local(), { minor }).some((line) => line.includes('other traffic to'))
    expect([26, 27].map(says)).toEqual([false, true])
  })

  test('1.24 marks for kubelet to drop', () => {
    const lines = listing(local(), { minor: 24 })
    expect(lines.filter((line) => line.startsWith('-A KUBE-FW'))).toEqual([
      '-A KUBE-FW-# -m comment --comment "ns/web:http loadbalancer IP" -s 203.0.113.0/24 -j KUBE-EXT-#',
      '-A KUBE-FW-# -m comment --comment "ns/web:http loadbalancer IP" -j KUBE-MARK-DROP',
    ])
  })

  test('1.23 has KUBE-XLB in place of KUBE-EXT', () => {
    expect(listing(local(), { minor: 23 }).filter((line) => !line.startsWith('-A KUBE-SEP'))).toEqual([
      '-A KUBE-SVC-# -m comment --comment "ns/web:http cluster IP" -m tcp -p tcp -d 10.96.0.1 --dport 80 ! -s 10.0.0.0/8 -j KUBE-MARK-MASQ',
      '-A KUBE-SERVICES -m comment --comment "ns/web:http cluster IP" -m tcp -p tcp -d 10.96.0.1 --dport 80 -j KUBE-SVC-#',
      '-A KUBE-SERVICES -m comment --comment "ns/web:http loadbalancer IP" -m tcp -p tcp -d 198.51.100.1 --dport 80 -j KUBE-FW-#',
      '-A KUBE-FW-# -m comment --comment "ns/web:http loadbalancer IP" -s 203.0.113.0/24 -j KUBE-XLB-#',
      '-A KUBE-FW-# -m comment --comment "ns/web:http loadbalancer IP" -j KUBE-MARK-DROP',
      '-A KUBE-NODEPORTS -m comment --comment ns/web:http -m tcp -p tcp --dport 30080 -s 127.0.0.0/8 -j KUBE-MARK-MASQ',
      '-A KUBE-NODEPORTS -m comment --comment ns/web:http -m tcp -p tcp --dport 30080 -j KUBE-XLB-#',
      '-A KUBE-SVC-# -m comment --comment ns/web:http -m statistic --mode random --probability 0.5000000000 -j KUBE-SEP-#',
      '-A KUBE-SVC-# -m comment --comment ns/web:http -j KUBE-SEP-#',
      '-A KUBE-XLB-# -m comment --comment "masquerade LOCAL traffic for ns/web:http LB IP" -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ',
      '-A KUBE-XLB-# -m comment --comment "route LOCAL traffic for ns/web:http LB IP to service chain" -m addrtype --src-type LOCAL -j KUBE-SVC-#',
      '-A KUBE-XLB-# -m comment --comment ns/web:http -j KUBE-SEP-#',
    ])
  })

  test('1.22 writes lengths of hosts and numbers the rules of KUBE-XLB', () => {
    const lines = listing(local(), { minor: 22 })
    expect(lines).toContain('-A KUBE-XLB-# -m comment --comment "Balancing rule 0 for ns/web:http" -j KUBE-SEP-#')
    expect(lines).toContain('-A KUBE-SEP-# -m comment --comment ns/web:http -s 10.1.1.1/32 -j KUBE-MARK-MASQ')
  })
})

test('affinity comes before chance, with the timeout of the service', () => {
  const objects = new TestObjects([
    service('web', {
      clusterIP: '10.96.0.1',
      sessionAffinity: 'ClientIP',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
    }),
    slice('web', ['10.1.1.1', '10.1.1.2']),
  ])
  const svc = listing(objects).filter((line) => line.startsWith('-A KUBE-SVC-# ') && line.includes('->'))
  expect(svc.map((line) => line.replace(/.*8080" /, ''))).toEqual([
    '-m recent --name KUBE-SEP-# --rcheck --seconds 60 --reap -j KUBE-SEP-#',
    '-m recent --name KUBE-SEP-# --rcheck --seconds 60 --reap -j KUBE-SEP-#',
    '-m statistic --mode random --probability 0.5000000000 -j KUBE-SEP-#',
    '-j KUBE-SEP-#',
  ])
})

test.each([
  {
    name: 'everything is masqueraded with masqueradeAll',
    given: { masqueradeAll: true },
    end: '--dport 80 -j KUBE-MARK-MASQ',
  },
  {
    name: 'a bridge tells pods by interface',
    given: { detectLocal: { by: 'interface', mode: 'BridgeInterface', pattern: 'cni0' } as const },
    end: '--dport 80 ! -i cni0 -j KUBE-MARK-MASQ',
  },
])('$name', ({ given, end }) => {
  const line = listing(local(), given).find((l) => l.startsWith('-A KUBE-SVC') && l.includes('cluster IP'))
  expect(line?.endsWith(end), line).toBe(true)
})

test('without a detector nothing is masqueraded on its way to the cluster IP', () => {
  const lines = listing(local(), { detectLocal: { by: 'none' } })
  expect(lines.filter((l) => l.startsWith('-A KUBE-SVC') && l.includes('cluster IP'))).toEqual([])
  expect(lines.filter((l) => l.includes('pod traffic'))).toEqual([])
})

describe('node ports on addresses of the node', () => {
  const jumps = (given: Partial<ProxySettings>): string[] => {
    const settings = testSettings(given)
    const lines = restoreInput([], settings).split('\n')
    return lines.filter((l) => l.includes('must be the last rule')).map((l) => l.replace(/.*in this chain" /, ''))
  }
  const addresses = (...texts: string[]) => texts.map((text) => ({ address: text as never, length: 32 }))
  test.each([
    { name: 'all of them', given: {}, ends: ['-m addrtype --dst-type LOCAL -j KUBE-NODEPORTS'] },
    {
      name: 'but loopback',
      given: { localhostNodePorts: false },
      ends: ['-m addrtype --dst-type LOCAL ! -d 127.0.0.0/8 -j KUBE-NODEPORTS'],
    },
    {
      name: 'never loopback in IPv6',
      given: { family: 'ipv6' as const },
      ends: ['-m addrtype --dst-type LOCAL ! -d ::1/128 -j KUBE-NODEPORTS'],
    },
    {
      name: 'up to 1.25 loopback is not looked at',
      given: { minor: 25, family: 'ipv6' as const },
      ends: ['-m addrtype --dst-type LOCAL -j KUBE-NODEPORTS'],
    },
    {
      name: 'one',
      given: { nodePortAddresses: addresses('192.168.0.2'), localhostNodePorts: false },
      ends: ['-d 192.168.0.2 -j KUBE-NODEPORTS'],
    },
    { name: 'one that no interface has', given: { nodePortAddresses: addresses('192.168.9.9') }, ends: [] },
  ])('$name', ({ given, ends }) => {
    expect(jumps(given)).toEqual(ends)
  })
})

test('every rule that is about a service says which, and every rule says who made it', () => {
  for (const minor of [22, 24, 36]) {
    const settings = testSettings({ minor })
    const plans = planServices(everyKindOfService(), settings)
    for (const edit of syncIptables(plans, settings).edits) {
      if (!('rule' in edit)) continue
      expect(edit.rule.origin?.by).toBe('kube-proxy')
      const names = edit.rule.matches.some((m) => m.kind === 'comment' && m.text.includes('ns/'))
      if (names) expect(edit.rule.origin?.object).toMatchObject({ kind: 'Service', field: 'ports[0]' })
    }
  }
})

test('the chances of a chain give every endpoint exactly the same share', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 60 }), (count) => {
      const ips = Array.from({ length: count }, (_, i) => `10.1.${i}.1`)
      const objects = new TestObjects([service('web', { clusterIP: '10.96.0.1' }), slice('web', ips)])
      const settings = testSettings()
      const rules = syncIptables(planServices(objects, settings), settings).edits.flatMap((edit) =>
        edit.op === 'append' &&
        edit.chain.startsWith('KUBE-SVC-') &&
        edit.rule.target?.kind === 'jump' &&
        edit.rule.target.chain.startsWith('KUBE-SEP-')
          ? [edit.rule]
          : [],
      )
      // What is left when rule i is reached is (n-i)/n, of which it takes 1/(n-i).
      const takes = rules.map((rule) => rule.matches.find((m) => m.kind === 'statistic'))
      const oneIn = takes.map((m) => (m?.kind === 'statistic' && m.mode === 'random' ? oneOf(m.probability.value) : 1))
      expect(oneIn).toEqual(ips.map((_, i) => count - i))
    }),
    { numRuns: 60 },
  )
})
