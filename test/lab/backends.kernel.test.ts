import { describe, expect, test } from 'vitest'
import { clusterOf } from '../../src/lab/manifests.ts'
import { isLabProblem } from '../../src/lab/session.ts'
import { formatVerified, probesOf, verify } from '../../src/lab/verify.ts'
import type { Protocol } from '../../src/net/port.ts'
import { isEndProblem } from '../../src/trace/end.ts'
import { labHere } from './lab-here.ts'
import { type SmallClusterOptions, smallCluster } from './small-cluster.ts'

const { missing, kinds } = await labHere()
const udp = { protocol: 'udp' } as const
const ping = { protocol: 'icmp' } as const

interface Question {
  readonly from: string
  readonly to: string
  readonly protocol?: Protocol
  readonly ttl?: number
  readonly size?: number
  readonly df?: boolean
}

const q = (from: string, to: string, more: Omit<Question, 'from' | 'to'> = {}): Question => ({ from, to, ...more })

/** Pod to pod, to Service, to outside; outside to nodePort and hostPort. */
const questions: readonly Question[] = [
  q('pod/client', 'pod/near:8080'),
  q('pod/client', 'pod/far:8080'),
  q('pod/client', 'pod/far', ping),
  q('pod/client', 'svc/near:80'),
  q('pod/client', 'svc/far:80'),
  q('pod/client', 'svc/far:80', udp),
  q('pod/client', 'svc/self:80'),
  q('pod/client', 'external:80'),
  q('node/node-a', 'svc/far:80'),
  q('external', 'node/node-a:30110'),
  q('external', 'node/node-b:8081'),
  q('pod/client', '10.244.9.9:80', udp),
]

/** Every TTL up to arrival, sizes about the MTU. */
const limits: readonly Question[] = [
  ...[1, 2, 3, 4, 5].map((ttl) => q('pod/client', 'pod/far:8080', { ...udp, ttl })),
  ...[1421, 1423, 1445, 1473].map((size) => q('pod/client', 'pod/far:8080', { ...udp, size })),
  q('pod/client', 'pod/far:8080', { ...udp, size: 2000, df: false }),
]

const across: readonly Question[] = [q('pod/client', 'pod/beside:8080'), q('pod/beside', 'pod/far:8080', udp)]

const sixes = {
  service: '[fd00:10:96::11]:80',
  near: '[fd00:10:244::3]:8080',
  far: '[fd00:10:244:1::2]:8080',
  outside: '[2001:db8::80]:80',
}
const inIpv6: readonly Question[] = [
  q('pod/client', sixes.near),
  q('pod/client', sixes.far),
  q('pod/client', sixes.service),
  q('pod/client', sixes.service, udp),
  q('pod/client', sixes.outside),
]
const limitsInIpv6: readonly Question[] = [
  ...[1, 2, 3].map((ttl) => q('pod/client', sixes.far, { ...udp, ttl })),
  ...[1390, 1403, 1452].map((size) => q('pod/client', sixes.far, { ...udp, size })),
]

const backends = {
  vxlan: { Type: 'vxlan' },
  'vxlan with DirectRouting': { Type: 'vxlan', DirectRouting: true },
  'host-gw': { Type: 'host-gw' },
  udp: { Type: 'udp' },
  ipip: { Type: 'ipip' },
} as const

interface Case {
  readonly name: string
  readonly options: SmallClusterOptions
  readonly needs: string
}

const cases = Object.entries(backends).flatMap(([backend, conf]): readonly Case[] =>
  [false, true].map((routed) => ({
    name: `${backend} ${routed ? 'across a router' : 'on one segment'}`,
    needs: { udp: 'tun', ipip: 'ipip', vxlan: 'vxlan', 'host-gw': 'bridge' }[conf.Type],
    options: { backend: conf, routed, dual: conf.Type !== 'udp' && conf.Type !== 'ipip' },
  })),
)

const questionsFor = ({ routed = false, dual = false }: SmallClusterOptions): readonly Question[] => [
  ...questions,
  ...(dual ? inIpv6 : []),
  ...(routed ? across : limits),
  ...(dual && !routed ? limitsInIpv6 : []),
]

describe.skipIf(missing !== undefined)(
  `flannel's backends against the running kernel${missing === undefined ? '' : ` (${missing})`}`,
  // Labs mostly wait: for carriers, for silence.
  { concurrent: true },
  () => {
    for (const { name, options, needs } of cases) {
      const lacks = kinds.includes(needs) ? ` (this kernel has no ${needs})` : ''
      test.skipIf(lacks !== '')(`${name}${lacks}`, { timeout: 120_000 }, async () => {
        const cluster = clusterOf(smallCluster(options))
        if ('problem' in cluster) throw new Error(cluster.problem)
        const asked = questionsFor(options)
        const probes = probesOf(
          cluster,
          asked.map((a) => ({ ...a, namespace: 'default', seed: 1 })),
        )
        if (isEndProblem(probes)) throw new Error(probes.problem)
        const results = await verify(cluster, probes, { everyBranch: 0, tell: () => undefined })
        if (isLabProblem(results)) throw new Error(results.problem)
        expect(results.filter((r) => r.outcome.kind !== 'agrees').map(formatVerified)).toEqual([])
        expect(results).toHaveLength(asked.length)
      })
    }
  },
)
