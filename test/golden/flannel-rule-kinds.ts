import { expect } from 'vitest'
import { applyEdits } from '../../src/artefact/iptables/apply.ts'
import type { IptablesEdit } from '../../src/artefact/iptables/edit.ts'
import { parseRule } from '../../src/artefact/iptables/parse.ts'
import { formatRule, formatRuleSpec, formatTable } from '../../src/artefact/iptables/print.ts'
import {
  builtinChains,
  type Chain,
  emptyRuleset,
  type Rule,
  type Ruleset,
  type TableName,
} from '../../src/artefact/iptables/rule.ts'
import { deviceName } from '../../src/artefact/link.ts'
import { formatRoute } from '../../src/artefact/route-text.ts'
import { hostGw } from '../../src/cni/flannel/backend/host-gw.ts'
import { HostTables } from '../../src/cni/flannel/command.ts'
import { newestFlannel, ruleGeneration } from '../../src/cni/flannel/generation.ts'
import type { Lease } from '../../src/cni/flannel/lease.ts'
import {
  type MasqueradePlan,
  masqueradeEdits,
  masqueradeJump,
  masqueradeRules,
} from '../../src/cni/flannel/masquerade.ts'
import { defaultNetConf } from '../../src/cni/flannel/net-conf.ts'
import { nftChains } from '../../src/cni/flannel/nftables.ts'
import { applyPlan, type RestoreRule, resyncPlan, teardownPlan } from '../../src/cni/flannel/restore-plan.ts'
import { ipMasqEdits } from '../../src/cni/ipmasq.ts'
import {
  addMasqChecks,
  collectMasqChecks,
  deleteMasqChecks,
  type MasqChecks,
  masqueradeTable,
} from '../../src/cni/ipmasq-nftables.ts'
import { dumpTable } from '../../src/cni/knft-dump.ts'
import { kubeletHostportEdits } from '../../src/cni/kubelet-hostport.ts'
import { newestPlugins } from '../../src/cni/plugins-version.ts'
import type { PortMapping } from '../../src/cni/port-mapping.ts'
import { defaultPortmapConf, type PortmapConf } from '../../src/cni/portmap/conf.ts'
import { containerRules, dnatChain, entryRules, type PortmapAdd, portmapEdits } from '../../src/cni/portmap/iptables.ts'
import { hostportTable } from '../../src/cni/portmap/nftables.ts'
import { snatChainEdits } from '../../src/cni/portmap/snat-chains.ts'
import { parseVersion, version } from '../../src/cni/version.ts'
import { type Family, familyOf, ip } from '../../src/net/ip.ts'
import { mac } from '../../src/net/mac.ts'
import type { TransportProtocol } from '../../src/net/port.ts'
import { prefix } from '../../src/net/prefix.ts'
import { address, node, uplink } from '../cni/objects.ts'
import { nodeState } from './flannel-node-state.ts'

/** The kinds that are about rules, routes and listings. Each throws where the case does not hold. */
export const ruleKinds: Readonly<Record<string, (golden: never) => void>> = {
  'iptables-S': iptablesS,
  'iptables-save': iptablesSave,
  'iptables-restore-plan': restorePlan,
  'iptables-rule-set': kubeletRules,
  'nft-list-chain': nftList,
  'knftables-dump': knftablesDump,
  'portmap-iptables': portmap,
  'route-events': routeEvents,
  'node-state': nodeState,
}

interface Switches {
  readonly network: string
  readonly podCIDR: string
  readonly ipMasq?: boolean
  readonly forwardRules?: boolean
  readonly randomFully?: boolean
  readonly family?: Family
}

const planOf = (config: Switches, release = newestFlannel): MasqueradePlan => ({
  network: prefix(config.network),
  subnet: prefix(config.podCIDR),
  ipMasq: config.ipMasq ?? true,
  forwardRules: config.forwardRules ?? true,
  randomFully: config.randomFully ?? true,
  generation: ruleGeneration(release),
})

const rulesOf = (ruleset: Ruleset, table: TableName, chain: string): readonly Rule[] =>
  ruleset.tables.find((t) => t.name === table)?.chains.find((c) => c.name === chain)?.rules ?? []

