import type { ProxyEndpoint } from '../endpoint.ts'
import { hashName } from '../hash.ts'
import type { ServicePortInfo } from '../service-port.ts'

/** Names of the nat chains that belong to one service port; all of one service share the hash. */
export interface ServiceChainNames {
  /** Endpoints of policy Cluster. */
  readonly svc: string
  /** Endpoints of policy Local. */
  readonly svl: string
  /** What comes from outside. */
  readonly ext: string
  /** Source ranges. */
  readonly fw: string
  /** Up to 1.23: what comes from outside under policy Local. */
  readonly xlb: string
}

export function serviceChainNames({ name, protocol }: ServicePortInfo): ServiceChainNames {
  const hash = hashName(name + protocol, 16)
  return {
    svc: `KUBE-SVC-${hash}`,
    svl: `KUBE-SVL-${hash}`,
    ext: `KUBE-EXT-${hash}`,
    fw: `KUBE-FW-${hash}`,
    xlb: `KUBE-XLB-${hash}`,
  }
}

export const endpointChainName = ({ name, protocol }: ServicePortInfo, { address }: ProxyEndpoint): string =>
  `KUBE-SEP-${hashName(name + protocol + address, 16)}`

/** Chains that all services share. */
export const chain = {
  services: 'KUBE-SERVICES',
  externalServices: 'KUBE-EXTERNAL-SERVICES',
  nodePorts: 'KUBE-NODEPORTS',
  postrouting: 'KUBE-POSTROUTING',
  markMasq: 'KUBE-MARK-MASQ',
  markDrop: 'KUBE-MARK-DROP',
  forward: 'KUBE-FORWARD',
  proxyFirewall: 'KUBE-PROXY-FIREWALL',
  firewall: 'KUBE-FIREWALL',
  proxyCanary: 'KUBE-PROXY-CANARY',
  kubeletCanary: 'KUBE-KUBELET-CANARY',
  kubeletHint: 'KUBE-IPTABLES-HINT',
} as const

const servicePrefixes = ['KUBE-SVC-', 'KUBE-SVL-', 'KUBE-SEP-', 'KUBE-FW-', 'KUBE-EXT-', 'KUBE-XLB-'] as const

/** Whether a nat chain belongs to one service, so that kube-proxy deletes it once it is stale. */
export const isServiceChain = (name: string): boolean => servicePrefixes.some((prefix) => name.startsWith(prefix))
