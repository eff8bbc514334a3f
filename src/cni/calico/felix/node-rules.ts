import type { IpSet } from '../../../artefact/ipset.ts'
import type { IptablesEdit } from '../../../artefact/iptables/edit.ts'
import type { Origin } from '../../../artefact/origin.ts'
import { type Selector, selects } from '../../../kube/calico-selector.ts'
import type { HostEndpoint } from '../../../kube/objects/calico.ts'
import type { Labels } from '../../../kube/objects/meta.ts'
import { type Family, familyOf } from '../../../net/ip.ts'
import { formatPrefix, prefixFamily } from '../../../net/prefix.ts'
import { originOf } from '../../origin.ts'
import type { Tier, Workload } from '../model/cluster.ts'
import { type CalicoPolicy, rulesOf, shortKinds } from '../model/policy.ts'
import { policySelector, policySelectorText } from '../model/rule-selector.ts'
import { chainName, groupChain, olderGroupChain } from '../names.ts'
import { bgpConfiguration, type CalicoNode, type CalicoPlan, hasEncap } from '../plan.ts'
import { anyInterface, endpointMarkDispatch, hostDispatch, workloadDispatch } from './dispatch.ts'
import {
  type EndpointContext,
  type EndpointRules,
  type EndpointTier,
  groupChainOf,
  hostFilterChains,
  hostMangleEgress,
  hostMangleIngress,
  hostRawChains,
  type PolicyJump,
  workloadChains,
} from './endpoint.ts'
import { allocateMarks } from './marks.ts'
import { natOutgoingChain } from './nat-outgoing.ts'
import { parseCalicoRule } from './parse-rule.ts'
import { type PolicyContext, policyRules } from './policy-chain.ts'
import { type FelixChain, jumpTo, setMark } from './rule.ts'
import { felixSet, netMembersOf, SetRegistry } from './set-registry.ts'
import {
  failsafeChains,
  filterChains,
  forwardAccept,
  mangleChains,
  natChains,
  rawChains,
  type StaticConfig,
} from './static.ts'
import { type FelixTable, type KernelChain, tableEdits } from './write.ts'

/** What Felix programs into one node's tables of one family. */
export interface NodeRules {
  readonly edits: readonly IptablesEdit[]
  readonly ipsets: readonly IpSet[]
}

type Direction = 'ingress' | 'egress'

/** `ipvs`: kube-proxy's mode on this node. */
export interface RuleOptions {
  readonly ipvs?: boolean
}

export function nodeRules(plan: CalicoPlan, self: CalicoNode, family: Family, options: RuleOptions = {}): NodeRules {
  const writer = new RuleWriter(plan, self, family, options)
  const tables = writer.tables()
  return { edits: tables.flatMap((table) => tableEdits(table, family)), ipsets: writer.ipsets() }
}

/** One node's rules while they are put together: endpoints ask for policies, policies for sets. */
class RuleWriter {
  readonly #plan: CalicoPlan
  readonly #self: CalicoNode
  readonly #family: Family
  readonly #config: StaticConfig
  readonly #endpoint: EndpointContext
  readonly #sets: SetRegistry
  /** Chains of policies, groups and profiles, by table and name. */
  readonly #asked = new Map<string, Map<string, FelixChain>>()

  constructor(plan: CalicoPlan, self: CalicoNode, family: Family, options: RuleOptions) {
    this.#plan = plan
    this.#self = self
    this.#family = family
    this.#config = staticConfig(plan, self, family, options.ipvs ?? false)
    this.#endpoint = endpointContext(plan, self, this.#config)
    this.#sets = new SetRegistry(plan.policy)
  }

