import { type Family, type Ip, parseIp } from '../net/ip.ts'
import { formatPrefix, type Prefix, prefix, prefixCovers, prefixesOverlap, prefixFamily } from '../net/prefix.ts'
import { parseApiCidr } from './addresses.ts'
import { type Problem, problem } from './problem.ts'
import { type Claim, type ClaimedSetting, claimsOf } from './setting-claims.ts'
import type { ObjectReader } from './store.ts'

/** What the objects that configure a cluster say about its address plan. Flags override. */
export interface ClusterSettings {
  /** Pod networks, at most one per family. Default 10.244.0.0/16, fd00:10:244::/56 where Services have IPv6. */
  readonly podNetworks: readonly Prefix[]
  /** Service networks, at most one per family. Default 10.96.0.0/12, fd00:10:96::/112 where pods have IPv6. */
  readonly serviceNetworks: readonly Prefix[]
  /** Length of a node's podCIDR per family. Default 24 and 64. */
  readonly nodeMaskLength: { readonly ipv4: number; readonly ipv6: number }
  /** Addresses of the first and the last podCIDR to give out, at most one per family, where flannel's SubnetMin and SubnetMax say so. */
  readonly nodeBlocks?: { readonly first: readonly Ip[]; readonly last: readonly Ip[] }
  /** Default `cluster.local`. */
  readonly clusterDomain: string
  /** Node port range, inclusive. */
  readonly nodePorts: { readonly from: number; readonly to: number }
  /** `1.34`, where it is known. */
  readonly kubeVersion: string
  /** Overrides what kube-proxy's configuration says. */
  readonly proxyMode?: 'iptables' | 'ipvs' | 'nftables'
}

/** Which settings somebody gave: an object, or a flag. The others are defaults. */
export interface StatedSettings {
  readonly podNetworks: boolean
  readonly serviceNetworks: boolean
  readonly nodePorts: boolean
}

export interface SettingsResult {
  readonly settings: ClusterSettings
  readonly stated: StatedSettings
  readonly problems: readonly Problem[]
}

/** The newest Kubernetes whose behaviour is followed. */
export const baselineVersion = '1.36'

const defaultPodNetwork = prefix('10.244.0.0/16')
const defaultPodNetwork6 = prefix('fd00:10:244::/56')
const defaultServiceNetwork = prefix('10.96.0.0/12')
const defaultServiceNetwork6 = prefix('fd00:10:96::/112')

/**
 * The settings of a cluster. Each is taken from the first source that has it: a flag, kubeadm's ClusterConfiguration, the
 * arguments of the control plane's pods, the CNI's and kube-proxy's configuration, what nodes have already; else the default.
 */
export function clusterSettings(objects: ObjectReader, flags: Partial<ClusterSettings> = {}): SettingsResult {
  const problems: Problem[] = []
  const read = readClaims(claimsOf(objects, problems), problems)
  const pods = flags.podNetworks ?? read.networks('podNetwork')
  const services = flags.serviceNetworks ?? read.networks('serviceNetwork')
  const podNetworks = pods.length > 0 ? pods : usualNetworks(services, defaultPodNetwork, defaultPodNetwork6)
  const serviceNetworks =
    services.length > 0 ? services : usualNetworks(pods, defaultServiceNetwork, defaultServiceNetwork6)
  const nodePorts = flags.nodePorts ?? read.range('nodePorts')
  const settings: ClusterSettings = {
    podNetworks,
    serviceNetworks,
    nodeMaskLength: flags.nodeMaskLength ?? {
      ipv4: read.number('nodeMaskLength4') ?? defaultMask('ipv4', podNetworks),
      ipv6: read.number('nodeMaskLength6') ?? defaultMask('ipv6', podNetworks),
    },
    ...nodeBlocks(read),
    clusterDomain: flags.clusterDomain ?? read.text('clusterDomain') ?? 'cluster.local',
    nodePorts: nodePorts ?? { from: 30000, to: 32767 },
    kubeVersion: flags.kubeVersion ?? read.text('kubeVersion') ?? baselineVersion,
    ...(flags.proxyMode && { proxyMode: flags.proxyMode }),
  }
  problems.push(...overlaps(settings, read), ...badMasks(settings, read))
  const stated = {
    podNetworks: pods.length > 0,
    serviceNetworks: services.length > 0,
    nodePorts: nodePorts !== undefined,
  }
  return { settings, stated, problems }
}

/** The usual networks of the families that the given ones have, in their order; IPv4 where nothing is given. */
function usualNetworks(given: readonly Prefix[], ipv4: Prefix, ipv6: Prefix): readonly Prefix[] {
  const usual = given.map((network) => (prefixFamily(network) === 'ipv4' ? ipv4 : ipv6))
  return usual.length > 0 ? usual : [ipv4]
}

function nodeBlocks(read: ReadClaims): Pick<ClusterSettings, 'nodeBlocks'> {
  const [first, last] = [read.addresses('firstNodeBlock'), read.addresses('lastNodeBlock')]
  return first.length + last.length > 0 ? { nodeBlocks: { first, last } } : {}
}

