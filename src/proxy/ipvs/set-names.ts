import type { IpSet, IpSetType } from '../../artefact/ipset.ts'
import type { Family } from '../../net/ip.ts'

interface SetKind {
  readonly name: string
  readonly type: IpSetType
  /** The comment of the rules that look at it. */
  readonly purpose: string
}

/** pkg/proxy/ipvs/ipset.go and proxier.go: the sets of one family, all made at start, even those that stay empty. */
export const setKinds = {
  loopBack: {
    name: 'KUBE-LOOP-BACK',
    type: 'hash:ip,port,ip',
    purpose: 'Kubernetes endpoints dst ip:port, source ip for solving hairpin purpose',
  },
  clusterIP: {
    name: 'KUBE-CLUSTER-IP',
    type: 'hash:ip,port',
    purpose: 'Kubernetes service cluster ip + port for masquerade purpose',
  },
  externalIP: {
    name: 'KUBE-EXTERNAL-IP',
    type: 'hash:ip,port',
    purpose: 'Kubernetes service external ip + port for masquerade and filter purpose',
  },
  externalIPLocal: {
    name: 'KUBE-EXTERNAL-IP-LOCAL',
    type: 'hash:ip,port',
    purpose: 'Kubernetes service external ip + port with externalTrafficPolicy=local',
  },
  loadBalancer: { name: 'KUBE-LOAD-BALANCER', type: 'hash:ip,port', purpose: 'Kubernetes service lb portal' },
  loadBalancerLocal: {
    name: 'KUBE-LOAD-BALANCER-LOCAL',
    type: 'hash:ip,port',
    purpose: 'Kubernetes service load balancer ip + port with externalTrafficPolicy=local',
  },
  loadBalancerFirewall: {
    name: 'KUBE-LOAD-BALANCER-FW',
    type: 'hash:ip,port',
    purpose: 'Kubernetes service load balancer ip + port for load balancer with sourceRange',
  },
  sourceCIDR: {
    name: 'KUBE-LOAD-BALANCER-SOURCE-CIDR',
    type: 'hash:ip,port,net',
    purpose: 'Kubernetes service load balancer ip + port + source cidr for packet filter purpose',
  },
  sourceIP: {
    name: 'KUBE-LOAD-BALANCER-SOURCE-IP',
    type: 'hash:ip,port,ip',
    purpose: 'Kubernetes service load balancer ip + port + source IP for packet filter purpose',
  },
  nodePortTCP: {
    name: 'KUBE-NODE-PORT-TCP',
    type: 'bitmap:port',
    purpose: 'Kubernetes nodeport TCP port for masquerade purpose',
  },
  nodePortLocalTCP: {
    name: 'KUBE-NODE-PORT-LOCAL-TCP',
    type: 'bitmap:port',
    purpose: 'Kubernetes nodeport TCP port with externalTrafficPolicy=local',
  },
  nodePortUDP: {
    name: 'KUBE-NODE-PORT-UDP',
    type: 'bitmap:port',
    purpose: 'Kubernetes nodeport UDP port for masquerade purpose',
  },
  nodePortLocalUDP: {
    name: 'KUBE-NODE-PORT-LOCAL-UDP',
    type: 'bitmap:port',
    purpose: 'Kubernetes nodeport UDP port with externalTrafficPolicy=local',
  },
  nodePortSCTP: {
    name: 'KUBE-NODE-PORT-SCTP-HASH',
    type: 'hash:ip,port',
    purpose: "Kubernetes nodeport SCTP port for masquerade purpose with type 'hash ip:port'",
  },
  nodePortLocalSCTP: {
    name: 'KUBE-NODE-PORT-LOCAL-SCTP-HASH',
    type: 'hash:ip,port',
    purpose: "Kubernetes nodeport SCTP port with externalTrafficPolicy=local with type 'hash ip:port'",
  },
  healthCheck: {
    name: 'KUBE-HEALTH-CHECK-NODE-PORT',
    type: 'bitmap:port',
    purpose: 'Kubernetes health check node port',
  },
  ipvsIPs: { name: 'KUBE-IPVS-IPS', type: 'hash:ip', purpose: 'Addresses on the ipvs interface' },
} as const satisfies Readonly<Record<string, SetKind>>

export type SetKey = keyof typeof setKinds
export const setKeys = Object.keys(setKinds) as readonly SetKey[]

/** IPSET_MAXNAMELEN leaves 31 characters: IPv6 names are cut. */
export function setName(key: SetKey, family: Family): string {
  const { name } = setKinds[key]
  return family === 'ipv4' ? name : name.replace(/^KUBE-/, 'KUBE-6-').slice(0, 31)
}

/** As `ipset save` prints it. */
export function ipSet(key: SetKey, family: Family, members: Iterable<string>): IpSet {
  const { type } = setKinds[key]
  return {
    name: setName(key, family),
    type,
    family,
    options: type === 'bitmap:port' ? 'range 0-65535' : 'hashsize 1024 maxelem 65536',
    members: [...members].map((text) => ({ text })),
    origin: { by: 'kube-proxy', note: setKinds[key].purpose },
  }
}
