import type { Family } from '../../../net/ip.ts'
import type { Generation } from '../generation.ts'
import { setName } from '../names.ts'
import { clearedAll, clearedInForward, type Marks } from './marks.ts'
import {
  clearMark,
  conntrackIs,
  type FelixChain,
  type FelixRule,
  goTo,
  inSet,
  jumpTo,
  markIsClear,
  markIsNotClear,
  markIsSet,
  notInSet,
  setMark,
} from './rule.ts'

/** A port that stays open whatever host endpoint policy says. */
export interface FailsafePort {
  readonly protocol: string
  readonly port: number
  readonly net?: string
}

/** What the chains that always exist are written with. Actions are targets: `ACCEPT`, `RETURN`, `DROP`, `REJECT`. */
export interface StaticConfig {
  readonly family: Family
  readonly marks: Marks
  readonly generation: Pick<Generation, 'dscp' | 'poolSet'>
  readonly interfacePrefixes: readonly string[]
  readonly filterAllowAction: string
  readonly mangleAllowAction: string
  readonly filterDenyAction: string
  readonly endpointToHostAction: string
  readonly ipip: boolean
  readonly vxlan: boolean
  readonly vxlanPort: number
  /** Whether the tunnel's own address is known. */
  readonly ipipAddress: boolean
  readonly vxlanAddress: boolean
  readonly randomFully: boolean
  /** kube-proxy in IPVS mode. */
  readonly ipvs: boolean
  readonly nodePortRanges: readonly string[]
  readonly failsafeInbound: readonly FailsafePort[]
  readonly failsafeOutbound: readonly FailsafePort[]
  /** Blocked unless something DNATs them: ranges of Services that BGP advertises. */
  readonly serviceLoopRanges: readonly string[]
  readonly serviceLoopAction: string | undefined
}

export const vxlanDevice = (family: Family): string => (family === 'ipv4' ? 'vxlan.calico' : 'vxlan-v6.calico')

const hostPolicyAccepted = 'Host endpoint policy accepted packet.'

const hasTunnel = (c: StaticConfig): boolean => c.ipip && c.family === 'ipv4'

export function rawChains(c: StaticConfig): readonly FelixChain[] {
  const { marks: m } = c
  const noTrack: FelixRule[] = c.vxlan ? [{ match: `-p udp --dport ${c.vxlanPort}`, action: jumpTo('NOTRACK') }] : []
  return [
    {
      name: 'cali-PREROUTING',
      rules: [
        { action: clearMark(clearedAll(m)) },
        ...noTrack,
        ...c.interfacePrefixes.map(
          (p): FelixRule => ({ match: `--in-interface ${p}+`, action: setMark(m.scratch0), bookkeeping: true }),
        ),
        { match: markIsSet(m.scratch0), action: jumpTo('cali-rpf-skip') },
        { match: `${markIsSet(m.scratch0)} -m rpfilter --invert --validmark`, action: jumpTo('DROP') },
        { match: markIsClear(m.scratch0), action: jumpTo('cali-from-host-endpoint') },
        { match: markIsSet(m.accept), action: jumpTo('ACCEPT') },
      ],
    },
    {
      name: 'cali-OUTPUT',
      rules: [
        { action: clearMark(clearedAll(m)) },
        { action: jumpTo('cali-to-host-endpoint') },
        ...noTrack,
        { match: markIsSet(m.accept), action: jumpTo('ACCEPT') },
      ],
    },
  ]
}

export function mangleChains(c: StaticConfig): readonly FelixChain[] {
  const { marks: m, family, generation } = c
  const allow = c.mangleAllowAction
  const dscp: FelixRule = {
    comments: ['set dscp for traffic leaving cluster.'],
    match: [
      inSet(setName(family, 'dscp-src-net'), 'src'),
      notInSet(setName(family, generation.poolSet), 'dst'),
      notInSet(setName(family, 'this-host'), 'dst'),
    ].join(' '),
    action: jumpTo('cali-egress-dscp'),
  }
  return [
    {
      name: 'cali-PREROUTING',
      rules: [
        { match: conntrackIs('RELATED,ESTABLISHED'), action: jumpTo('ACCEPT'), bookkeeping: true },
        { match: markIsSet(m.accept), action: jumpTo(allow) },
        { action: jumpTo('cali-from-host-endpoint') },
        { comments: [hostPolicyAccepted], match: markIsSet(m.accept), action: jumpTo(allow) },
      ],
    },
    {
      name: 'cali-POSTROUTING',
      rules: [
        ...(generation.dscp ? [dscp] : []),
        { match: markIsSet(m.accept), action: jumpTo('RETURN') },
        ...(c.ipvs ? [{ match: markIsNotClear(m.endpoint), action: jumpTo('RETURN') }] : []),
        { action: clearMark(clearedAll(m)) },
        { match: conntrackIs('DNAT'), action: jumpTo('cali-to-host-endpoint') },
        { comments: [hostPolicyAccepted], match: markIsSet(m.accept), action: jumpTo('RETURN') },
      ],
    },
  ]
}

