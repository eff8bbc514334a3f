import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../src/kube/objects/meta.ts'
import type { Service } from '../../src/kube/objects/service.ts'
import { matchesSelectorMap } from '../../src/kube/selector.ts'
import { ObjectStore } from '../../src/kube/store.ts'
import { familyOf, ip, ipAt, ipToBigInt } from '../../src/net/ip.ts'
import type { Protocol } from '../../src/net/port.ts'
import { type PolicyCluster, policyCluster } from '../../src/policy/cluster.ts'
import type { Connection } from '../../src/policy/connection.ts'
import { type Decision, isAllowed } from '../../src/policy/decision.ts'
import { atFamily, commonFamilies, type End, formatEnd, podEnd } from '../../src/policy/end.ts'
import { evaluate } from '../../src/policy/evaluate.ts'
import { reasonSentence } from '../../src/policy/sentence.ts'
import { endIn, yamlFile } from '../policy/manifest.ts'
import { goldenRoot } from './golden-root.ts'

const root = goldenRoot('network-policy')
const folders = ['k8s-e2e', 'cyclonus', 'netpol-analyzer', 'recipes', 'anp-banp', 'cnp', 'subtle']

interface Case {
  readonly name: string
  readonly include?: readonly string[]
  readonly objects: readonly KubeObject[]
  readonly expect: {
    readonly columns?: readonly string[]
    readonly tables?: readonly { readonly ports: readonly string[]; readonly rows: Readonly<Record<string, string>> }[]
    readonly checks?: readonly Check[]
    readonly connections?: readonly { readonly from: string; readonly to: string; readonly allow: 'all' | string[] }[]
  }
}

interface Check {
  readonly from: string
  readonly to: string
  readonly protocol: string
  readonly port?: number
  readonly family?: 'IPv4' | 'IPv6'
  readonly allowed: boolean | 'undefined'
}

describe.skipIf('missing' in root)(`NetworkPolicy cases${'missing' in root ? ` (${root.missing})` : ''}`, () => {
  if ('missing' in root) return
  describe.each(folders)('%s', (folder) => {
    const files = readdirSync(join(root.path, folder)).filter((file) => file.endsWith('.yaml'))
    test.each(files)('%s', (file) => {
      const found = readOne(join(root.path, folder, file)) as Case
      const store = new ObjectStore()
      for (const object of objectsOf(found, root.path)) store.create(object)
      const cluster = policyCluster(store)
      checkTables(found, cluster)
      for (const check of found.expect.checks ?? []) checkOne(check, cluster, store)
      if (found.expect.connections) checkComplete(found.expect.connections, cluster)
    })
  })
})

const readOne = (path: string): unknown => yamlFile(path)[0]

const keyOf = (o: KubeObject): string => [o.kind, o.metadata.namespace, o.metadata.name].join('/')

function objectsOf(found: Case, path: string): readonly KubeObject[] {
  const included = (found.include ?? []).flatMap((file) => {
    return (readOne(join(path, file)) as { objects: KubeObject[] }).objects
  })
  const own = new Set(found.objects.map(keyOf))
  return [...included.filter((o) => !own.has(keyOf(o))), ...found.objects]
}

function checkTables({ expect: { columns = [], tables = [] } }: Case, cluster: PolicyCluster): void {
  for (const { ports, rows } of tables) {
    for (const [protocol, port] of ports.map((text) => text.split('/'))) {
      for (const [from, row] of Object.entries(rows)) {
        const cells = row.split(' ')
        for (const [i, to] of columns.entries()) {
          const decision = decide(cluster, endIn(cluster, from), endIn(cluster, to), protocol ?? '', Number(port))
          const cell = cells[i]
          if (cell === '?') continue
          expect(isAllowed(decision), `${from} > ${to} ${protocol}/${port}: ${explain(decision)}`).toBe(cell !== 'X')
        }
      }
    }
  }
}

function checkOne(check: Check, cluster: PolicyCluster, store: ObjectStore): void {
  const family = check.family === 'IPv6' ? 'ipv6' : check.family === 'IPv4' ? 'ipv4' : undefined
  const from = endIn(cluster, check.from, family)
  const targets: readonly Target[] = check.to.startsWith('service:')
    ? backends(check, cluster, store)
    : [{ to: endIn(cluster, check.to, family), port: check.port }]
  for (const { to, port, dialled } of targets) {
    const decision = decide(cluster, from, to, check.protocol, port, dialled)
    const what = `${check.from} > ${check.to} (${formatEnd(to)}) ${check.protocol}/${port}: ${explain(decision)}`
    if (check.allowed === 'undefined') {
      const points = [...decision.egress.unsettled, ...decision.ingress.unsettled]
      expect(points.length, `${what}: not told to be open`).toBeGreaterThan(0)
    } else expect(isAllowed(decision), what).toBe(check.allowed)
  }
}

interface Target {
  readonly to: End
  readonly port: number | undefined
  readonly dialled?: Connection['dialled']
}

