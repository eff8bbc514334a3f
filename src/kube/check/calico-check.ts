import { familyOf, parseIp } from '../../net/ip.ts'
import { parseApiCidr } from '../addresses.ts'
import { parseSelector } from '../calico-selector.ts'
import type { FieldPath } from '../field-path.ts'
import type { CalicoKind, CalicoKinds, CalicoPolicySpec, CalicoPort, CalicoRule, IpPool } from '../objects/calico.ts'
import { type FieldError, invalid, required } from './field-error.ts'
import { type Checking, report } from './report.ts'

type PolicySpec = CalicoPolicySpec & { readonly namespaceSelector?: string }
type Checks = { readonly [K in CalicoKind]?: (spec: CalicoKinds[K]['spec']) => readonly FieldError[] }

/** What calicoctl and Calico's API server refuse beyond types (libcalico-go/lib/validator/v3). */
const checks: Checks = {
  IPPool: poolErrors,
  BGPPeer: (spec) => [
    ...(['nodeSelector', 'peerSelector'] as const).flatMap((f) => selectorErrors(['spec', f], spec[f])),
    ...peerErrors(['spec', 'peerIP'], spec.peerIP ?? ''),
  ],
  NetworkPolicy: policyErrors,
  GlobalNetworkPolicy: policyErrors,
  NetworkSet: ({ nets }) => netErrors(['spec', 'nets'], nets),
  GlobalNetworkSet: ({ nets }) => netErrors(['spec', 'nets'], nets),
  HostEndpoint: ({ expectedIPs = [] }) =>
    expectedIPs.flatMap((ip, i) =>
      parseIp(ip) ? [] : [invalid(['spec', 'expectedIPs', i], ip, 'must be an address')],
    ),
  IPAMBlock: ({ cidr }) => cidrErrors(['spec', 'cidr'], cidr),
  BlockAffinity: ({ cidr }) => cidrErrors(['spec', 'cidr'], cidr),
  IPReservation: ({ reservedCIDRs }) => netErrors(['spec', 'reservedCIDRs'], reservedCIDRs),
  BGPConfiguration: (spec) =>
    (['serviceClusterIPs', 'serviceExternalIPs', 'serviceLoadBalancerIPs', 'prefixAdvertisements'] as const).flatMap(
      (field) => (spec[field] ?? []).flatMap(({ cidr }, i) => cidrErrors(['spec', field, i, 'cidr'], cidr ?? '')),
    ),
}

export function checkCalico(checking: Checking): void {
  for (const kind of Object.keys(checks) as CalicoKind[]) {
    const check = checks[kind] as (spec: unknown) => readonly FieldError[]
    for (const group of ['projectcalico.org', 'crd.projectcalico.org']) {
      for (const object of checking.objects.listAll(`${kind}.${group}`)) {
        const errors = check((object as CalicoKinds[CalicoKind]).spec)
        for (const { path, ...args } of errors) report(checking, object, path, 'API_REFUSES', args)
      }
    }
  }
}

/** An address, with a port after a colon if wanted; that of IPv6 then stands in brackets. */
function peerErrors(path: FieldPath, peer: string): readonly FieldError[] {
  const [, v6, v4] = /^(?:\[(.*)\]|([^:]*)):\d{1,5}$/.exec(peer) ?? []
  return peer === '' || parseIp(v6 ?? v4 ?? peer) ? [] : [invalid(path, peer, 'must be an address, or address:port')]
}

function poolErrors({ cidr, blockSize, ipipMode, vxlanMode, nodeSelector }: IpPool['spec']): readonly FieldError[] {
  const pool = parseApiCidr(cidr)
  const isV6 = pool !== undefined && familyOf(pool.address) === 'ipv6'
  const [least, most, usual] = isV6 ? [116, 128, 122] : [20, 32, 26]
  // 0 is how the API writes that none is given.
  const size = blockSize === undefined || blockSize === 0 ? usual : blockSize
  const hasIpip = ipipMode !== undefined && ipipMode !== 'Never'
  const hasVxlan = vxlanMode !== undefined && vxlanMode !== 'Never'
  const sized = ['spec', 'blockSize']
  return [
    ...selectorErrors(['spec', 'nodeSelector'], nodeSelector),
    ...(size < least || size > most ? [invalid(sized, blockSize, `must be ${least} to ${most}`)] : []),
    ...(pool && size <= most && pool.length > size
      ? [invalid(['spec', 'cidr'], cidr, `must hold a block of /${size}`)]
      : []),
    ...(hasIpip && hasVxlan
      ? [invalid(['spec', 'vxlanMode'], vxlanMode, `must be Never beside ipipMode ${ipipMode}`)]
      : []),
    ...(hasIpip && isV6 ? [invalid(['spec', 'ipipMode'], ipipMode, 'must be Never in a pool of IPv6')] : []),
  ]
}

