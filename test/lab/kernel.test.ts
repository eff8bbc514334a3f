import { describe, expect, test } from 'vitest'
import { differential } from '../../src/lab/differential.ts'
import { clusterOf } from '../../src/lab/manifests.ts'
import type { Manifest } from '../../src/lab/random-cluster.ts'
import { isLabProblem } from '../../src/lab/session.ts'
import { formatVerified, probesOf, type Verified, verify } from '../../src/lab/verify.ts'
import type { Protocol } from '../../src/net/port.ts'
import { isEndProblem } from '../../src/trace/end.ts'
import { whyNoLab } from './lab-here.ts'
import { nodeState, smallCluster } from './small-cluster.ts'

const missing = await whyNoLab()
/** More by KUBEHOP_LAB_CLUSTERS=100 KUBEHOP_LAB_SEED=7. */
const clusters = Number(process.env.KUBEHOP_LAB_CLUSTERS ?? 6)
const seed = Number(process.env.KUBEHOP_LAB_SEED ?? 1)

/** FROM, TO, what the application is told, and how the probe departs from a plain TCP connection. */
type Row = readonly [
  from: string,
  to: string,
  outcome: string | RegExp,
  more?: {
    readonly protocol?: Protocol
    readonly srcPort?: number
    readonly ttl?: number
    readonly size?: number
    readonly df?: boolean
  },
]

interface Case {
  readonly name: string
  readonly cluster: readonly Manifest[]
  readonly rows: readonly Row[]
}

const udp = { protocol: 'udp' } as const
const plain = smallCluster()
const odd = (...states: readonly Manifest[]): readonly Manifest[] => [...plain, ...states]

const cases: readonly Case[] = [
  {
    name: 'a plain cluster',
    cluster: plain,
    rows: [
      ['pod/client', 'svc/near:80', 'connected'],
      ['pod/client', 'svc/far:80', 'connected'],
      ['pod/client', 'svc/self:80', 'connected'],
      ['pod/client', 'svc/self:80', 'answered with 0 bytes', udp],
      ['external', 'node/node-a:30110', 'connected'],
      ['external', 'node/node-b:30110', 'connected'],
      ['node/node-a', 'svc/far:80', 'connected'],
      ['pod/client', 'pod/far:9999', 'error ECONNREFUSED'],
      ['pod/client', 'pod/far:9999', 'icmp 3/3 from 10.244.1.2 (ECONNREFUSED)', udp],
      ['pod/client', 'svc/nobody:80', 'icmp 3/3 from 10.244.0.1 (ECONNREFUSED)'],
      ['node/node-a', 'svc/nobody:80', 'error EPERM', udp],
      ['pod/client', 'pod/far:8080', 'icmp 11/0 from 10.244.0.1 (EHOSTUNREACH)', { ...udp, ttl: 1 }],
      ['pod/client', 'pod/far:8080', 'icmp 11/0 from 10.244.1.0 (EHOSTUNREACH)', { ...udp, ttl: 2 }],
      ['pod/client', 'pod/far:8080', 'answered with 0 bytes', { ...udp, ttl: 3 }],
      ['pod/client', 'pod/far:8080', 'answered with 0 bytes', { ...udp, ttl: 4 }],
      ['pod/client', 'pod/far', 'answered with 56 bytes', { protocol: 'icmp' }],
      ['pod/client', '10.244.1.77:80', 'icmp 3/1 from 10.244.1.0 (EHOSTUNREACH)', udp],
    ],
  },
  {
    name: 'bridged frames that pass no iptables',
    cluster: odd(nodeState('node-a', { sysctl: 'net.bridge.bridge-nf-call-iptables = 0\n' })),
    rows: [
      ['pod/client', 'svc/near:80', 'time-out'],
      ['pod/client', 'svc/near:80', 'time-out', udp],
      ['pod/client', 'svc/far:80', 'connected'],
      ['pod/client', 'pod/near:8080', 'connected'],
    ],
  },
  {
    name: 'ports of the bridge without hairpin',
    cluster: smallCluster({ hairpin: false }),
    rows: [['pod/client', 'svc/self:80', 'time-out']],
  },
  {
    name: 'a node that does not forward',
    cluster: odd(nodeState('node-a', { sysctl: 'net.ipv4.ip_forward = 0\n' })),
    rows: [
      ['pod/client', 'pod/far:8080', 'time-out'],
      ['pod/client', 'svc/near:80', 'time-out'],
      ['pod/client', 'pod/near:8080', 'connected'],
    ],
  },
  {
    name: 'a strict reverse path and a route back by another device',
    cluster: odd(
      nodeState('node-b', {
        sysctl: 'net.ipv4.conf.all.rp_filter = 1\n',
        routes: '10.244.0.0/24 via 192.168.50.11 dev eth0\n',
      }),
    ),
    rows: [['pod/client', 'pod/far:8080', 'time-out']],
  },
  {
    name: 'pods with a larger MTU than the tunnel',
    cluster: smallCluster({ podMtu: 1500 }),
    rows: [
      ['pod/client', 'pod/far:8080', 'icmp 3/4 from 10.244.0.1 (EMSGSIZE) mtu 1450', { ...udp, size: 1500 }],
      // Its pieces fit; the answer, which may not be cut by others than its sender, does not.
      ['pod/client', 'pod/far:8080', 'time-out', { ...udp, size: 1500, df: false }],
    ],
  },
  {
    name: 'a FORWARD policy of DROP',
    cluster: odd(nodeState('node-b', { mode: 'replace', iptables: '*filter\n:FORWARD DROP [0:0]\nCOMMIT\n' })),
    rows: [['pod/client', 'pod/far:8080', 'time-out']],
  },
  {
    name: 'a tunnel device that does not know its peer',
    cluster: odd(nodeState('node-a', { mode: 'replace', fdb: '' })),
    rows: [['pod/client', 'pod/far:8080', 'time-out']],
  },
  {
    name: "a node that does not know the peer's MAC",
    cluster: odd(nodeState('node-a', { mode: 'replace', neighbours: '' })),
    rows: [['pod/client', 'pod/far:8080', 'icmp 3/1 from 10.244.0.1 (EHOSTUNREACH)', udp]],
  },
  {
    name: 'connections of before, one to a backend that is gone',
    cluster: odd(
      nodeState('node-a', {
        conntrack: [
          'udp 17 100 src=10.244.0.2 dst=10.96.0.11 sport=45000 dport=80 src=10.244.1.9 dst=10.244.0.2 sport=8080 dport=45000 [ASSURED] mark=0 use=1',
          'udp 17 100 src=10.244.0.2 dst=10.244.1.2 sport=45001 dport=8080 [UNREPLIED] src=10.244.1.2 dst=192.168.50.11 sport=8080 dport=2000 mark=0 use=1',
        ].join('\n'),
      }),
    ),
    rows: [
      ['pod/client', 'svc/far:80', 'icmp 3/1 from 10.96.0.11 (EHOSTUNREACH)', { ...udp, srcPort: 45000 }],
      ['pod/client', 'svc/far:80', 'answered with 0 bytes', { ...udp, srcPort: 45002 }],
      ['pod/client', 'pod/far:8080', 'answered with 0 bytes', { ...udp, srcPort: 45001 }],
    ],
  },
  {
    name: 'routes of each type',
    cluster: odd(
      nodeState('node-a', {
        routes: 'blackhole 198.18.1.0/24\nunreachable 198.18.2.0/24\nprohibit 198.18.3.0/24\nthrow 198.18.4.0/24\n',
      }),
    ),
    rows: [
      ['pod/client', '198.18.1.1:80', 'time-out', udp],
      ['pod/client', '198.18.2.1:80', 'icmp 3/1 from 10.244.0.1 (EHOSTUNREACH)', udp],
      ['pod/client', '198.18.3.1:80', 'icmp 3/13 from 10.244.0.1 (EHOSTUNREACH)', udp],
      ['pod/client', '198.18.4.1:80', 'icmp 3/0 from 10.244.0.1 (ENETUNREACH)', udp],
      ['node/node-a', '198.18.1.1:80', 'error EINVAL', udp],
      ['node/node-a', '198.18.2.1:80', 'error EHOSTUNREACH', udp],
      ['node/node-a', '198.18.3.1:80', 'error EACCES', udp],
      ['node/node-a', '198.18.4.1:80', 'error ENETUNREACH', udp],
    ],
  },
]

