import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../src/kube/objects/meta.ts'
import { type Family, families } from '../../src/net/ip.ts'
import type { Protocol } from '../../src/net/port.ts'
import type { PolicyCluster } from '../../src/policy/cluster.ts'
import { isAllowed } from '../../src/policy/decision.ts'
import { atFamily, commonFamilies, type End, formatEnd, podEnd } from '../../src/policy/end.ts'
import { evaluate } from '../../src/policy/evaluate.ts'
import { FelixEnforcement, placed } from '../cni/calico/felix-enforcement.ts'
import { clusterIn, endIn, yamlFile } from '../policy/manifest.ts'
import { goldenRoot } from './golden-root.ts'

/**
 * The same cases as those of the meaning, through Felix's rules in the emulated kernel. What the cases expect is compared
 * with the meaning elsewhere; here every connection that they name is, so both agree on all of them.
 */
const root = goldenRoot('network-policy')
const folders = ['k8s-e2e', 'cyclonus', 'netpol-analyzer', 'recipes', 'anp-banp', 'cnp', 'subtle']

interface Case {
  readonly include?: readonly string[]
  readonly objects: readonly KubeObject[]
  readonly expect: {
    readonly columns?: readonly string[]
    readonly tables?: readonly { readonly ports: readonly string[]; readonly rows: Readonly<Record<string, string>> }[]
    readonly checks?: readonly {
      readonly from: string
      readonly to: string
      readonly protocol: string
      readonly port?: number
      readonly family?: string
    }[]
    readonly connections?: readonly { readonly from: string; readonly to: string }[]
  }
}

interface Asked {
  readonly from: End
  readonly to: End
  readonly protocol: Protocol
  readonly port: number | undefined
}

describe.skipIf('missing' in root)(
  `NetworkPolicy cases by Felix${'missing' in root ? ` (${root.missing})` : ''}`,
  () => {
    if ('missing' in root) return
    describe.each(folders)('%s', (folder) => {
      const files = readdirSync(join(root.path, folder)).filter((file) => file.endsWith('.yaml'))
      test.each(files)('%s', (file) => {
        const found = yamlFile(join(root.path, folder, file))[0] as unknown as Case
        const objects = placed(objectsOf(found, root.path))
        const cluster = clusterIn(objects)
        const rules = new FelixEnforcement(objects)
        const asked = [...fromTables(found, cluster), ...fromChecks(found, cluster), ...fromConnections(found, cluster)]
        for (const one of asked) compare(one, cluster, rules)
      })
    })
  },
)

function objectsOf(found: Case, path: string): readonly KubeObject[] {
  const included = (found.include ?? []).flatMap(
    (file) => (yamlFile(join(path, file))[0] as unknown as { objects: KubeObject[] }).objects,
  )
  const keyOf = (o: KubeObject): string => [o.kind, o.metadata.namespace, o.metadata.name].join('/')
  const own = new Set(found.objects.map(keyOf))
  return [...included.filter((o) => !own.has(keyOf(o))), ...found.objects]
}

function compare({ from, to, protocol, port }: Asked, cluster: PolicyCluster, rules: FelixEnforcement): void {
  for (const family of commonFamilies(from, to)) {
    const connection = {
      ...{ from: atFamily(from, family), to: atFamily(to, family), protocol: ofFamily(protocol, family) },
      ...(port === undefined ? {} : { port }),
    }
    const decision = evaluate(cluster.policies, connection)
    const open = [...decision.egress.unsettled, ...decision.ingress.unsettled]
    const passed = rules.allows(connection)
    if (passed === undefined || open.includes('same-priority') || open.includes('unknown-domain')) continue
    expect(passed, `${formatEnd(from)} > ${formatEnd(to)} ${protocol} ${port}`).toBe(isAllowed(decision))
  }
}

const ofFamily = (protocol: Protocol, family: Family): Protocol =>
  protocol === 'icmp' || protocol === 'icmpv6' ? (family === 'ipv4' ? 'icmp' : 'icmpv6') : protocol

const fromTables = ({ expect: { columns = [], tables = [] } }: Case, cluster: PolicyCluster): readonly Asked[] =>
  tables.flatMap(({ ports, rows }) =>
    ports.flatMap((text) => {
      const [protocol = '', port] = text.split('/')
      return Object.keys(rows).flatMap((from) =>
        columns.map((to) => ({
          ...{ from: endIn(cluster, from), to: endIn(cluster, to) },
          ...{ protocol: protocol.toLowerCase() as Protocol, port: Number(port) },
        })),
      )
    }),
  )

const fromChecks = ({ expect: { checks = [] } }: Case, cluster: PolicyCluster): readonly Asked[] =>
  checks
    .filter((c) => !c.to.startsWith('service:'))
    .map((c) => {
      const family = families.find((f) => f === c.family?.toLowerCase())
      const [from, to] = [endIn(cluster, c.from, family), endIn(cluster, c.to, family)]
      return { from, to, protocol: c.protocol.toLowerCase() as Protocol, port: c.port }
    })

const fromConnections = ({ expect: { connections } }: Case, cluster: PolicyCluster): readonly Asked[] =>
  connections === undefined
    ? []
    : cluster.pods.flatMap((a) =>
        cluster.pods.flatMap((b) =>
          [80, 443, 8080, 53, 9003].flatMap((port) =>
            (['tcp', 'udp'] as const).map((protocol) => ({ from: podEnd(a), to: podEnd(b), protocol, port })),
          ),
        ),
      )