export function natChains(c: StaticConfig): readonly FelixChain[] {
  return [
    { name: 'cali-PREROUTING', rules: [{ action: jumpTo('cali-fip-dnat') }] },
    { name: 'cali-OUTPUT', rules: [{ action: jumpTo('cali-fip-dnat') }] },
    {
      name: 'cali-POSTROUTING',
      rules: [
        { action: jumpTo('cali-fip-snat') },
        { action: jumpTo('cali-nat-outgoing') },
        ...(hasTunnel(c) && c.ipipAddress ? [tunnelMasquerade('tunl0', c)] : []),
        ...(c.vxlan && c.vxlanAddress ? [tunnelMasquerade(vxlanDevice(c.family), c)] : []),
      ],
    },
    { name: 'cali-fip-dnat', rules: [] },
    { name: 'cali-fip-snat', rules: [] },
  ]
}

/** The host sends through the tunnel with another of its addresses: the far end shall answer through the tunnel. */
const tunnelMasquerade = (device: string, { randomFully }: StaticConfig): FelixRule => ({
  match: `--out-interface ${device} -m addrtype ! --src-type LOCAL --limit-iface-out -m addrtype --src-type LOCAL`,
  action: `--jump MASQUERADE${randomFully ? ' --random-fully' : ''}`,
})

export const filterChains = (c: StaticConfig): readonly FelixChain[] => [
  filterForward(c),
  filterInput(c),
  filterOutput(c),
  wlToHost(c),
  cidrBlock(c),
  ...(c.ipvs ? ipvsChains(c) : []),
]

const filterForward = ({ marks: m, interfacePrefixes }: StaticConfig): FelixChain => ({
  name: 'cali-FORWARD',
  rules: [
    { action: clearMark(clearedInForward(m)) },
    { match: markIsClear(m.accept), action: jumpTo('cali-from-hep-forward') },
    ...interfacePrefixes.flatMap((p) => [
      { match: `--in-interface ${p}+`, action: jumpTo('cali-from-wl-dispatch') },
      { match: `--out-interface ${p}+`, action: jumpTo('cali-to-wl-dispatch') },
    ]),
    { action: jumpTo('cali-to-hep-forward') },
    { action: jumpTo('cali-cidr-block') },
  ],
})

function filterInput(c: StaticConfig): FelixChain {
  const { marks: m, family } = c
  const hosts = setName(family, 'all-hosts-net')
  const peers = setName(family, 'all-vxlan-net')
  const v = family === 'ipv4' ? 4 : 6
  const ipip: FelixRule[] = [
    {
      comments: ['Allow IPIP packets from Calico hosts'],
      match: `-p 4 ${inSet(hosts, 'src')} -m addrtype --dst-type LOCAL`,
      action: jumpTo(c.filterAllowAction),
    },
    { comments: ['Drop IPIP packets from non-Calico hosts'], match: '-p 4', action: jumpTo(c.filterDenyAction) },
  ]
  const vxlan: FelixRule[] = [
    {
      comments: [`Allow IPv${v} VXLAN packets from allowed hosts`],
      match: `-p 17 -m multiport --destination-ports ${c.vxlanPort} ${inSet(peers, 'src')} -m addrtype --dst-type LOCAL`,
      action: jumpTo(c.filterAllowAction),
    },
    {
      comments: [`Drop IPv${v} VXLAN packets from non-allowed hosts`],
      match: `-p 17 -m multiport --destination-ports ${c.vxlanPort} -m addrtype --dst-type LOCAL`,
      action: jumpTo(c.filterDenyAction),
    },
  ]
  return {
    name: 'cali-INPUT',
    rules: [
      ...(hasTunnel(c) ? ipip : []),
      ...(c.vxlan ? vxlan : []),
      ...(c.ipvs
        ? [
            { action: clearMark(m.endpoint) },
            { action: jumpTo('cali-forward-check') },
            { match: markIsNotClear(m.endpoint), action: jumpTo('RETURN') },
          ]
        : []),
      ...c.interfacePrefixes.map((p) => ({ match: `--in-interface ${p}+`, action: goTo('cali-wl-to-host') })),
      { match: markIsSet(m.accept), action: jumpTo(c.filterAllowAction) },
      { action: clearMark(clearedAll(m)) },
      { action: jumpTo('cali-from-host-endpoint') },
      { comments: [hostPolicyAccepted], match: markIsSet(m.accept), action: jumpTo(c.filterAllowAction) },
    ],
  }
}

