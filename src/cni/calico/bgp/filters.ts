import type { Condition, Filter, Statement } from '../../../bgp/filter.ts'
import type { BgpFilter, BgpFilterRule } from '../../../kube/objects/calico.ts'
import type { Family } from '../../../net/ip.ts'
import { isHostPrefix, networkOf, type Prefix, parsePrefix, prefixFamily } from '../../../net/prefix.ts'
import { bgpConfiguration, type CalicoNode, type CalicoPlan } from '../plan.ts'
import { usesEncap } from '../pool.ts'
import { serviceRanges } from './service-routes.ts'

const accept: Statement = { kind: 'accept' }
const reject: Statement = { kind: 'reject' }
const within = (prefix: Prefix): Condition => ({ kind: 'net', op: '~', prefix })
const when = (condition: Condition, ...statements: readonly Statement[]): Statement => ({
  kind: 'if',
  when: condition,
  do: statements,
})

const choose = (condition: Condition, yes: readonly Statement[], no: readonly Statement[]): Statement => ({
  kind: 'if',
  when: condition,
  do: yes,
  else: no,
})

/** LOCAL_PREF and kernel metric are told from each other since 3.32: the sum of both is this. */
const metricBase = 2_147_483_647

/** What a peer gets: filters of the peer, the metric as LOCAL_PREF, then Calico's own rules; nothing else. */
export function exportFilter(
  plan: CalicoPlan,
  self: CalicoNode,
  family: Family,
  filters: readonly BgpFilter[],
): Filter {
  return [
    ...filters.map((f) => bgpFilterCall(f, 'export', family)),
    ...(plan.generation.metric === undefined ? [] : metricAsLocalPref(plan.generation.metric)),
    { kind: 'call', name: 'calico_export_to_bgp_peers', body: exportToPeers(plan, self, family) },
    reject,
  ]
}

export function importFilter(plan: CalicoPlan, family: Family, filters: readonly BgpFilter[]): Filter {
  const { metric } = plan.generation
  const elevated: Statement[] =
    metric === undefined
      ? []
      : [
          when(
            { kind: 'compare', attribute: 'bgp_local_pref', op: '>', value: metricBase - metric },
            { kind: 'set', attribute: 'preference', value: 200 },
          ),
        ]
  return [...elevated, ...filters.map((f) => bgpFilterCall(f, 'import', family)), accept]
}

function metricAsLocalPref(metric: number): readonly Statement[] {
  const learned: Condition = {
    kind: 'and',
    of: [
      { kind: 'source', is: 'bgp' },
      { kind: 'defined', attribute: 'bgp_local_pref' },
    ],
  }
  const unset: Condition = { kind: 'not', condition: { kind: 'defined', attribute: 'krt_metric' } }
  return [
    choose(
      learned,
      [{ kind: 'set', attribute: 'krt_metric', value: { minuend: metricBase, minus: 'bgp_local_pref' } }],
      [
        when(unset, { kind: 'set', attribute: 'krt_metric', value: metric }),
        { kind: 'set', attribute: 'bgp_local_pref', value: { minuend: metricBase, minus: 'krt_metric' } },
      ],
    ),
  ]
}

/** bird_ipam.cfg: first accept or reject wins. */
function exportToPeers(plan: CalicoPlan, self: CalicoNode, family: Family): readonly Statement[] {
  const pools = plan.pools.filter((p) => prefixFamily(p.cidr) === family)
  const config = bgpConfiguration(plan.objects)
  const tunnels = ['*.cali', '*.calico'].map((pattern): Condition => ({ kind: 'ifname', pattern }))
  return [
    ...pools.filter((p) => p.disableBgpExport).map((p) => when(within(p.cidr), reject)),
    when(
      {
        kind: 'and',
        of: [
          { kind: 'peer', type: 'ibgp' },
          { kind: 'or', of: tunnels },
        ],
      },
      reject,
    ),
    when({ kind: 'ifname', pattern: 'bpf*.cali' }, reject),
    ...communities(config, family),
    { kind: 'call', name: 'calico_aggr', body: aggregate(plan, self, family) },
    ...serviceRanges(plan, self, family).map((prefix) => when({ kind: 'net', op: '=', prefix }, accept)),
    ...pools.filter((p) => !p.disableBgpExport).map((p) => when(within(p.cidr), accept)),
  ]
}

/** A node's own block leaves as one route; addresses within it do not. */
function aggregate({ generation }: CalicoPlan, { blocks }: CalicoNode, family: Family): readonly Statement[] {
  return blocks
    .filter((b) => prefixFamily(b) === family)
    .flatMap((block) => {
      const elevated: Condition = {
        kind: 'and',
        of: [within(block), { kind: 'compare', attribute: 'krt_metric', op: '<', value: generation.metric ?? 0 }],
      }
      return [
        when({ kind: 'net', op: '=', prefix: block }, accept),
        ...(generation.metric === undefined ? [] : [when(elevated, accept)]),
        when(within(block), reject),
      ]
    })
}

