import { describe, expect, test } from 'vitest'
import { isLabProblem } from '../../src/lab/session.ts'
import { formatVerified, probesOf, verify } from '../../src/lab/verify.ts'
import { isEndProblem } from '../../src/trace/end.ts'
import { loadText } from '../scenario.ts'
import { kubeProxyConfig, serviceCluster } from '../trace/service-cluster.ts'
import { whyNoLab } from './lab-here.ts'

const missing = await whyNoLab()

/** With ports of SCTP, which the lab does not serve, beside those that it does. */
const text = serviceCluster.replace(/, \{ name: dns-2,[^}]*\}/, '')

const addresses = {
  IPv4: {
    service: (n: number) => `10.96.1.${n}`,
    node: (n: number) => `192.168.50.1${n}`,
    vip: (n: number) => `198.51.100.${n}`,
    external: '192.0.2.10',
  },
  IPv6: {
    service: (n: number) => `[fd00:10:96::1:${n}]`,
    node: (n: number) => `[fd00:192:168:50::1${n}]`,
    vip: (n: number) => `[2001:db8:198:51::${n}]`,
    external: '[2001:db8:2::10]',
  },
} as const

const everyMode = (['iptables', 'nftables'] as const).flatMap((mode) =>
  (['IPv4', 'IPv6'] as const).map((family) => ({ mode, family })),
)

describe.skipIf(missing !== undefined)(
  `Services against the running kernel${missing === undefined ? '' : ` (${missing})`}`,
  // Labs mostly wait: for carriers, for silence.
  { concurrent: true },
  () => {
    test.each(everyMode)(
      'every kind and policy by $mode over $family',
      { timeout: 240_000 },
      async ({ mode, family }) => {
        const { cluster } = loadText({ path: 'a.yaml', text }, { path: 'kube-proxy.yaml', text: kubeProxyConfig(mode) })
        const at = addresses[family]
        const questions: readonly (readonly [from: string, to: string])[] = [
          ['pod/client', `${at.service(1)}:80`],
          ['pod/web-a', `${at.service(1)}:80`],
          ['node/node-c', `${at.service(1)}:80`],
          ['external', `${at.node(2)}:30080`],
          ['pod/client', `${at.node(0)}:30080`],
          ['node/node-a', `${at.node(0)}:30080`],
          ['external', `${at.node(1)}:30081`],
          ['external', `${at.node(0)}:30081`],
          ['external', `${at.vip(10)}:80`],
          ['external', `${at.vip(10)}:81`],
          ['external', `${at.vip(11)}:80`],
          ['external', `${at.vip(12)}:80`],
          ['external', `${at.vip(14)}:80`],
          ['pod/client', `${at.vip(14)}:80`],
          ['external', `${at.external}:80`],
          ['pod/client', `${at.service(10)}:80`],
          ['pod/client', `${at.service(12)}:80`],
          ['pod/client', `${at.service(15)}:80`],
          ['external', `${at.node(1)}:8999`],
          ['external', `${at.node(0)}:31083`],
        ]
        const probes = probesOf(
          cluster,
          questions.map(([from, to]) => ({ from, to, namespace: 'shop', seed: 1 })),
        )
        if (isEndProblem(probes)) throw new Error(probes.problem)
        const results = await verify(cluster, probes, { everyBranch: 0, tell: () => undefined })
        if (isLabProblem(results)) throw new Error(results.problem)
        expect(results.filter((r) => r.outcome.kind !== 'agrees').map(formatVerified)).toEqual([])
        expect(results).toHaveLength(questions.length)
      },
    )
  },
)