/** `iptables -t TABLE -S CHAIN`. */
function listChain(ruleset: Ruleset, table: TableName, chain: string): readonly string[] {
  const head = (builtinChains[table] as readonly string[]).includes(chain) ? `-P ${chain} ACCEPT` : `-N ${chain}`
  return [head, ...rulesOf(ruleset, table, chain).map((r) => formatRule(r, chain))]
}

const one = (text: string, family: Family): Rule => {
  const [rule] = parseRule(text, family).rules
  if (rule === undefined) throw new Error(`not a rule: ${text}`)
  return rule
}

function iptablesS({
  config,
  expect: expected,
}: {
  readonly config: Switches & { readonly kubeProxy?: string }
  readonly expect: { readonly nat: string; readonly filter: string; readonly natCommand?: string }
}) {
  const family = config.family ?? 'ipv4'
  // What kube-proxy has put there first is given; where flannel's jump ends up is the question.
  const before = expected.filter
    .split('\n')
    .filter((line) => line.startsWith('-A FORWARD') && !line.includes('FLANNEL'))
    .map((line): IptablesEdit => ({ op: 'append', table: 'filter', chain: 'FORWARD', rule: one(line, family) }))
  const ruleset = applyEdits(emptyRuleset(family), [...before, ...masqueradeEdits(planOf(config))])
  const postrouting = listChain(ruleset, 'nat', 'POSTROUTING')
  const shown = expected.natCommand?.includes('grep') ? postrouting.filter((l) => l.includes('FLANNEL')) : postrouting
  expect([...shown, ...listChain(ruleset, 'nat', 'FLANNEL-POSTRTG')].join('\n')).toBe(expected.nat)
  const filter = [...listChain(ruleset, 'filter', 'FORWARD'), ...listChain(ruleset, 'filter', 'FLANNEL-FWD')]
  expect(filter.join('\n')).toBe(expected.filter)
}

interface PortConfig {
  readonly hostPort: number
  readonly containerPort: number
  readonly protocol: string
  readonly hostIP?: string
}

const mappingOf = ({ hostPort, containerPort, protocol, hostIP }: PortConfig): PortMapping => ({
  hostPort,
  containerPort,
  protocol: protocol.toLowerCase() as TransportProtocol,
  ...(hostIP ? { hostIp: ip(hostIP) } : {}),
})

interface SaveConfig extends Partial<Switches> {
  readonly containerID?: string
  readonly containerAddress?: string
  readonly flannel?: Switches
  readonly portMappings?: readonly PortConfig[]
  readonly presentBefore?: readonly string[]
}

interface SaveCase {
  readonly name: string
  readonly config: SaveConfig
  readonly upstream: { readonly version: string }
  readonly expect: { readonly nat?: string; readonly filter?: string }
}

function iptablesSave(golden: SaveCase) {
  const ruleset = applyEdits(emptyRuleset('ipv4'), saveEdits(golden))
  const shown = (name: TableName): string => {
    const table = ruleset.tables.find((t) => t.name === name)
    const builtin = builtinChains[name].map((chain): Chain => ({ name: chain, policy: 'ACCEPT', rules: [] }))
    const chains = builtin.map((c) => table?.chains.find((d) => d.name === c.name) ?? c)
    const own = (table?.chains ?? []).filter((c) => !builtin.some((d) => d.name === c.name))
    return formatTable({ name, chains: [...chains, ...own] }).trimEnd()
  }
  for (const [name, text] of Object.entries(golden.expect)) expect(shown(name as TableName)).toBe(text)
}

function saveEdits({ config, upstream }: SaveCase): readonly IptablesEdit[] {
  const release = parseVersion(upstream.version) ?? newestFlannel
  const { containerID: containerId, containerAddress } = config
  if (containerId === undefined || containerAddress === undefined) {
    const before = (config.presentBefore ?? []).flatMap(presentBefore)
    return [...before, ...masqueradeEdits(planOf({ network: '', podCIDR: '', ...config }, release))]
  }
  const add = { network: config.network ?? '', containerId, address: address(containerAddress), version: release }
  if (!config.portMappings) return ipMasqEdits(add)
  const port = { ...add, mappings: config.portMappings.map(mappingOf), conf: defaultPortmapConf }
  if (release.minor < 7 && release.major === 0) return snatChainEdits(port)
  return [...(config.flannel ? masqueradeEdits(planOf(config.flannel)) : []), ...portmapEdits(port)]
}

