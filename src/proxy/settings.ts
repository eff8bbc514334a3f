import type { Node } from '../kube/objects/node.ts'
import type { ObjectReader } from '../kube/store.ts'
import { type Family, familyOf, type Ip, ip } from '../net/ip.ts'
import { hostPrefix, type Prefix, prefixContains, prefixFamily } from '../net/prefix.ts'
import type { FoundConfig, ProxyConfig } from './config.ts'
import { imageVersion } from './daemonset-flags.ts'
import { findProxyConfig } from './find-config.ts'
import { isLoopback } from './node-port-addresses.ts'
import type { ProxyProblem } from './problem.ts'
import type { DetectLocal, ProxyMode, ProxySettings } from './proxy-settings.ts'
import { parseCidrSloppy, parseIpSloppy } from './sloppy.ts'
import { type Minor, newestMinor, oldestMinor, parseMinor } from './version.ts'

/** What no object says, or what is to override the objects. */
export interface ProxyFlags {
  /** `1.30`. Otherwise from the image's tag, then the node's kubelet, then the newest. */
  readonly kubeVersion?: string
  readonly mode?: ProxyMode
  /** Addresses of the node's interfaces. Default: those in the Node's status, and loopback. */
  readonly localIPs?: readonly Ip[]
  /** What kubeadm would have written as `clusterCIDR`, where no configuration is among the objects. */
  readonly podNetworks?: readonly Prefix[]
  /** iptables is 1.6.2 or newer. Default true. */
  readonly randomFully?: boolean
  /** The kernel has xt_nfacct. Default false, as on many nodes. */
  readonly nfacct?: boolean
  readonly kubeletRanFirst?: boolean
}

export interface FoundSettings {
  readonly settings: ProxySettings
  readonly problems: readonly ProxyProblem[]
}

/**
 * The settings of the kube-proxy of one node and one family, from the objects that real clusters keep them in. A value
 * that kube-proxy could not use is told as a problem, and its default taken.
 */
export function proxySettings(
  objects: ObjectReader,
  node: Node,
  family: Family,
  flags: ProxyFlags = {},
): FoundSettings {
  const found = findProxyConfig(objects)
  const problems = [...found.problems]
  const say = (field: keyof ProxyConfig | 'kubeVersion', message: string): void => {
    problems.push({ by: 'kube-proxy', message, ...(found.object && { object: found.object }), field })
  }
  const { config } = found
  const nodeIP = nodeIpOf(config, node, family)
  const mode = flags.mode ?? modeOf(config, say)
  const nodePortAddresses = nodePortAddressesOf(config, mode, nodeIP, say)
  const settings: ProxySettings = {
    mode,
    family,
    nodeName: nodeNameOf(config, node),
    nodeLabels: node.metadata.labels ?? {},
    nodeIP,
    localIPs: flags.localIPs ?? [ip('127.0.0.1'), ip('::1'), ...addressesOf(node)],
    detectLocal: detectLocalOf(found, node, family, flags, say),
    masqueradeAll: config.masqueradeAll ?? false,
    masqueradeMark: markOf(config, say),
    randomFully: flags.randomFully ?? true,
    localhostNodePorts: (config.localhostNodePorts ?? true) && family === 'ipv4' && includesLoopback(nodePortAddresses),
    nodePortAddresses,
    conntrackTCPBeLiberal: config.tcpBeLiberal ?? false,
    nfacct: flags.nfacct ?? false,
    featureGates: config.featureGates ?? {},
    ...(mode === 'ipvs' && {
      ipvs: { scheduler: config.ipvsScheduler || 'rr', strictARP: config.strictARP ?? false },
    }),
    minor: minorOf(flags.kubeVersion ?? imageVersion(objects) ?? node.status?.nodeInfo?.kubeletVersion, say),
    kubeletRanFirst: flags.kubeletRanFirst ?? true,
  }
  return { settings, problems }
}

type Say = (field: keyof ProxyConfig | 'kubeVersion', message: string) => void

function modeOf({ mode = '' }: ProxyConfig, say: Say): ProxyMode {
  if (mode === 'ipvs' || mode === 'nftables' || mode === 'iptables') return mode
  if (mode !== '') say('mode', `mode is "${mode}", which is not one of iptables, ipvs, nftables; iptables is used`)
  return 'iptables'
}

function minorOf(version: string | undefined, say: Say): Minor {
  if (version === undefined) return newestMinor
  const minor = parseMinor(version)
  if (minor === undefined) {
    say('kubeVersion', `the version "${version}" is not like 1.${newestMinor}; 1.${newestMinor} is used`)
    return newestMinor
  }
  if (minor < oldestMinor) {
    say('kubeVersion', `version ${version} is older than 1.${oldestMinor}, the oldest that is rendered and is used`)
  }
  return Math.max(minor, oldestMinor)
}