function communities(config: ReturnType<typeof bgpConfiguration>, family: Family): readonly Statement[] {
  const named = new Map((config.communities ?? []).map((c) => [c.name ?? '', c.value ?? '']))
  return (config.prefixAdvertisements ?? []).flatMap(({ cidr = '', communities: list = [] }) => {
    const prefix = parsePrefix(cidr)
    if (!prefix || prefixFamily(prefix) !== family) return []
    const added = list.flatMap((text): Statement[] => {
      const parts = String(named.get(text) ?? text)
        .split(':')
        .map(Number)
      const [a = 0, b, c] = parts
      if (b === undefined || parts.some((n) => !Number.isInteger(n))) return []
      return [{ kind: 'add community', community: c === undefined ? [a, b] : [a, b, c] }]
    })
    return [when(within(prefix), ...added)]
  })
}

/** What of BIRD's table goes into the kernel, and by which device. */
export function kernelFilter(plan: CalicoPlan, self: CalicoNode, family: Family): Filter {
  const { metric } = plan.generation
  const pools = plan.pools.filter((p) => prefixFamily(p.cidr) === family)
  const ranges = rejectedRanges(plan, family)
  return [
    ...(metric === undefined ? [] : localPrefAsMetric(metric)),
    ...ranges.map((prefix) => when(within(prefix), reject)),
    ...pools.map((pool): Statement => {
      if (usesEncap(pool, 'vxlan')) return when(within(pool.cidr), reject)
      if (!usesEncap(pool, 'ipip')) return when(within(pool.cidr), accept)
      return when(within(pool.cidr), ...tunnel(pool.ipip === 'CrossSubnet', self, family), accept)
    }),
    accept,
  ]
}

const toTunnel: Statement = { kind: 'set tunnel', device: 'tunl0' }

/** CrossSubnet compares the BGP next hop with the node's own subnet. */
function tunnel(crossSubnet: boolean, self: CalicoNode, family: Family): readonly Statement[] {
  const own = self.addresses[family]
  if (!crossSubnet || !own) return [toTunnel]
  const near: Condition = { kind: 'next hop in', prefix: networkOf(own.ip, own.length) }
  return [choose(near, [{ kind: 'set tunnel', device: '' }], [toTunnel])]
}

function localPrefAsMetric(metric: number): readonly Statement[] {
  const unset: Condition = { kind: 'not', condition: { kind: 'defined', attribute: 'krt_metric' } }
  return [
    when(
      { kind: 'and', of: [{ kind: 'source', is: 'bgp' }, unset] },
      { kind: 'set', attribute: 'krt_metric', value: metric },
      when(
        { kind: 'defined', attribute: 'bgp_local_pref' },
        { kind: 'set', attribute: 'krt_metric', value: { minuend: metricBase, minus: 'bgp_local_pref' } },
      ),
    ),
  ]
}

/** Answers of Services are kube-proxy's: the kernel shall not have their ranges. */
function rejectedRanges(plan: CalicoPlan, family: Family): readonly Prefix[] {
  const config = bgpConfiguration(plan.objects)
  return [
    ...(config.serviceClusterIPs ?? []),
    ...(config.serviceExternalIPs ?? []),
    ...(config.serviceLoadBalancerIPs ?? []),
  ]
    .flatMap(({ cidr = '' }) => parsePrefix(cidr) ?? [])
    .filter((p) => prefixFamily(p) === family)
}

function bgpFilterCall(filter: BgpFilter, way: 'export' | 'import', family: Family): Statement {
  const suffix = family === 'ipv4' ? 'V4' : 'V6'
  const rules = filter.spec[`${way}${suffix}`] ?? []
  return {
    kind: 'call',
    name: `'bgp_${filter.metadata.name}_${way}Filter${suffix}'`,
    body: rules.map((rule) => filterRule(rule)),
  }
}

function filterRule(rule: BgpFilterRule): Statement {
  const { cidr, matchOperator = 'In', prefixLength, source, interface: device, peerType, action } = rule
  const prefix = cidr === undefined ? undefined : parsePrefix(cidr)
  const op = { Equal: '=', NotEqual: '!=', In: '~', NotIn: '!~' } as const
  const { min, max } = prefixLength ?? {}
  const conditions: Condition[] = [
    ...(prefix
      ? [
          {
            kind: 'net' as const,
            op: op[matchOperator],
            prefix,
            ...(prefixLength
              ? {
                  lengths: {
                    min: min ?? prefix.length,
                    max: max ?? (isHostPrefix(prefix) ? prefix.length : widest(prefix)),
                  },
                }
              : {}),
          },
        ]
      : []),
    ...(source === undefined ? [] : [{ kind: 'source' as const, is: 'bgp' as const }]),
    ...(device === undefined ? [] : [{ kind: 'ifname' as const, pattern: device }]),
    ...(peerType === undefined
      ? []
      : [{ kind: 'peer' as const, type: peerType === 'eBGP' ? ('ebgp' as const) : ('ibgp' as const) }]),
  ]
  const verdict = action === 'Accept' ? accept : reject
  return conditions.length === 0 ? verdict : when({ kind: 'and', of: conditions }, verdict)
}

const widest = (p: Prefix): number => (prefixFamily(p) === 'ipv4' ? 32 : 128)