/** `nat -A POSTROUTING -j KUBE-POSTROUTING`. */
function presentBefore(line: string): readonly IptablesEdit[] {
  const [table = '', ...rest] = line.split(' ')
  const { chain = '', rules } = parseRule(rest.join(' '), 'ipv4')
  const [rule] = rules
  if (rule?.target?.kind !== 'jump') throw new Error(`not a jump: ${line}`)
  return [
    { op: 'ensure-chain', table: table as TableName, chain: rule.target.chain },
    { op: 'append', table: table as TableName, chain, rule },
  ]
}

interface RestoreCase {
  readonly name: string
  readonly config: {
    readonly rules?: readonly { readonly table: TableName; readonly rule: string }[]
    readonly network?: string
    readonly podCIDR?: string
  }
  readonly expect: {
    readonly firstRun?: object
    readonly secondRun?: object
    readonly missing?: object
    readonly allPresent?: readonly []
    readonly count?: number
    readonly nat?: readonly string[]
  }
}

function restorePlan({ config, expect: expected }: RestoreCase) {
  const given = (config.rules ?? []).map(({ table, rule }): RestoreRule => {
    const [, chain = '', ...words] = rule.split(' ')
    return { table, chain, text: words.join(' ') }
  })
  if (expected.firstRun) expect(applyPlan(given, () => false)).toEqual(expected.firstRun)
  if (expected.secondRun) expect(applyPlan(given, () => true)).toEqual(expected.secondRun)
  if (expected.missing) expect(resyncPlan(given, () => false)).toEqual(expected.missing)
  if (expected.allPresent) expect(resyncPlan(given, () => true)).toEqual({})
  if (expected.nat && config.network && config.podCIDR) {
    const network = address(config.network)
    // The case keeps the host bits that the test's network has.
    const plan = {
      ...planOf({ network: config.network, podCIDR: config.podCIDR }),
      network: { address: network.ip, length: network.length },
    }
    const rules: readonly RestoreRule[] = [
      { table: 'nat', chain: 'POSTROUTING', text: formatRuleSpec(masqueradeJump(plan)) },
      ...masqueradeRules(plan).map(
        (r): RestoreRule => ({ table: 'nat', chain: 'FLANNEL-POSTRTG', text: formatRuleSpec(r) }),
      ),
    ]
    expect(rules).toHaveLength(expected.count ?? 0)
    expect(teardownPlan(rules)).toEqual({ nat: expected.nat })
  }
}

interface KubeletCase {
  readonly config: {
    readonly sandboxID: string
    readonly natInterface: string
    readonly pods: readonly {
      readonly name: string
      readonly namespace: string
      readonly ip: string
      readonly ports: readonly PortConfig[]
    }[]
  }
  readonly expect: { readonly chains: readonly string[]; readonly rules: readonly string[] }
}

function kubeletRules({ config, expect: expected }: KubeletCase) {
  const pods = config.pods.map((p) => ({
    name: p.name,
    namespace: p.namespace,
    sandboxId: config.sandboxID,
    ip: ip(p.ip),
    mappings: p.ports.map(mappingOf),
  }))
  const family = familyOf(ip(config.pods[0]?.ip ?? ''))
  const ruleset = applyEdits(emptyRuleset(family), kubeletHostportEdits(family, config.natInterface, pods))
  const chains = ruleset.tables.flatMap((t) => t.chains)
  const ours = chains.flatMap((c) => c.rules.map((r) => formatRule(r, c.name)))
  // The fake iptables of the test prints /32 behind an IPv6 address; ip6tables means /128 by it.
  const theirs = expected.rules.map((text) => {
    const meant = family === 'ipv6' ? text.replace(/(-s \S*:\S*)\/32/, '$1/128') : text
    return formatRule(one(meant, family), parseRule(meant, family).chain ?? '')
  })
  expect(ours.toSorted()).toEqual(theirs.toSorted())
  expect(
    chains
      .map((c) => c.name)
      .filter((n) => n.startsWith('KUBE'))
      .toSorted(),
  ).toEqual(expected.chains.toSorted())
}

function nftList({
  config,
  expect: expected,
}: {
  readonly config: Switches
  readonly expect: Record<string, unknown>
}) {
  const { postrtg, forward } = nftChains(planOf(config))
  expect({ postrtg, forward }).toEqual({ postrtg: expected.postrtg, forward: expected.forward })
}