/** `$(NODE_NAME)`, as kubeadm's DaemonSet passes it, is the node's own name. */
function nodeNameOf({ hostnameOverride = '' }: ProxyConfig, node: Node): string {
  const isOwn = hostnameOverride === '' || hostnameOverride.includes('$')
  return (isOwn ? node.metadata.name : hostnameOverride.trim()).toLowerCase()
}

const addressesOf = (node: Node): readonly Ip[] =>
  ['InternalIP', 'ExternalIP'].flatMap((type) =>
    (node.status?.addresses ?? []).filter((a) => a.type === type).flatMap((a) => parseIpSloppy(a.address) ?? []),
  )

const unspecified: readonly string[] = ['0.0.0.0', '::']
const loopback = { ipv4: ip('127.0.0.1'), ipv6: ip('::1') } as const

function nodeIpOf({ bindAddress = '' }: ProxyConfig, node: Node, family: Family): Ip {
  const bound = parseIpSloppy(bindAddress)
  const candidates = [...(bound && !unspecified.includes(bound) ? [bound] : []), ...addressesOf(node)]
  return candidates.find((address) => familyOf(address) === family) ?? loopback[family]
}

function markOf({ masqueradeBit = 14 }: ProxyConfig, say: Say): number {
  const isBit = Number.isInteger(masqueradeBit) && masqueradeBit >= 0 && masqueradeBit <= 31
  if (!isBit) say('masqueradeBit', `masqueradeBit is ${masqueradeBit}, which is not within 0 and 31; 14 is used`)
  return 2 ** (isBit ? masqueradeBit : 14)
}

function nodePortAddressesOf(
  { nodePortAddresses = [] }: ProxyConfig,
  mode: ProxyMode,
  nodeIP: Ip,
  say: Say,
): readonly Prefix[] | undefined {
  const family = familyOf(nodeIP)
  const prefixes = nodePortAddresses.flatMap((text): Prefix[] => {
    if (text === 'primary') return [hostPrefix(nodeIP)]
    const prefix = parseCidrSloppy(text)
    if (prefix === undefined) say('nodePortAddresses', `nodePortAddresses holds "${text}", which is not a CIDR`)
    return prefix && prefixFamily(prefix) === family ? [prefix] : []
  })
  if (prefixes.length === 0) return mode === 'nftables' ? [hostPrefix(nodeIP)] : undefined
  return prefixes.some(({ length }) => length === 0) ? undefined : prefixes
}

const includesLoopback = (prefixes: readonly Prefix[] | undefined): boolean =>
  prefixes === undefined || prefixes.some((p) => isLoopback(p.address) || prefixContains(p, loopback.ipv4))

function detectLocalOf(found: FoundConfig, node: Node, family: Family, flags: ProxyFlags, say: Say): DetectLocal {
  const { config, object } = found
  const mode = config.detectLocalMode || 'ClusterCIDR'
  switch (mode) {
    case 'ClusterCIDR':
      return bySource(mode, object ? cidrsOf(config, say) : (flags.podNetworks ?? []), family)
    case 'NodeCIDR':
      return bySource(mode, podCidrsOf(node), family)
    case 'BridgeInterface':
      return byInterface(mode, config.bridgeInterface ?? '')
    case 'InterfaceNamePrefix':
      return byInterface(mode, config.interfaceNamePrefix ? `${config.interfaceNamePrefix}+` : '')
    default:
      say('detectLocalMode', `detectLocalMode is "${mode}", which kube-proxy does not know; nothing is taken for local`)
      return { by: 'none' }
  }
}

function cidrsOf({ clusterCIDR = '' }: ProxyConfig, say: Say): readonly Prefix[] {
  const texts = clusterCIDR.split(',').filter((text) => text.trim() !== '')
  return texts.flatMap((text) => {
    const prefix = parseCidrSloppy(text)
    if (prefix === undefined) say('clusterCIDR', `clusterCIDR holds "${text}", which is not a CIDR`)
    return prefix ?? []
  })
}

const podCidrsOf = ({ spec }: Node): readonly Prefix[] =>
  (spec?.podCIDRs ?? (spec?.podCIDR ? [spec.podCIDR] : [])).flatMap((text) => parseCidrSloppy(text) ?? [])

/** The first CIDR of the family; without one there is no detector. */
function bySource(mode: 'ClusterCIDR' | 'NodeCIDR', prefixes: readonly Prefix[], family: Family): DetectLocal {
  const prefix = prefixes.find((candidate) => prefixFamily(candidate) === family)
  return prefix === undefined ? { by: 'none' } : { by: 'source', mode, prefix }
}

const byInterface = (mode: 'BridgeInterface' | 'InterfaceNamePrefix', pattern: string): DetectLocal =>
  pattern === '' ? { by: 'none' } : { by: 'interface', mode, pattern }