/** What kube-proxy would choose among: every pod that the selector finds, at its own target port. */
function backends(check: Check, cluster: PolicyCluster, store: ObjectStore): Target[] {
  const [namespace = '', name = ''] = check.to.slice('service:'.length).split('/')
  const service = store.get('Service', name, namespace) as Service
  const port = service.spec.ports?.find((p) => p.port === check.port && (p.protocol ?? 'TCP') === check.protocol)
  const pods = cluster.pods.filter(
    (p) => p.namespace === namespace && service.spec.selector && matchesSelectorMap(service.spec.selector, p.labels),
  )
  expect(pods.length, `${check.to} has backends`).toBeGreaterThan(0)
  return pods.flatMap((pod) => {
    const target = port?.targetPort ?? check.port ?? 0
    const named = typeof target === 'number' ? target : pod.ports.find((p) => p.name === target)?.port
    const dialled = { ip: ip(service.spec.clusterIP ?? ''), port: check.port ?? 0 }
    return named === undefined ? [] : [{ to: podEnd(pod), port: named, dialled }]
  })
}

/** Every pair of pods, and pods with sampled outside addresses, on every port that is named anywhere and some others. */
function checkComplete(listed: NonNullable<Case['expect']['connections']>, cluster: PolicyCluster): void {
  const pods = cluster.pods.map((pod): [string, End] => [`${pod.namespace}/${pod.name}`, podEnd(pod)])
  const outside = [...new Set(listed.flatMap(({ from, to }) => [from, to]))].filter((text) => text.startsWith('ip:'))
  const ranges = outside.flatMap((range) => addressesIn(range, cluster).map((e): [string, End] => [range, e]))
  const pairs = [
    ...pods.flatMap((a) => pods.filter((b) => a !== b).map((b) => [a, b] as const)),
    ...pods.flatMap((a) => ranges.flatMap((r) => [[a, r] as const, [r, a] as const])),
  ]
  for (const [[from, fromEnd], [to, toEnd]] of pairs) {
    const entries = listed.filter((c) => c.from === from && c.to === to)
    // Ranges may overlap those of the other direction's entries: a pair is then said by another range.
    if (entries.length === 0 && (from.startsWith('ip:') || to.startsWith('ip:')) && saidByAnother(listed, from, to))
      continue
    for (const [protocol, port] of probes(entries)) {
      const decision = decide(cluster, fromEnd, toEnd, protocol, port)
      const expected = entries.some(
        ({ allow }) => allow === 'all' || allow.some((text) => covers(text, protocol, port)),
      )
      expect(isAllowed(decision), `${from} > ${to} ${protocol}/${port}: ${explain(decision)}`).toBe(expected)
    }
  }
}

const saidByAnother = (listed: NonNullable<Case['expect']['connections']>, from: string, to: string): boolean => {
  const [outside, pod, side] = from.startsWith('ip:') ? ([from, to, 'from'] as const) : ([to, from, 'to'] as const)
  const [first, last] = boundsOf(outside)
  return listed.some((c) => {
    const [other, otherPod] = side === 'from' ? [c.from, c.to] : [c.to, c.from]
    if (otherPod !== pod || !other.startsWith('ip:')) return false
    const [a, b] = boundsOf(other)
    return a <= last && first <= b && other !== outside
  })
}

function boundsOf(range: string): [bigint, bigint] {
  const [first = '', last = first] = range.slice(3).split('-')
  return [ipToBigInt(ip(first)), ipToBigInt(ip(last))]
}

/** The ends of a range, and its middle, where they are outside the cluster. */
function addressesIn(range: string, cluster: PolicyCluster): End[] {
  const [first, last] = boundsOf(range)
  const family = familyOf(ip(range.slice(3).split('-')[0] ?? ''))
  return [first, (first + last) / 2n, last]
    .map((n) => cluster.endAt(ipAt(n, family)))
    .filter((e) => e.kind === 'address')
}

function probes(entries: readonly { readonly allow: 'all' | string[] }[]): readonly [string, number][] {
  const named = entries.flatMap(({ allow }) =>
    allow === 'all' ? [] : allow.flatMap((text) => text.match(/\d+/g) ?? []),
  )
  const ports = new Set([1, 22, 80, 81, 443, 8080, 53, 9003, 65535, ...named.map(Number)])
  const around = [...ports].flatMap((p) => [p - 1, p, p + 1]).filter((p) => p > 0 && p < 65536)
  return ['TCP', 'UDP', 'SCTP'].flatMap((protocol) => [...new Set(around)].map((p): [string, number] => [protocol, p]))
}

function covers(text: string, protocol: string, port: number): boolean {
  const [named, ranges = ''] = text.split(' ')
  if (named !== protocol) return false
  return ranges.split(',').some((range) => {
    const [from = 0, to = from] = range.split('-').map(Number)
    return port >= from && port <= to
  })
}

function decide(
  cluster: PolicyCluster,
  from: End,
  to: End,
  protocol: string,
  port: number | undefined,
  dialled?: Connection['dialled'],
): Decision {
  const family = commonFamilies(from, to).find((f) => to.ip === undefined || f === familyOf(to.ip))
  const connection: Connection = {
    ...{ from: family ? atFamily(from, family) : from, to, protocol: protocol.toLowerCase() as Protocol },
    ...(port !== undefined && { port }),
    ...(dialled && { dialled }),
  }
  return evaluate(cluster.policies, connection)
}

const explain = (d: Decision): string => `egress ${reasonSentence(d.egress)}; ingress ${reasonSentence(d.ingress)}`