function policyErrors(spec: PolicySpec): readonly FieldError[] {
  const selectors = ['selector', 'namespaceSelector', 'serviceAccountSelector'] as const
  return [
    ...selectors.flatMap((f) => selectorErrors(['spec', f], spec[f])),
    ...(['ingress', 'egress'] as const).flatMap((direction) =>
      (spec[direction] ?? []).flatMap((rule, i) => ruleErrors(['spec', direction, i], rule)),
    ),
  ]
}

function selectorErrors(path: FieldPath, text: string | undefined): readonly FieldError[] {
  const parsed = parseSelector(text ?? '')
  return parsed.ok ? [] : [invalid(path, text, `must be a selector such as app == 'web': ${parsed.message}`)]
}

function ruleErrors(path: FieldPath, rule: CalicoRule): readonly FieldError[] {
  const hasPorts = rule.protocol !== undefined && withPorts.includes(String(rule.protocol).toLowerCase())
  return [
    ...protocolErrors([...path, 'protocol'], rule.protocol),
    ...protocolErrors([...path, 'notProtocol'], rule.notProtocol),
    ...icmpErrors(path, rule),
    ...(['source', 'destination'] as const).flatMap((side) => [
      ...(['selector', 'notSelector', 'namespaceSelector'] as const).flatMap((f) =>
        selectorErrors([...path, side, f], rule[side]?.[f]),
      ),
      ...(['nets', 'notNets'] as const).flatMap((f) => netErrors([...path, side, f], rule[side]?.[f])),
      ...(['ports', 'notPorts'] as const).flatMap((f) => {
        const ports = rule[side]?.[f] ?? []
        const own = [...path, side, f]
        if (ports.length > 0 && !hasPorts) return [invalid(own, ports, 'needs the protocol TCP, UDP or SCTP')]
        return ports.flatMap((port, i) => portErrors([...own, i], port))
      }),
    ]),
  ]
}

const withPorts: readonly string[] = ['tcp', 'udp', 'sctp', '6', '17', '132']
const icmps: readonly string[] = ['icmp', 'icmpv6', '1', '58']
const protocols: readonly string[] = ['tcp', 'udp', 'udplite', 'sctp', 'icmp', 'icmpv6']

function protocolErrors(path: FieldPath, value: string | number | undefined): readonly FieldError[] {
  const text = String(value ?? 'tcp').toLowerCase()
  const known = /^\d+$/.test(text) ? Number(text) >= 1 && Number(text) <= 255 : protocols.includes(text)
  return known ? [] : [invalid(path, value, 'must be TCP, UDP, UDPLite, SCTP, ICMP, ICMPv6 or 1 to 255')]
}

function icmpErrors(path: FieldPath, rule: CalicoRule): readonly FieldError[] {
  const isIcmp = icmps.includes(String(rule.protocol ?? '').toLowerCase())
  return (['icmp', 'notICMP'] as const).flatMap((field) => {
    const value = rule[field]
    if (value === undefined) return []
    if (!isIcmp) return [invalid([...path, field], value, 'needs the protocol ICMP or ICMPv6')]
    const { type, code } = value
    return type === undefined && code !== undefined ? [required([...path, field, 'type'], 'a code needs its type')] : []
  })
}

function portErrors(path: FieldPath, port: CalicoPort): readonly FieldError[] {
  const range = /^(\d+)(?::(\d+))?$/.exec(String(port))
  if (!range && /^[\w.-]{1,128}$/.test(String(port))) return []
  const [first, last] = [Number(range?.[1]), Number(range?.[2] ?? range?.[1])]
  return range && first <= last && last <= 65535
    ? []
    : [invalid(path, port, 'must be a port, a range as 80:90, or the name of a port')]
}

const cidrErrors = (path: FieldPath, text: string): readonly FieldError[] =>
  parseApiCidr(text) ? [] : [invalid(path, text, 'must be a CIDR block')]

const netErrors = (path: FieldPath, nets: readonly string[] = []): readonly FieldError[] =>
  nets.flatMap((text, i) => (parseIp(text) ? [] : cidrErrors([...path, i], text)))
