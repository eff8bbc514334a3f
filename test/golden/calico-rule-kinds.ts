import { expect } from 'vitest'
import { endpointMarkDispatch, workloadDispatch } from '../../src/cni/calico/felix/dispatch.ts'
import {
  type EndpointContext,
  type EndpointTier,
  hostFilterChains,
  hostMangleIngress,
  hostRawChains,
  workloadChains,
} from '../../src/cni/calico/felix/endpoint.ts'
import {
  allocateMarks,
  clearedAll,
  clearedInForward,
  endpointMarks,
  type Marks,
} from '../../src/cni/calico/felix/marks.ts'
import { natOutgoingChain } from '../../src/cni/calico/felix/nat-outgoing.ts'
import { anyEnd, type ParsedEnd, type ParsedRule } from '../../src/cni/calico/felix/parsed-rule.ts'
import { oneRule, type PolicyContext } from '../../src/cni/calico/felix/policy-chain.ts'
import { type FelixChain, ruleText } from '../../src/cni/calico/felix/rule.ts'
import { matchText, splitPorts } from '../../src/cni/calico/felix/rule-match.ts'
import {
  type FailsafePort,
  failsafeChains,
  filterChains,
  mangleChains,
  natChains,
  rawChains,
  type StaticConfig,
} from '../../src/cni/calico/felix/static.ts'
import { generationOf } from '../../src/cni/calico/generation.ts'
import { shortKinds } from '../../src/cni/calico/model/policy.ts'
import { selectorId } from '../../src/cni/calico/model/selector-id.ts'
import { caliName, groupChain, limitedId, ruleHashes, setName, vtepMac } from '../../src/cni/calico/names.ts'
import { version } from '../../src/cni/version.ts'
import { formatSelector, parseSelector } from '../../src/kube/calico-selector.ts'

type Fields = Readonly<Record<string, unknown>>
type Texts = Readonly<Record<string, string>>

export interface CalicoGolden {
  readonly name: string
  readonly kind: string
  readonly given: Fields & { readonly marks?: Texts }
  readonly cases: readonly (Fields & { readonly name?: string })[]
  readonly expected?: Fields
}

const newest = generationOf(version('v3.32.1'))

const marksOf = (texts: Texts = {}): Marks => {
  const n = (key: string): number => Number.parseInt(texts[key] ?? '0', 16)
  return {
    accept: n('accept'),
    pass: n('pass'),
    drop: texts.drop === undefined ? undefined : n('drop'),
    scratch0: n('scratch0'),
    scratch1: n('scratch1'),
    endpoint: n('endpoint'),
    nonCaliEndpoint: n('nonCaliEndpoint'),
  }
}

function parsed(text: string) {
  const result = parseSelector(text)
  if (!result.ok) throw new Error(`${text}: ${result.message}`)
  return result.selector
}

const named: Readonly<Record<string, (c: Fields, golden: CalicoGolden) => void>> = {
  'hash-length-limited-ids': (c) => expect(limitedId(String(c.prefix), String(c.suffix), Number(c.max))).toBe(c.result),
  'hash-policy-group-chains': (c) => {
    const policies = (c.policies as readonly Texts[]).map((p) => ({
      name: p.name ?? '',
      namespace: p.ns ?? '',
      kind: p.kind ?? '',
    }))
    expect(groupChain(String(c.selector), c.direction as 'inbound', policies)).toBe(c.chain)
  },
  'hash-rule-comments': (c) => {
    const rules = c.rules as readonly Texts[]
    expect(
      ruleHashes(
        String(c.hashedAs),
        rules.map((r) => r.text ?? ''),
      ),
    ).toEqual(rules.map((r) => r.hash))
  },
  'hash-selector-ids': (c) => {
    const selector = parsed(String(c.selector))
    const id = selectorId(selector)
    expect([formatSelector(selector), id, setName('ipv4', id), setName('ipv6', id)]).toEqual([
      c.canonical,
      c.id,
      c.ipset4,
      c.ipset6,
    ])
  },
  'hash-veth-names': (c) => expect(caliName(String(c.namespace), String(c.pod), String(c.prefix))).toBe(c.name),
  'hash-vtep-macs': (c) =>
    expect([vtepMac(String(c.node), 'ipv4'), vtepMac(String(c.node), 'ipv6')]).toEqual([c.mac, c.mac6]),
  'hash-ipset-names': (c) =>
    expect([setName('ipv4', String(c.id)), setName('ipv6', String(c.id))]).toEqual([c.name, c.name6]),
  'mark-allocation': markAllocation,
}

