import type { Ip } from '../../src/net/ip.ts'
import { ip } from '../../src/net/ip.ts'
import { prefix, prefixFamily } from '../../src/net/prefix.ts'
import type { DetectLocal, ProxyMode, ProxySettings } from '../../src/proxy/proxy-settings.ts'
import { newestMinor, parseMinor } from '../../src/proxy/version.ts'

/** `proxyConfig` of a golden case. */
export interface GoldenProxyConfig {
  readonly mode: ProxyMode
  readonly ipFamily: 'IPv4' | 'IPv6'
  readonly nodeName: string
  readonly nodeIP: string
  readonly localIPs: readonly string[]
  readonly detectLocal: {
    readonly mode: 'none' | 'ClusterCIDR' | 'NodeCIDR' | 'BridgeInterface' | 'InterfaceNamePrefix'
    readonly clusterCIDR?: string
    readonly podCIDR?: string
    readonly bridgeInterface?: string
    readonly interfaceNamePrefix?: string
  }
  readonly masqueradeAll: boolean
  readonly masqueradeMark: string
  readonly randomFully: boolean
  readonly localhostNodePorts: boolean
  readonly nodePortAddresses: readonly string[]
  readonly conntrackTCPBeLiberal: boolean
  readonly nfacct: boolean
  readonly nodeLabels?: Readonly<Record<string, string>>
  readonly featureGates?: Readonly<Record<string, boolean>>
  readonly kubeletRanFirst?: boolean
}

function detectLocalOf({ detectLocal: by }: GoldenProxyConfig): DetectLocal {
  switch (by.mode) {
    case 'none':
      return { by: 'none' }
    case 'ClusterCIDR':
    case 'NodeCIDR':
      return { by: 'source', mode: by.mode, prefix: prefix(by.clusterCIDR ?? by.podCIDR ?? '') }
    case 'BridgeInterface':
      return { by: 'interface', mode: by.mode, pattern: by.bridgeInterface ?? '' }
    case 'InterfaceNamePrefix':
      return { by: 'interface', mode: by.mode, pattern: `${by.interfaceNamePrefix}+` }
  }
}

export function goldenSettings(config: GoldenProxyConfig, kubeVersion: string): ProxySettings {
  const family = config.ipFamily === 'IPv4' ? 'ipv4' : 'ipv6'
  const addresses = config.nodePortAddresses.map(prefix).filter((p) => prefixFamily(p) === family)
  return {
    mode: config.mode,
    family,
    nodeName: config.nodeName,
    nodeLabels: config.nodeLabels ?? {},
    nodeIP: ip(config.nodeIP),
    localIPs: config.localIPs.map((text): Ip => ip(text)),
    detectLocal: detectLocalOf(config),
    masqueradeAll: config.masqueradeAll,
    masqueradeMark: Number(config.masqueradeMark),
    randomFully: config.randomFully,
    localhostNodePorts: config.localhostNodePorts,
    nodePortAddresses: addresses.length > 0 ? addresses : undefined,
    conntrackTCPBeLiberal: config.conntrackTCPBeLiberal,
    nfacct: config.nfacct,
    featureGates: config.featureGates ?? {},
    minor: parseMinor(kubeVersion) ?? newestMinor,
    kubeletRanFirst: config.kubeletRanFirst ?? false,
  }
}
