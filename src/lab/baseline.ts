/**
 * Settings of a fresh kernel that bear on where a packet goes. A new namespace may take them from the machine, so the lab
 * sets each of them itself.
 */
export interface BaselineOptions {
  /** Off: no router solicitation, duplicate address detection or multicast report disturbs what is observed. */
  readonly ipv6: boolean
}

const ipv4Device = {
  rp_filter: '0',
  accept_local: '0',
  route_localnet: '0',
  send_redirects: '1',
  src_valid_mark: '0',
  arp_ignore: '0',
  arp_announce: '0',
  arp_filter: '0',
  proxy_arp: '0',
} as const

const namespaceWide = {
  'net.ipv4.ip_forward': '0',
  'net.ipv4.ip_default_ttl': '64',
  'net.ipv4.ip_forward_use_pmtu': '0',
  'net.ipv4.fwmark_reflect': '0',
  // Errors in quick succession must all be sent.
  'net.ipv4.icmp_ratelimit': '0',
  'net.ipv4.icmp_errors_use_inbound_ifaddr': '0',
  'net.ipv4.icmp_echo_ignore_all': '0',
  'net.ipv4.tcp_no_metrics_save': '1',
} as const

/** These are there once their modules are loaded. */
const whereThere = {
  'net.bridge.bridge-nf-call-iptables': '1',
  'net.bridge.bridge-nf-call-ip6tables': '1',
  'net.netfilter.nf_conntrack_tcp_loose': '1',
  'net.netfilter.nf_conntrack_tcp_be_liberal': '0',
} as const

const ipv6Off = { 'net.ipv6.conf.all.disable_ipv6': '1', 'net.ipv6.conf.default.disable_ipv6': '1' } as const
const ipv6Quiet = {
  'net.ipv6.conf.all.accept_dad': '0',
  'net.ipv6.conf.default.accept_dad': '0',
  'net.ipv6.conf.default.accept_ra': '0',
  'net.ipv6.conf.default.autoconf': '0',
  'net.ipv6.conf.default.router_solicitations': '0',
  'net.ipv6.icmp.ratelimit': '0',
} as const

export interface Baseline {
  readonly always: readonly string[]
  readonly whereThere: readonly string[]
}

/** Lines for `sysctl -p -`. */
export function baseline({ ipv6 }: BaselineOptions): Baseline {
  const perDevice = Object.entries(ipv4Device).flatMap(([name, value]) =>
    (['all', 'default'] as const).map((device) => [`net.ipv4.conf.${device}.${name}`, value] as const),
  )
  const always = [...Object.entries(namespaceWide), ...perDevice]
  const missable = [...Object.entries(whereThere), ...Object.entries(ipv6 ? ipv6Quiet : ipv6Off)]
  return { always: always.map(line), whereThere: missable.map(line) }
}

const line = ([key, value]: readonly [string, string]): string => `${key} = ${value}`