interface PortmapConfig {
  readonly network?: string
  readonly containerID?: string
  readonly containerAddress?: string
  readonly snat?: boolean
  readonly masqAll?: boolean
  readonly markMasqBit?: number
  readonly externalSetMarkChain?: string
  readonly conditionsV4?: readonly string[]
  readonly conditionsV6?: readonly string[]
  readonly portMappings?: readonly PortConfig[]
}

const confOf = (config: PortmapConfig): PortmapConf => ({
  ...defaultPortmapConf,
  snat: config.snat ?? true,
  masqAll: config.masqAll ?? false,
  markMasqBit: config.markMasqBit ?? defaultPortmapConf.markMasqBit,
  ...(config.externalSetMarkChain ? { externalSetMarkChain: config.externalSetMarkChain } : {}),
  conditionsV4: config.conditionsV4 ?? [],
  conditionsV6: config.conditionsV6 ?? [],
})

const addOf = (config: PortmapConfig, release = newestPlugins): PortmapAdd => ({
  network: config.network ?? '',
  containerId: config.containerID ?? '',
  address: address(config.containerAddress ?? ''),
  mappings: (config.portMappings ?? []).map(mappingOf),
  conf: confOf(config),
  version: release,
})

type Shared = { readonly chain: string; readonly rules: readonly string[] }