function markAllocation(c: Fields): void {
  const expected = c.expected as Texts
  if (c.endpointMask !== undefined) {
    const nonCali = Number.parseInt(String(c.nonCaliEndpoint), 16)
    const mask = Number.parseInt(String(c.endpointMask), 16)
    const together = ['cali11', 'cali12', 'cali13', 'cali21', 'cali22']
    const groups = [
      together,
      ...Object.keys(expected)
        .filter((k) => !together.includes(k))
        .map((k) => [k]),
    ]
    const found = Object.fromEntries(groups.flatMap((names) => [...endpointMarks(names, mask, nonCali)]))
    expect(found).toEqual(Object.fromEntries(Object.entries(expected).map(([k, v]) => [k, Number.parseInt(v, 16)])))
    return
  }
  const versions = c.versions as readonly string[]
  for (const v of versions) {
    const m = allocateMarks(Number.parseInt(String(c.mask), 16), { dropBit: generationOf(version(v)).dropMark })
    const found: Record<string, number | undefined> = {
      ...m,
      clearAll: clearedAll(m),
      clearInForward: clearedInForward(m),
    }
    for (const [key, value] of Object.entries(expected)) expect(found[key], key).toBe(Number.parseInt(value, 16))
  }
}

const family = (v: unknown) => (Number(v ?? 4) === 6 ? 'ipv6' : 'ipv4') as 'ipv4' | 'ipv6'

function endOf(side: 'src' | 'dst', rule: Fields): ParsedEnd {
  const list = (key: string): readonly string[] => ((rule[key] ?? []) as readonly unknown[]).map(String)
  const upper = side === 'src' ? 'Src' : 'Dst'
  return {
    ...anyEnd,
    nets: list(`${side}Net`),
    ports: list(`${side}Ports`),
    sets: list(`${side}IpSetIds`),
    namedPortSets: list(`${side}NamedPortIpSetIds`),
    notNets: list(`not${upper}Net`),
    notPorts: list(`not${upper}Ports`),
    notSets: list(`not${upper}IpSetIds`),
    notNamedPortSets: list(`not${upper}NamedPortIpSetIds`),
  }
}

function ruleOf(rule: Fields, action = 'allow'): ParsedRule {
  const optional = Object.fromEntries(
    [
      ['protocol', rule.protocol],
      ['notProtocol', rule.notProtocol],
      ['icmp', rule.icmp],
      ['notIcmp', rule.notIcmp],
    ].filter(([, v]) => v !== undefined),
  )
  return {
    action: action as ParsedRule['action'],
    src: endOf('src', rule),
    dst: endOf('dst', rule),
    ...optional,
  }
}

function policyContext(golden: CalicoGolden, c: Fields): PolicyContext {
  const owner = (c.owner ?? golden.given.owner ?? { kind: 'GlobalNetworkPolicy', name: 'x', tier: 'default' }) as Texts
  const config = (c.config ?? {}) as Texts
  const short = shortKinds[owner.kind as keyof typeof shortKinds]
  const id = [short, owner.namespace, owner.name].filter((t) => t !== undefined).join('/')
  return {
    family: family(c.ipVersion ?? golden.given.ipVersion),
    marks: marksOf(golden.given.marks),
    denyAction: config.iptablesFilterDenyAction === 'Reject' ? 'REJECT' : 'DROP',
    logPrefix: config.logPrefix ?? 'calico-packet',
    flowLogs: c.flowLogs === true,
    owner: {
      type: 'policy',
      id,
      shortKind: short,
      name: owner.name ?? '',
      tier: owner.tier ?? '',
      ...(owner.namespace === undefined ? {} : { namespace: owner.namespace }),
    },
    direction: 'ingress',
  }
}