function filterOutput(c: StaticConfig): FelixChain {
  const { marks: m, family } = c
  const ipip: FelixRule = {
    comments: ['Allow IPIP packets to other Calico hosts'],
    match: `-p 4 ${inSet(setName(family, 'all-hosts-net'), 'dst')} -m addrtype --src-type LOCAL`,
    action: jumpTo(c.filterAllowAction),
  }
  const vxlan: FelixRule = {
    comments: [`Allow IPv${family === 'ipv4' ? 4 : 6} VXLAN packets to other allowed hosts`],
    match: `-p 17 -m multiport --destination-ports ${c.vxlanPort} -m addrtype --src-type LOCAL ${inSet(setName(family, 'all-vxlan-net'), 'dst')}`,
    action: jumpTo(c.filterAllowAction),
  }
  return {
    name: 'cali-OUTPUT',
    rules: [
      { match: markIsSet(m.accept), action: jumpTo(c.filterAllowAction) },
      ...(c.ipvs ? [{ match: markIsNotClear(m.endpoint), action: goTo('cali-forward-endpoint-mark') }] : []),
      ...c.interfacePrefixes.map((p) => ({ match: `--out-interface ${p}+`, action: jumpTo('RETURN') })),
      ...(hasTunnel(c) ? [ipip] : []),
      ...(c.vxlan ? [vxlan] : []),
      { action: clearMark(clearedAll(m)) },
      { match: '-m conntrack ! --ctstate DNAT', action: jumpTo('cali-to-host-endpoint') },
      { comments: [hostPolicyAccepted], match: markIsSet(m.accept), action: jumpTo(c.filterAllowAction) },
    ],
  }
}

/** Types of ICMPv6 without which no pod has a neighbour: multicast listeners, router and neighbour solicitation. */
const icmp6Types = [130, 131, 132, 133, 135, 136]

const wlToHost = (c: StaticConfig): FelixChain => ({
  name: 'cali-wl-to-host',
  rules: [
    ...(c.family === 'ipv6'
      ? icmp6Types.map((type) => ({ match: `-p 58 -m icmp6 --icmpv6-type ${type}`, action: jumpTo('ACCEPT') }))
      : []),
    { action: jumpTo('cali-from-wl-dispatch') },
    { comments: ['Configured DefaultEndpointToHostAction'], action: jumpTo(c.endpointToHostAction) },
  ],
})

const cidrBlock = ({ serviceLoopRanges, serviceLoopAction }: StaticConfig): FelixChain => ({
  name: 'cali-cidr-block',
  rules:
    serviceLoopAction === undefined
      ? []
      : serviceLoopRanges
          .toSorted()
          .map((range) => ({ match: `--destination ${range}`, action: jumpTo(serviceLoopAction) })),
})

const ipvsChains = (c: StaticConfig): readonly FelixChain[] => [
  {
    name: 'cali-forward-check',
    rules: [
      { match: conntrackIs('RELATED,ESTABLISHED'), action: jumpTo('RETURN') },
      ...c.nodePortRanges.flatMap((range) =>
        ['tcp', 'udp'].map((protocol) => ({
          comments: ['To kubernetes NodePort service'],
          match: `-p ${protocol} -m multiport --destination-ports ${range} ${inSet(setName(c.family, 'this-host'), 'dst')}`,
          action: goTo('cali-set-endpoint-mark'),
        })),
      ),
      {
        comments: ['To kubernetes service'],
        match: notInSet(setName(c.family, 'this-host'), 'dst'),
        action: jumpTo('cali-set-endpoint-mark'),
      },
    ],
  },
  {
    name: 'cali-forward-endpoint-mark',
    rules: [
      {
        match: `-m mark ! --mark 0x${c.marks.nonCaliEndpoint.toString(16)}/0x${c.marks.endpoint.toString(16)}`,
        action: jumpTo('cali-from-endpoint-mark'),
      },
      ...c.interfacePrefixes.map((p) => ({ match: `--out-interface ${p}+`, action: jumpTo('cali-to-wl-dispatch') })),
      { action: jumpTo('cali-to-hep-forward') },
      { action: clearMark(c.marks.endpoint) },
      forwardAccept(c.marks, c.filterAllowAction),
    ],
  },
]

export const forwardAccept = ({ accept }: Marks, action: string): FelixRule => ({
  comments: ['Policy explicitly accepted packet.'],
  match: markIsSet(accept),
  action: jumpTo(action),
  origin: { by: 'calico', note: 'what a policy or profile accepted' },
})

/** Ports that no host endpoint policy closes; raw, which sees no connections, also lets the answers through. */
export function failsafeChains(c: StaticConfig, table: 'raw' | 'mangle' | 'filter'): readonly FelixChain[] {
  const ports = (list: readonly FailsafePort[], option: string, side: string): readonly FelixRule[] =>
    list
      .filter(({ net }) => net === undefined || net.includes(':') === (c.family === 'ipv6'))
      .map(({ protocol, port, net }) => ({
        match: `-p ${protocol} -m multiport --${option}-ports ${port}${net === undefined ? '' : ` --${side} ${net}`}`,
        action: jumpTo('ACCEPT'),
      }))
  const both = table === 'raw'
  return [
    {
      name: 'cali-failsafe-in',
      rules: [
        ...ports(c.failsafeInbound, 'destination', 'source'),
        ...(both ? ports(c.failsafeOutbound, 'source', 'source') : []),
      ],
    },
    {
      name: 'cali-failsafe-out',
      rules: [
        ...ports(c.failsafeOutbound, 'destination', 'destination'),
        ...(both ? ports(c.failsafeInbound, 'source', 'destination') : []),
      ],
    },
  ]
}