function portmap(golden: {
  readonly config: PortmapConfig
  readonly expect:
    | readonly Shared[]
    | {
        readonly chain: string
        readonly rules: readonly string[]
        readonly save: readonly string[]
        readonly entryRuleArgs?: readonly (readonly string[])[]
      }
}) {
  if ('length' in golden.expect) return sharedChains(golden.config, golden.expect)
  const add = addOf(golden.config)
  const family = familyOf(add.address.ip)
  const { chain, rules, save, entryRuleArgs } = golden.expect
  expect(dnatChain(add)).toBe(chain)
  const ours = containerRules(add)
  expect(ours.map((r) => formatRule(r, chain))).toEqual(save)
  expect(ours.map((r) => formatRuleSpec(r))).toEqual(rules.map((text) => formatRuleSpec(one(text, family))))
  if (!entryRuleArgs) return
  // The conditions of the test are placeholders, no iptables words.
  const theirs = entryRuleArgs.map((args) => args.filter((a) => !['-a', 'b', '-c', 'd'].includes(a)))
  const text = theirs.map((args) => args.map((a) => (/[ "]/.test(a) ? JSON.stringify(a) : a)).join(' '))
  expect(entryRules(add).map((r) => formatRuleSpec({ ...r, target: { kind: 'return' } }))).toEqual(
    text.map((t) => formatRuleSpec({ ...one(t, family), target: { kind: 'return' } })),
  )
}

function sharedChains(
  config: PortmapConfig,
  shared: readonly (Shared & {
    readonly entryChains?: readonly string[]
    readonly entryRule?: string
    readonly prepend?: boolean
  })[],
) {
  const add = addOf({
    ...config,
    containerAddress: '10.0.0.2/24',
    portMappings: [{ hostPort: 1, containerPort: 1, protocol: 'tcp' }],
  })
  const edits = portmapEdits(add).filter((e) => e.chain !== dnatChain(add))
  for (const { chain, rules, entryChains = [], entryRule, prepend } of shared) {
    const own = edits.filter((e) => 'rule' in e && e.chain === chain && !chain.endsWith('DNAT'))
    expect(own.flatMap((e) => ('rule' in e ? [formatRuleSpec(e.rule)] : []))).toEqual(rules)
    const jumps = edits.flatMap((e) =>
      'rule' in e && e.rule.target?.kind === 'jump' && e.rule.target.chain === chain ? [e] : [],
    )
    expect(jumps.map((e) => e.chain)).toEqual(entryChains)
    for (const e of jumps) {
      expect(formatRuleSpec(e.rule)).toBe(`${entryRule} -j ${chain}`)
      expect(e.op).toBe(prepend ? 'ensure-prepended' : 'ensure-appended')
    }
  }
}

interface KnftCase {
  readonly name: string
  readonly upstream: { readonly version: string }
  readonly config: PortmapConfig & { readonly add?: readonly AddConfig[] }
  readonly cases?: readonly { readonly containerAddress: string; readonly masqAll: boolean; readonly expect: string }[]
  readonly expect?: { readonly dump?: string; readonly v4?: string; readonly v6?: string } | readonly Step[]
}
interface AddConfig {
  readonly network: string
  readonly ifname: string
  readonly containerID: string
  readonly addresses: readonly string[]
}
interface Step {
  readonly step: string
  readonly dump: string
}

function knftablesDump(golden: KnftCase) {
  // `v1.9.1-9-g...` comes after v1.9.1.
  const release = golden.upstream.version.includes('v1.9.1-') ? version('v1.9.2') : newestPlugins
  for (const row of golden.cases ?? []) {
    const add = addOf({ ...golden.config, ...row }, release)
    expect(dumpTable(hostportTable(familyOf(add.address.ip), [add], add.conf))).toBe(row.expect)
  }
  const { expect: expected } = golden
  if (expected === undefined) return
  if ('length' in expected) return ipMasqSteps(golden.config.add ?? [], expected)
  if (expected.dump !== undefined) {
    const add = addOf(golden.config)
    expect(dumpTable(hostportTable(familyOf(add.address.ip), [add], add.conf))).toBe(expected.dump)
    return
  }
  // After DEL: the IPv4 attachment had snat, the IPv6 one had not.
  expect(dumpTable(hostportTable('ipv4', [], confOf({ ...golden.config, snat: true })))).toBe(expected.v4)
  expect(dumpTable(hostportTable('ipv6', [], confOf({ ...golden.config, snat: false })))).toBe(expected.v6)
}

const ownerOf = ({ network, ifname, containerID: containerId }: AddConfig) => ({ network, ifname, containerId })

function ipMasqSteps(adds: readonly AddConfig[], steps: readonly Step[]) {
  const unit = (containerId: string) => ({ network: 'unit-test', ifname: 'eth0', containerId })
  let checks: MasqChecks = []
  const actions: readonly (() => void)[] = [
    () => {
      for (const add of adds) checks = addMasqChecks(checks, ownerOf(add), add.addresses.map(address))
    },
    () => {
      checks = addMasqChecks(checks, unit('four'), [address('192.168.1.1/24')])
      checks = deleteMasqChecks(checks, unit('one'))
    },
    () => {
      checks = collectMasqChecks(checks, 'unit-test', ['one', 'two', 'three'].map(unit))
      checks = collectMasqChecks(checks, 'alternate', [{ network: 'alternate', ifname: 'net1', containerId: 'three' }])
    },
    () => {
      checks = collectMasqChecks(collectMasqChecks(checks, 'unit-test', []), 'alternate', [])
    },
  ]
  expect(steps).toHaveLength(actions.length)
  for (const [i, { step, dump }] of steps.entries()) {
    actions[i]?.()
    expect(dumpTable(masqueradeTable(checks)), step).toBe(dump)
  }
}

interface RouteEventsCase {
  readonly cases: readonly {
    readonly family: Family
    readonly dev: string
    readonly devAddress?: string
    readonly events: readonly { readonly type: string; readonly subnet: string; readonly publicIP: string }[]
    readonly expectRoutes: readonly (readonly string[])[]
  }[]
}

function routeEvents({ cases }: RouteEventsCase) {
  for (const { family, dev, devAddress, events, expectRoutes } of cases) {
    const leaseOf = (name: string, subnet: string, publicIp: string): Lease => {
      const part = { subnet: prefix(subnet), publicIp: ip(publicIp), local: ip(publicIp), vtepMac: setMac }
      return { node: node(name, [subnet]), parts: { [family]: part }, published: true }
    }
    const own = devAddress ?? '127.0.0.1/8'
    const backend = hostGw({
      lease: leaseOf('self', family === 'ipv4' ? '10.0.0.0/24' : '2001:db8:5::/64', address(own).ip),
      uplink: uplink([own], deviceName(dev)),
      conf: defaultNetConf([]),
      version: newestFlannel,
      origin: { by: 'flannel' },
    })
    const tables = new HostTables()
    events.forEach((event, i) => {
      const lease = leaseOf('peer', event.subnet, event.publicIP)
      tables.apply(backend.added({ lease, podAddresses: () => [], origin: { by: 'flannel' } }, tables).commands)
      const shown = tables.routes.map((r) => formatRoute(r).replace(' metric 1024 pref medium', ''))
      expect(shown).toEqual(expectRoutes[i])
    })
  }
}

const setMac = mac('02:00:00:00:00:01')