function rules(golden: CalicoGolden, c: Fields): void {
  const ctx = policyContext(golden, c)
  if (c.ports !== undefined) {
    expect(splitPorts(c.ports as string[])).toEqual(c.split)
    return
  }
  if (golden.name === 'rules-actions') {
    const match = { protocol: 'tcp' }
    const texts = oneRule(ruleOf(match, String(c.action)), 0, ctx).map(ruleText)
    expect(texts).toEqual((c.rules as string[]).map((t) => t.replace('<match>', '-p tcp')))
    const bare = oneRule(ruleOf({}, String(c.action)), 0, ctx).map(ruleText)
    expect(bare).toEqual((c.rules as string[]).map((t) => t.replace('<match> ', '')))
    return
  }
  const rule = ruleOf(c.rule as Fields)
  if (c.rules !== undefined) {
    expect(oneRule(rule, 0, ctx).map((r) => `-A test ${ruleText(r)}`)).toEqual(c.rules)
  } else expect(matchText(rule, ctx.family)).toBe(c.match)
}

const texts = (chains: readonly FelixChain[]): Readonly<Record<string, readonly string[]>> =>
  Object.fromEntries(chains.map(({ name, rules: r }) => [name, r.map(ruleText)]))

function dispatch(golden: CalicoGolden, c: Fields): void {
  const interfaces = c.interfaces as string[]
  const prefixes = golden.given.workloadInterfacePrefixes as string[]
  const plain = workloadDispatch(interfaces, 'DROP')
  expect(texts(plain)).toEqual(c.chains)
  expect(plain.map((chain) => chain.name)).toEqual(Object.keys(c.chains as Fields))
  const ipvs = endpointMarkDispatch(interfaces, marksOf(golden.given.marks), prefixes, 'DROP')
  const withIpvs = [...plain, ...ipvs.filter((chain) => !chain.name.startsWith('cali-sm-'))]
  expect(texts(withIpvs)).toEqual(c.chainsWithKubeIPVS)
}

function endpoint(golden: CalicoGolden, c: Fields): void {
  const given = c.endpoint as Fields & { readonly tiers?: readonly Fields[] }
  const expected = c.expected as Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>
  for (const [v, chains] of Object.entries(expected)) {
    expect(texts(endpointChains(golden, given, String(c.table), v, String(c.name))), v).toEqual(chains)
  }
}

function endpointChains(
  golden: CalicoGolden,
  given: Fields,
  table: string,
  v: string,
  name: string,
): readonly FelixChain[] {
  const marks = golden.given.marks ?? {}
  const ctx: EndpointContext = {
    marks: marksOf({ ...marks, drop: '0x80' }),
    generation: generationOf(version(v)),
    filterAllowAction: given.filterAllowAction === 'RETURN' ? 'RETURN' : 'ACCEPT',
    mangleAllowAction: name.includes('mangle allow action Return') ? 'RETURN' : 'ACCEPT',
    denyAction: 'DROP',
    vxlanPort: 4789,
    dropEncapFromWorkloads: { vxlan: true, ipip: true },
    conntrackInvalidCheck: given.disableConntrackInvalidCheck !== true,
    flowLogs: false,
  }
  const jumps = (names: unknown) =>
    ((names ?? []) as string[]).map((n) => ({
      kind: 'policy' as const,
      id: ctx.generation.tierInEnd ? `gnp/${n}` : `default/${n}`,
    }))
  const tier = (ingress: unknown, egress: unknown, action: unknown = 'Deny'): EndpointTier => ({
    name: 'default',
    defaultAction: action as 'Deny',
    ingress: jumps(ingress),
    egress: jumps(egress),
  })
  const base = {
    interface: String(given.interface),
    adminUp: given.adminUp !== false,
    profiles: (given.profiles ?? []) as string[],
  }
  if (given.hostEndpoint !== true) {
    const tiers = ((given.tiers ?? []) as Fields[]).map((t) =>
      tier(t.ingressPolicies, t.egressPolicies, t.defaultAction),
    )
    return workloadChains({ ...base, tiers }, ctx)
  }
  if (table === 'raw') {
    const { ingress, egress } = given.untracked as Fields
    return hostRawChains({ ...base, tiers: [tier(ingress, egress)] }, ctx)
  }
  if (table === 'mangle') {
    return [hostMangleIngress({ ...base, tiers: [tier((given.preDNAT as Fields).ingress, [])] }, ctx)]
  }
  const tiers = [tier(['ai', 'bi'], ['ae', 'be'])]
  const forwarded = [tier(['afi', 'bfi'], ['afe', 'bfe'])]
  return hostFilterChains({ ...base, tiers, profiles: ['prof1', 'prof2'] }, forwarded, ctx)
}