async function check(cluster: readonly Manifest[], rows: readonly Row[]): Promise<readonly Verified[]> {
  const built = clusterOf(cluster)
  if ('problem' in built) throw new Error(built.problem)
  const asked = rows.map(([from, to, , more]) => ({ from, to, namespace: 'default', seed: 1, ...more }))
  const probes = probesOf(built, asked)
  if (isEndProblem(probes)) throw new Error(probes.problem)
  const results = await verify(built, probes, { everyBranch: 0, tell: () => undefined })
  if (isLabProblem(results)) throw new Error(results.problem)
  return results
}

describe.skipIf(missing !== undefined)(
  `against the running kernel${missing === undefined ? '' : ` (${missing})`}`,
  // Labs mostly wait: for carriers, for silence.
  { concurrent: true },
  () => {
    test.each(cases)('$name', { timeout: 60_000 }, async ({ cluster, rows }) => {
      const results = await check(cluster, rows)
      expect(results.filter((r) => r.outcome.kind !== 'agrees').map(formatVerified)).toEqual([])
      const told = results.map(({ outcome }) => (outcome.kind === 'agrees' ? outcome.observed.outcome : outcome.kind))
      expect(told).toEqual(rows.map(([, , outcome]) => outcome))
    })

    test(`${clusters} random clusters by seed ${seed}, ten probes each`, {
      timeout: 60_000 + clusters * 20_000,
    }, async () => {
      const result = await differential({ clusters, probes: 10, seed, everyBranch: 0, tell: () => undefined })
      if (isLabProblem(result)) throw new Error(result.problem)
      const told = result.disagreements.map((d) => `${formatVerified(d.verified)}\n${d.scenario}`)
      expect(told.join('\n')).toBe('')
      expect(result.results.filter((r) => r.outcome.kind === 'agrees').length).toBeGreaterThan(clusters * 8)
    })

    test('a wrong prediction is noticed', { timeout: 60_000 }, async () => {
      const built = clusterOf(plain)
      if ('problem' in built) throw new Error(built.problem)
      const [probe] = await check(plain, [['pod/client', 'pod/far:8080', '']])
      if (probe?.outcome.kind !== 'agrees') throw new Error('does not agree to begin with')
      const { compare } = await import('../../src/lab/compare.ts')
      const { observed } = probe.outcome
      const devices = new Map(
        [...observed.devices].map(([id, lines]) => [id, lines.map((l) => l.replace('eth0 in', 'eth1 in'))]),
      )
      expect(compare({ ...observed, devices }, observed)?.what).toMatch(/^packets at devices of/)
    })
  },
)