interface ReadClaims {
  /** Those that are addresses; what is none, whose setting it is tells. */
  addresses(setting: ClaimedSetting): readonly Ip[]
  networks(setting: ClaimedSetting): readonly Prefix[]
  number(setting: ClaimedSetting): number | undefined
  text(setting: ClaimedSetting): string | undefined
  range(setting: ClaimedSetting): { readonly from: number; readonly to: number } | undefined
  /** The claim that was heard first, for messages. */
  first(setting: ClaimedSetting): Claim | undefined
}

/** The first value that parses wins; every one that does not is a problem. */
function readClaims(claims: readonly Claim[], problems: Problem[]): ReadClaims {
  const of = (setting: ClaimedSetting): readonly Claim[] => claims.filter((c) => c.setting === setting)
  const firstOf = <T>(
    setting: ClaimedSetting,
    expected: string,
    parse: (text: string) => T | undefined,
  ): T | undefined => {
    const values = of(setting).flatMap((claim) => {
      const value = parse(claim.text)
      if (value === undefined) problems.push(badSetting(claim, expected))
      return value === undefined ? [] : [value]
    })
    return values[0]
  }
  return {
    addresses: (setting) => of(setting).flatMap((claim) => parseIp(claim.text) ?? []),
    networks: (setting) => firstPerFamily(of(setting), problems),
    number: (setting) => firstOf(setting, 'a prefix length', parseLength),
    text: (setting) => {
      if (setting === 'kubeVersion') return firstOf(setting, 'a version such as v1.34.1', parseVersion)
      return firstOf(setting, 'a DNS name such as cluster.local', parseDomain)
    },
    range: (setting) => firstOf(setting, 'a range such as 30000-32767', parseRange),
    first: (setting) => of(setting)[0],
  }
}

function badSetting(claim: Claim, expected: string): Problem {
  const { subject, who, text } = claim
  return problem('BAD_SETTING', subject, { setting: who, expected, found: text })
}

function firstPerFamily(claims: readonly Claim[], problems: Problem[]): readonly Prefix[] {
  const found = new Map<Family, Prefix>()
  for (const claim of claims) {
    for (const text of claim.text.split(',').map((t) => t.trim())) {
      const network = parseApiCidr(text)
      if (!network) problems.push(badSetting({ ...claim, text }, 'a CIDR block such as 10.244.0.0/16'))
      else if (!found.has(prefixFamily(network)))
        found.set(prefixFamily(network), claim.guess ? orUsual(network, claim) : network)
    }
  }
  const networks = [...found.values()]
  return networks.some((n) => n !== defaultPodNetwork && n !== defaultServiceNetwork) ? networks : []
}

/** What nodes have already, and the default itself where it is within that: alone, the default says nothing. */
function orUsual(network: Prefix, claim: Claim): Prefix {
  const usual = claim.setting === 'podNetwork' ? defaultPodNetwork : defaultServiceNetwork
  return prefixCovers(usual, network) ? usual : network
}

const parseLength = (text: string): number | undefined =>
  /^\d{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= 128 ? Number(text) : undefined

const parseVersion = (text: string): string | undefined => /^v?(1\.\d+)(?![\d])/.exec(text)?.[1]

const parseDomain = (text: string): string | undefined => {
  const plain = text.replace(/\.$/, '').toLowerCase()
  return /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(plain) ? plain : undefined
}

/** `30000-32767`, or base and size `30000+2768` (apimachinery `PortRange.Set`). */
function parseRange(text: string): { readonly from: number; readonly to: number } | undefined {
  const [, first, sign, second] = /^(\d{1,5})(?:([-+])(\d{1,5}))?$/.exec(text.trim()) ?? []
  if (first === undefined) return undefined
  const from = Number(first)
  const to = second === undefined ? from : sign === '+' ? from + Number(second) : Number(second)
  return from <= to && to <= 65535 ? { from, to } : undefined
}

/** As flannel has it: longer than the default where the network is too small for that. */
function defaultMask(family: Family, networks: readonly Prefix[]): number {
  const length = networks.find((n) => prefixFamily(n) === family)?.length ?? 0
  if (family === 'ipv4') return length > 22 ? Math.min(length + 1, 30) : 24
  return length > 62 ? Math.min(length + 8, 126) : 64
}

function overlaps({ podNetworks, serviceNetworks }: ClusterSettings, read: ReadClaims): readonly Problem[] {
  return podNetworks.flatMap((pods) =>
    serviceNetworks.flatMap((services) => {
      if (!prefixesOverlap(pods, services)) return []
      const claim = read.first('podNetwork') ?? read.first('serviceNetwork')
      const subject = claim?.subject ?? { at: { file: 'command line' } }
      const args = {
        first: 'pod',
        firstCidr: formatPrefix(pods),
        second: 'service',
        secondCidr: formatPrefix(services),
      }
      return [problem('NETWORKS_OVERLAP', subject, args)]
    }),
  )
}

/** A node's block must fit into the network. */
function badMasks({ podNetworks, nodeMaskLength }: ClusterSettings, read: ReadClaims): readonly Problem[] {
  return podNetworks.flatMap((network) => {
    const family = prefixFamily(network)
    const claim = read.first(family === 'ipv4' ? 'nodeMaskLength4' : 'nodeMaskLength6')
    const widest = family === 'ipv4' ? 32 : 128
    const length = nodeMaskLength[family]
    if (!claim || claim.guess || (length >= network.length && length <= widest)) return []
    return [badSetting(claim, `a length from ${network.length} to ${widest}, within ${formatPrefix(network)}`)]
  })
}