const failsafe = (lines: unknown): readonly FailsafePort[] =>
  ((lines ?? []) as string[]).map((line) => {
    const [net = '', protocol = '', port = ''] = line.split(' ')
    return { net, protocol, port: Number(port) }
  })

function staticCase(golden: CalicoGolden, c: Fields): void {
  const config = { ...golden.given, ...((c.config ?? {}) as Fields) }
  const table = String(c.table ?? golden.given.table)
  if (golden.name === 'nat-outgoing') {
    const text = (key: string): string | undefined => (config as Texts)[key]
    const chain = natOutgoingChain({
      family: 'ipv4',
      active: (config as Fields).active !== false,
      poolSet: newest.poolSet,
      excludesHosts: text('natOutgoingExclusions') === 'IPPoolsAndHostIPs',
      address: text('natOutgoingAddress'),
      ports: text('natPortRange'),
      outInterface: text('iptablesNATOutgoingInterfaceFilter'),
      randomFully: false,
    })
    expect(texts([chain])).toEqual(c.chains)
    return
  }
  const sc: StaticConfig = {
    family: family(c.ipVersion),
    marks: marksOf(golden.given.marks),
    generation: newest,
    interfacePrefixes: golden.given.workloadInterfacePrefixes as string[],
    filterAllowAction: String(config.filterAllowAction),
    mangleAllowAction: String(config.mangleAllowAction),
    filterDenyAction: String(config.filterDenyAction),
    endpointToHostAction: String(config.defaultEndpointToHostAction),
    ipip: config.ipip === true,
    vxlan: config.vxlan === true,
    vxlanPort: Number(config.vxlanPort ?? 4789),
    ipipAddress: config.ipipTunnelAddress !== undefined,
    vxlanAddress: config.vxlanTunnelAddress !== undefined,
    randomFully: false,
    ipvs: config.kubeIPVS === true,
    nodePortRanges: config.kubeNodePortRanges as string[],
    failsafeInbound: failsafe(golden.given.failsafeInbound),
    failsafeOutbound: failsafe(golden.given.failsafeOutbound),
    serviceLoopRanges: [],
    serviceLoopAction: 'DROP',
  }
  const make: Readonly<Record<string, readonly FelixChain[]>> = {
    raw: [...rawChains(sc), ...failsafeChains(sc, 'raw')],
    mangle: mangleChains(sc),
    nat: natChains(sc),
    filter: [...filterChains(sc), ...failsafeChains(sc, 'filter')],
  }
  const all = texts(make[table] ?? [])
  for (const [name, expected] of Object.entries(c.chains as Fields)) expect(all[name], name).toEqual(expected)
}

export const calicoRuleKinds: Readonly<Record<string, (golden: CalicoGolden, c: Fields) => void>> = {
  hash: (golden, c) => named[golden.name]?.(c, golden) ?? undefined,
  rules,
  dispatch,
  endpoint,
  static: staticCase,
}
