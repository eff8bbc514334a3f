import { ip } from '../../src/net/ip.ts'
import { prefix } from '../../src/net/prefix.ts'
import type { ProxySettings } from '../../src/proxy/proxy-settings.ts'

const byFamily = {
  ipv4: { nodeIP: ip('192.168.0.2'), pods: prefix('10.0.0.0/8') },
  ipv6: { nodeIP: ip('2001:db8::2'), pods: prefix('fd00:10::/64') },
} as const

/** Production defaults on node-a, in zone-a. */
export function testSettings(given: Partial<ProxySettings> = {}): ProxySettings {
  const family = given.family ?? 'ipv4'
  return {
    mode: 'iptables',
    family,
    nodeName: 'node-a',
    nodeLabels: { 'topology.kubernetes.io/zone': 'zone-a' },
    nodeIP: byFamily[family].nodeIP,
    localIPs: [ip('127.0.0.1'), ip('::1'), ip('192.168.0.2'), ip('2001:db8::2')],
    detectLocal: { by: 'source', mode: 'ClusterCIDR', prefix: byFamily[family].pods },
    masqueradeAll: false,
    masqueradeMark: 0x4000,
    randomFully: true,
    localhostNodePorts: family === 'ipv4',
    nodePortAddresses: undefined,
    conntrackTCPBeLiberal: false,
    nfacct: false,
    featureGates: {},
    minor: 36,
    kubeletRanFirst: true,
    ...given,
  }
}