  tables(): readonly FelixTable[] {
    const hosts = this.#hostEndpoints()
    const filter = this.#filter(hosts)
    return [this.#raw(hosts), this.#mangle(hosts), this.#nat(), filter]
  }

  ipsets(): readonly IpSet[] {
    return [...staticSets(this.#plan, this.#self, this.#family), ...this.#sets.ipSets(this.#family)]
  }

  #filter(hosts: readonly HostInterface[]): FelixTable {
    const c = this.#config
    const { workloads } = this.#self
    const interfaces = workloads.map((w) => w.interface)
    const endpoints = workloads.flatMap((w) => workloadChains(this.#workload(w), this.#endpoint))
    const hostChains = hosts.flatMap((h) =>
      hostFilterChains(this.#host(h, isPlain, 'filter'), this.#tiers(h.labels, isOnForward, 'filter'), this.#endpoint),
    )
    const jump = (chain: string) => [{ action: jumpTo(chain) }]
    const accepted = [forwardAccept(c.marks, c.filterAllowAction), { action: setMark(c.marks.accept) }]
    return {
      table: 'filter',
      chains: [
        ...filterChains(c),
        ...workloadDispatch(interfaces, c.filterDenyAction),
        ...(c.ipvs ? endpointMarkDispatch(interfaces, c.marks, c.interfacePrefixes, c.filterDenyAction) : []),
        ...endpoints,
        ...hostDispatches(hosts, 'filter'),
        ...hostChains,
        ...failsafeChains(c, 'filter'),
        ...this.#chainsOf('filter'),
      ],
      kernel: [
        this.#hook('INPUT', jump('cali-INPUT')),
        { ...this.#hook('FORWARD', jump('cali-FORWARD')), appended: this.#appended(jump('cali-FORWARD'), accepted) },
        this.#hook('OUTPUT', jump('cali-OUTPUT')),
      ],
    }
  }

  /** `chainInsertMode: append`: the jump goes to the end, in front of the rules that always stand there. */
  #hook(chain: string, jump: KernelChain['inserted']): KernelChain {
    return this.#self.felix.appends ? { chain, inserted: [], appended: jump } : { chain, inserted: jump, appended: [] }
  }

  #appended(jump: KernelChain['inserted'], rules: KernelChain['appended']): KernelChain['appended'] {
    return this.#self.felix.appends ? [...jump, ...rules] : rules
  }

  #raw(hosts: readonly HostInterface[]): FelixTable {
    const chains = hosts.flatMap((h) => hostRawChains(this.#host(h, isUntracked, 'raw', []), this.#endpoint))
    return {
      table: 'raw',
      chains: [
        ...rawChains(this.#config),
        { name: 'cali-rpf-skip', rules: [] },
        ...hostDispatches(hosts, 'raw'),
        ...chains,
        ...failsafeChains(this.#config, 'raw'),
        ...this.#chainsOf('raw'),
      ],
      kernel: [
        this.#hook('PREROUTING', [{ action: jumpTo('cali-PREROUTING') }]),
        this.#hook('OUTPUT', [{ action: jumpTo('cali-OUTPUT') }]),
      ],
    }
  }

  #mangle(hosts: readonly HostInterface[]): FelixTable {
    const chains = hosts.flatMap((h) => [
      hostMangleIngress(this.#host(h, isPreDnat, 'mangle', []), this.#endpoint),
      hostMangleEgress(this.#host(h, isPlain, 'mangle'), this.#endpoint),
    ])
    return {
      table: 'mangle',
      chains: [
        ...mangleChains(this.#config),
        { name: 'cali-egress-dscp', rules: [] },
        ...hostDispatches(hosts, 'mangle'),
        ...chains,
        ...failsafeChains(this.#config, 'mangle'),
        ...this.#chainsOf('mangle'),
      ],
      kernel: [
        this.#hook('PREROUTING', [{ action: jumpTo('cali-PREROUTING') }]),
        this.#hook('POSTROUTING', [{ action: jumpTo('cali-POSTROUTING') }]),
      ],
    }
  }

  #nat(): FelixTable {
    const { felix } = this.#self
    const { pools, generation } = this.#plan
    const nat = natOutgoingChain({
      family: this.#family,
      active: pools.some((p) => p.natOutgoing && prefixFamily(p.cidr) === this.#family),
      poolSet: generation.poolSet,
      excludesHosts: felix.natExcludesHosts,
      address: felix.natOutgoingAddress,
      ports: felix.natPortRange,
      outInterface: felix.natOutInterface,
      randomFully: true,
    })
    const jump = [{ action: jumpTo('cali-POSTROUTING') }]
    const last = generation.natPostrouting === 'appended'
    return {
      table: 'nat',
      chains: [...natChains(this.#config), nat],
      kernel: [
        this.#hook('PREROUTING', [{ action: jumpTo('cali-PREROUTING') }]),
        this.#hook('OUTPUT', [{ action: jumpTo('cali-OUTPUT') }]),
        last ? { chain: 'POSTROUTING', inserted: [], appended: jump } : this.#hook('POSTROUTING', jump),
      ],
    }
  }

  #workload(w: Workload): EndpointRules {
    const profiles = w.profiles
    for (const profile of profiles) this.#askProfile(profile, 'filter')
    return {
      interface: w.interface,
      adminUp: true,
      tiers: this.#tiers(w.allLabels, () => true, 'filter'),
      profiles,
      title: `${w.namespace}/${w.pod}`,
      origin: { by: 'calico', note: `pod ${w.namespace}/${w.pod}`, object: w.object },
    }
  }

  #host(
    { name, endpoint, labels }: HostInterface,
    wanted: (p: CalicoPolicy) => boolean,
    table: string,
    profiles = endpoint.spec.profiles ?? [],
  ): EndpointRules {
    for (const profile of profiles) this.#askProfile(profile, table)
    return {
      interface: name,
      adminUp: true,
      tiers: this.#tiers(labels, wanted, table),
      profiles,
      title: `HostEndpoint ${endpoint.metadata.name}`,
      origin: originOf(this.#plan.objects, 'calico', `HostEndpoint ${endpoint.metadata.name}`, endpoint, ['spec']),
    }
  }

  #hostEndpoints(): readonly HostInterface[] {
    const { uplink, name, addresses } = this.#self
    const { hostEndpoints, profile } = this.#plan.policy
    return hostEndpoints
      .filter((h) => h.spec.node === name)
      .flatMap((endpoint): HostInterface[] => {
        const { interfaceName, expectedIPs = [], profiles = [] } = endpoint.spec
        const inherited = Object.assign({}, ...profiles.map((p) => profile(p)?.labelsToApply ?? {}))
        const labels = { ...inherited, ...endpoint.metadata.labels }
        if (interfaceName === '*') return [{ name: anyInterface, any: true, endpoint, labels }]
        const byAddress = Object.values(addresses).some((a) => expectedIPs.includes(a.ip)) ? uplink.device : undefined
        const device = interfaceName ?? byAddress
        return device === undefined ? [] : [{ name: device, any: false, endpoint, labels }]
      })
  }

  /** The tiers that have policies for these labels; each policy's chain is asked for. */
  #tiers(labels: Labels, wanted: (p: CalicoPolicy) => boolean, table: string): readonly EndpointTier[] {
    return this.#plan.policy.tiers.flatMap((tier) => {
      const chosen = tier.policies.filter((p) => wanted(p) && selects(selectorOf(p), labels))
      const jumps = (direction: Direction) => this.#jumps(tier, chosen, direction, table)
      const made = {
        name: tier.name,
        defaultAction: tier.defaultAction,
        ingress: jumps('ingress'),
        egress: jumps('egress'),
      }
      return made.ingress.length + made.egress.length > 0 ? [made] : []
    })
  }

  /** Consecutive policies of one selector share a chain. */
  #jumps(tier: Tier, policies: readonly CalicoPolicy[], direction: Direction, table: string): readonly PolicyJump[] {
    const type = direction === 'ingress' ? 'Ingress' : 'Egress'
    const groups: { readonly selector: string; readonly policies: CalicoPolicy[] }[] = []
    for (const policy of policies.filter((p) => p.types.includes(type))) {
      const selector = policySelectorText(policy)
      const last = groups.at(-1)
      if (last?.selector === selector) last.policies.push(policy)
      else groups.push({ selector, policies: [policy] })
    }
    return groups.map((group) => {
      for (const policy of group.policies) this.#askPolicy(policy, direction, table)
      const [first] = group.policies
      const origin = first && this.#origin(first, direction, [])
      if (group.policies.length === 1 && first) {
        return { kind: 'policy', id: policyId(first, this.#plan), ...(origin ? { origin } : {}) }
      }
      const chain = this.#groupName(tier, group, direction)
      const members = group.policies.map((p) => policyChain(p, direction, this.#plan))
      this.#ask(table, groupChainOf(chain, members, this.#config.marks))
      const names = group.policies.map((p) => `${p.kind} ${p.name}`).join(', ')
      return { kind: 'group', chain, ...(origin ? { origin: { ...origin, note: `${origin.note}: ${names}` } } : {}) }
    })
  }

  #groupName(
    tier: Tier,
    { selector, policies }: { readonly selector: string; readonly policies: readonly CalicoPolicy[] },
    direction: Direction,
  ): string {
    const way = direction === 'ingress' ? 'inbound' : 'outbound'
    if (this.#plan.generation.groups === 'tier-and-names') {
      return olderGroupChain(tier.name, selector, way, policies.map(storedName))
    }
    return groupChain(
      selector,
      way,
      policies.map((p) => ({ name: p.name, namespace: p.namespace ?? '', kind: p.kind })),
    )
  }

  #askPolicy(policy: CalicoPolicy, direction: Direction, table: string): void {
    const name = policyChain(policy, direction, this.#plan)
    if (this.#asked.get(table)?.has(name)) return
    const rules = rulesOf(policy, direction).map((rule, i) =>
      parseCalicoRule(
        rule,
        policy.namespace,
        this.#sets,
        this.#origin(policy, direction, policy.paths[direction][i] ?? []),
      ),
    )
    const context: PolicyContext = {
      ...this.#ruleContext(direction),
      owner: {
        type: 'policy',
        id: policyId(policy, this.#plan),
        shortKind: shortKinds[policy.kind],
        name: policy.name,
        tier: policy.tier,
        ...(policy.namespace === undefined ? {} : { namespace: policy.namespace }),
      },
    }
    const written = policyRules(rules, `${policyTitle(policy, this.#plan)} ${direction}`, context)
    const origin = this.#origin(policy, direction, [])
    this.#ask(table, { name, rules: written.map((rule) => ({ origin, ...rule })) })
  }

  #askProfile(name: string, table: string): void {
    const profile = this.#plan.policy.profile(name)
    for (const direction of ['ingress', 'egress'] as const) {
      const chain = chainName(direction === 'ingress' ? 'cali-pri-' : 'cali-pro-', name)
      const origin: Origin = { by: 'calico', note: `profile ${name}` }
      const rules = (profile?.[direction] ?? []).map((rule) => parseCalicoRule(rule, undefined, this.#sets, origin))
      const owner = { type: 'profile', id: name, shortKind: '', name, tier: '' } as const
      const context = { ...this.#ruleContext(direction), owner }
      this.#ask(table, { name: chain, rules: policyRules(rules, `Profile ${name} ${direction}`, context) })
    }
  }

  #ruleContext(direction: Direction): Omit<PolicyContext, 'owner'> {
    const { felix } = this.#self
    return {
      family: this.#family,
      marks: this.#config.marks,
      denyAction: felix.filterDenyAction,
      logPrefix: felix.logPrefix,
      flowLogs: felix.flowLogs,
      direction,
    }
  }

  #origin(policy: CalicoPolicy, direction: Direction, path: readonly (string | number)[]): Origin {
    return originOf(this.#plan.objects, 'calico', `${direction} policy`, policy.source, path)
  }

  #ask(table: string, chain: FelixChain): void {
    const chains = this.#asked.get(table) ?? new Map<string, FelixChain>()
    chains.set(chain.name, chain)
    this.#asked.set(table, chains)
  }

  #chainsOf(table: string): readonly FelixChain[] {
    return [...(this.#asked.get(table)?.values() ?? [])]
  }
}

interface HostInterface {
  readonly name: string
  readonly any: boolean
  readonly endpoint: HostEndpoint
  readonly labels: Labels
}

const isUntracked = (p: CalicoPolicy): boolean => p.spec.doNotTrack === true
const isPreDnat = (p: CalicoPolicy): boolean => p.spec.preDNAT === true
const isPlain = (p: CalicoPolicy): boolean => !isUntracked(p) && !isPreDnat(p)
const isOnForward = (p: CalicoPolicy): boolean => isPlain(p) && p.spec.applyOnForward === true

const selectors = new WeakMap<CalicoPolicy, Selector>()

function selectorOf(policy: CalicoPolicy): Selector {
  const known = selectors.get(policy)
  if (known) return known
  const made = policySelector(policy)
  selectors.set(policy, made)
  return made
}

/** Where packets of the node itself find their host endpoint. */
function hostDispatches(hosts: readonly HostInterface[], table: 'raw' | 'mangle' | 'filter'): readonly FelixChain[] {
  const names = hosts.filter((h) => !h.any).map((h) => h.name)
  const any = hosts.some((h) => h.any)
  const both = [
    ...hostDispatch('cali-from-host-endpoint', '--in-interface', 'cali-fh-', names, any),
    ...hostDispatch('cali-to-host-endpoint', '--out-interface', 'cali-th-', names, any),
  ]
  if (table !== 'filter') return both
  return [
    ...both,
    ...hostDispatch('cali-from-hep-forward', '--in-interface', 'cali-fhfw-', names, any),
    ...hostDispatch('cali-to-hep-forward', '--out-interface', 'cali-thfw-', names, any),
  ]
}

/** `knp.default.allow-client`: how the datastore called what came from Kubernetes, up to 3.31. */
const storedName = (policy: CalicoPolicy): string => {
  switch (policy.kind) {
    case 'KubernetesNetworkPolicy':
      return `${policy.namespace}/knp.default.${policy.name}`
    case 'KubernetesClusterNetworkPolicy':
      return `kcnp.${policy.name}`
    case 'NetworkPolicy':
      return `${policy.namespace}/${policy.name}`
    case 'GlobalNetworkPolicy':
      return policy.name
  }
}

export function policyId(policy: CalicoPolicy, { generation }: Pick<CalicoPlan, 'generation'>): string {
  switch (generation.policyIds) {
    case 'key':
      return policy.namespace === undefined ? `default.${policy.name}` : storedName(policy)
    case 'tier-and-key':
      return `${policy.tier}/${storedName(policy)}`
    case 'kind':
      return [shortKinds[policy.kind], policy.namespace, policy.name].filter((t) => t !== undefined).join('/')
  }
}

const policyChain = (policy: CalicoPolicy, direction: Direction, plan: CalicoPlan): string =>
  chainName(direction === 'ingress' ? 'cali-pi-' : 'cali-po-', policyId(policy, plan))

function policyTitle(policy: CalicoPolicy, { generation }: CalicoPlan): string {
  if (generation.policyIds !== 'kind') return `Policy ${storedName(policy)}`
  return `${policy.kind} ${policy.namespace === undefined ? '' : `${policy.namespace}/`}${policy.name}`
}

function staticConfig(plan: CalicoPlan, self: CalicoNode, family: Family, ipvs: boolean): StaticConfig {
  const { felix, tunnels } = self
  const config = bgpConfiguration(plan.objects)
  const ranges = [
    ...(config.serviceClusterIPs ?? []),
    ...(config.serviceExternalIPs ?? []),
    ...(config.serviceLoadBalancerIPs ?? []),
  ].flatMap((s) => s.cidr ?? [])
  return {
    family,
    marks: allocateMarks(felix.markMask, { dropBit: plan.generation.dropMark }),
    generation: plan.generation,
    interfacePrefixes: felix.interfacePrefixes,
    filterAllowAction: felix.filterAllowAction,
    mangleAllowAction: felix.mangleAllowAction,
    filterDenyAction: felix.filterDenyAction,
    endpointToHostAction: felix.endpointToHostAction,
    ipip: hasEncap(plan, 'ipip', family),
    vxlan: hasEncap(plan, 'vxlan', family),
    vxlanPort: felix.vxlanPort,
    ipipAddress: tunnels.ipip !== undefined,
    vxlanAddress: tunnels.vxlan[family] !== undefined,
    randomFully: true,
    ipvs,
    nodePortRanges: felix.nodePortRanges,
    failsafeInbound: felix.failsafeInbound,
    failsafeOutbound: felix.failsafeOutbound,
    serviceLoopRanges: [...new Set(ranges)].filter((r) => r.includes(':') === (family === 'ipv6')),
    serviceLoopAction: felix.serviceLoopAction,
  }
}

const endpointContext = (plan: CalicoPlan, { felix }: CalicoNode, c: StaticConfig): EndpointContext => ({
  marks: c.marks,
  generation: plan.generation,
  filterAllowAction: c.filterAllowAction,
  mangleAllowAction: c.mangleAllowAction,
  denyAction: c.filterDenyAction,
  vxlanPort: c.vxlanPort,
  dropEncapFromWorkloads: felix.dropEncapFromWorkloads,
  conntrackInvalidCheck: felix.conntrackInvalidCheck,
  flowLogs: felix.flowLogs,
})

/** Sets that exist whatever the policies say. */
function staticSets(plan: CalicoPlan, self: CalicoNode, family: Family): readonly IpSet[] {
  const { generation, pools, nodes } = plan
  const net = (id: string, members: readonly string[], note: string) =>
    felixSet(family, id, 'hash:net', netMembersOf(members), note)
  const cidrs = (list: typeof pools): readonly string[] => list.map((p) => formatPrefix(p.cidr))
  const real = pools.filter((p) => p.uses.some((use) => use !== 'LoadBalancer'))
  const addressesOf = (list: Iterable<CalicoNode>): readonly string[] =>
    [...list].flatMap((n) => n.addresses[family]?.ip ?? [])
  const others = [...nodes.values()].filter((n) => n !== self)
  const external = self.felix.externalNodes
  const ipip = family === 'ipv4' && hasEncap(plan, 'ipip', family)
  return [
    net('masq-ipam-pools', cidrs(real.filter((p) => p.natOutgoing)), 'pools with natOutgoing'),
    net(generation.poolSet, cidrs(real), 'all pools'),
    felixSet(family, 'this-host', 'hash:ip', hostAddresses(self, family), `addresses of ${self.name}`),
    ...(generation.dscp ? [net('dscp-src-net', [], 'pods with a DSCP annotation')] : []),
    ...(ipip || self.felix.natExcludesHosts
      ? [net('all-hosts-net', [...addressesOf(nodes.values()), ...external], 'nodes')]
      : []),
    ...(hasEncap(plan, 'vxlan', family)
      ? [net('all-vxlan-net', [...addressesOf(others), ...external], 'other nodes')]
      : []),
  ]
}

function hostAddresses({ uplink, tunnels }: CalicoNode, family: Family): readonly string[] {
  const own = uplink.addresses.map((a) => a.ip).filter((ip) => familyOf(ip) === family)
  const ipip = family === 'ipv4' && tunnels.ipip ? [tunnels.ipip] : []
  const vxlan = tunnels.vxlan[family]
  return [family === 'ipv4' ? '127.0.0.1' : '::1', ...own, ...ipip, ...(vxlan ? [vxlan] : [])]
}
