import fc from 'fast-check'
import type {
  AddressType,
  ConntrackState,
  Match,
  Negatable,
  PortRange,
  Rule,
  TableName,
  Target,
} from '../../../src/artefact/iptables/rule.ts'
import { present } from '../../../src/artefact/problem.ts'
import { compareIps, type Family, type Ip, ip, ipAt, widthOf } from '../../../src/net/ip.ts'
import { macAt } from '../../../src/net/mac.ts'
import { networkOf, type Prefix } from '../../../src/net/prefix.ts'

/**
 * Any rule of a table as the kernel keeps it, so that its print parses back to itself and a real iptables takes it: values are
 * canonical, a match of a protocol comes with `-p`, and a target stands in a table that has it. Jumps go to `chains`.
 */
export interface AnyRuleOptions {
  readonly family?: Family
  readonly table?: TableName
  /** Where jumps and gotos may lead. */
  readonly chains?: readonly string[]
  /** Leave out what needs an ipset, a kernel module that is often missing, or an object made beforehand. */
  readonly loadable?: boolean
}

export function anyRule(options: AnyRuleOptions = {}): fc.Arbitrary<Rule> {
  const { family = 'ipv4' } = options
  return protocol(family).chain((p) =>
    fc
      .record({
        source: maybe(anyNegatable(anyPrefixOf(family))),
        destination: maybe(anyNegatable(anyPrefixOf(family))),
        inInterface: maybe(anyNegatable(anyInterface)),
        outInterface: maybe(anyNegatable(anyInterface)),
        protocol: fc.constant(p),
        fragment:
          family === 'ipv4' && p === undefined
            ? maybe(anyNegatable(fc.constant(true as const)))
            : fc.constant(undefined),
        matches: fc
          .array(anyMatch(family, p?.not ? undefined : p?.value, options), { maxLength: 4 })
          .map(oneOfEachProtocolMatch),
        target: maybe(anyTarget(family, p?.not ? undefined : p?.value, options)),
      })
      .map((fields) => present<Rule>(fields)),
  )
}

/** iptables-nft lists only one of several `-m tcp`. */
function oneOfEachProtocolMatch(matches: readonly Match[]): readonly Match[] {
  const isPorts = (m: Match) =>
    m.kind === 'tcp' || m.kind === 'udp' || m.kind === 'sctp' || m.kind === 'icmp' || m.kind === 'icmp6'
  const first = matches.find(isPorts)
  return matches.filter((m) => !isPorts(m) || m === first)
}

const maybe = <T>(a: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(a, { nil: undefined })

const anyNegatable = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<Negatable<T>> =>
  fc.tuple(fc.boolean(), value).map(([not, v]) => (not ? { not: true as const, value: v } : { value: v }))

/** Without the ranges that inet_ntop writes with dots in IPv6. */
export const anyIp = (family: Family): fc.Arbitrary<Ip> =>
  fc
    .bigInt({ min: 0x01000000n, max: (1n << BigInt(widthOf(family))) - 1n })
    .map((n) => ipAt(family === 'ipv6' ? n | (0xfdn << 120n) : n, family))

const anyPrefixOf = (family: Family): fc.Arbitrary<Prefix> =>
  fc.tuple(anyIp(family), fc.integer({ min: 1, max: widthOf(family) })).map(([a, length]) => networkOf(a, length))

const anyInterface = fc.stringMatching(/^[a-z][a-z0-9.]{0,12}\+?$/)
const port = fc.integer({ min: 1, max: 65534 })
const anyPorts: fc.Arbitrary<PortRange> = fc
  .tuple(port, port)
  .map(([a, b]) => ({ from: Math.min(a, b), to: Math.max(a, b) }))

const protocol = (family: Family): fc.Arbitrary<Negatable<string> | undefined> => {
  const names = ['tcp', 'udp', 'sctp', family === 'ipv4' ? 'icmp' : 'ipv6-icmp', 'gre', '253']
  return fc.oneof(
    { arbitrary: fc.constant(undefined), weight: 2 },
    { arbitrary: fc.constantFrom(...names).map((value) => ({ value })), weight: 5 },
    { arbitrary: fc.constantFrom(...names).map((value) => ({ not: true as const, value })), weight: 1 },
  )
}

const uint32 = fc.integer({ min: 0, max: 0xffffffff })
const masked = fc.record({ value: uint32, mask: fc.oneof(uint32, fc.constant(0xffffffff)) })
const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_-]{0,20}$/)
/** Printable, with what quoting must survive. */
const text = fc.string({ maxLength: 60, unit: fc.constantFrom(...'abcXYZ019 _-./:"\\\'>!*$é') })
const directions = fc.array(fc.constantFrom('src' as const, 'dst' as const), { minLength: 1, maxLength: 3 })

const states: readonly ConntrackState[] = ['INVALID', 'NEW', 'RELATED', 'ESTABLISHED', 'UNTRACKED', 'SNAT', 'DNAT']
const types: readonly AddressType[] = [
  'UNSPEC',
  'UNICAST',
  'LOCAL',
  'BROADCAST',
  'ANYCAST',
  'MULTICAST',
  'BLACKHOLE',
  'UNREACHABLE',
  'PROHIBIT',
]
const some = <T>(values: readonly T[]): fc.Arbitrary<readonly T[]> => fc.subarray([...values], { minLength: 1 })

function anyMatch(family: Family, p: string | undefined, options: AnyRuleOptions): fc.Arbitrary<Match> {
  const prefix = maybe(anyNegatable(anyPrefixOf(family)))
  const ports = maybe(anyNegatable(anyPorts))
  const anywhere: fc.Arbitrary<Match>[] = [
    text.map((t) => ({ kind: 'comment' as const, text: t })),
    fc
      .record({
        state: maybe(anyNegatable(some(states))),
        protocol: maybe(anyNegatable(fc.integer({ min: 1, max: 255 }).map(String))),
        origSrc: prefix,
        origDst: prefix,
        replSrc: prefix,
        replDst: prefix,
        origSrcPort: ports,
        origDstPort: ports,
        direction: maybe(fc.constantFrom('ORIGINAL' as const, 'REPLY' as const)),
      })
      .filter((f) => Object.values(f).some((v) => v !== undefined))
      .map((f) => present<Match>({ kind: 'conntrack', ...f })),
    anyNegatable(some(states.slice(0, 5))).map((state) => ({ kind: 'state' as const, state })),
    fc
      .tuple(fc.constantFrom('mark' as const, 'connmark' as const), anyNegatable(masked))
      .map(([kind, mark]) => ({ kind, mark })),
    fc
      .tuple(
        maybe(
          anyNegatable(
            some(
              family === 'ipv4'
                ? types
                : types.filter((t) => t !== 'BROADCAST' && t !== 'PROHIBIT' && t !== 'BLACKHOLE'),
            ),
          ),
        ),
        maybe(
          anyNegatable(
            some(
              family === 'ipv4'
                ? types
                : types.filter((t) => t !== 'BROADCAST' && t !== 'PROHIBIT' && t !== 'BLACKHOLE'),
            ),
          ),
        ),
      )
      .filter(([s, d]) => s !== undefined || d !== undefined)
      .map(([srcType, dstType]) => present<Match>({ kind: 'addrtype', srcType, dstType })),
    anyNegatable(fc.integer({ min: 0, max: 2 ** 31 })).map((probability) => ({
      kind: 'statistic' as const,
      mode: 'random' as const,
      probability,
    })),
    fc.integer({ min: 1, max: 1000 }).chain((every) =>
      fc.tuple(fc.boolean(), fc.integer({ min: 0, max: every - 1 })).map(
        ([not, packet]): Match => ({
          kind: 'statistic',
          mode: 'nth',
          every: not ? { not: true, value: every } : { value: every },
          packet,
        }),
      ),
    ),
    anyRecent(family),
    anyNegatable(fc.tuple(anyIp(family), anyIp(family))).map(({ not, value: [a, b] }): Match => {
      const [from, to] = compareIps(a, b) < 0 ? [a, b] : [b, a]
      return { kind: 'iprange', src: not ? { not, value: { from, to } } : { value: { from, to } } }
    }),
    fc
      .array(fc.integer({ min: 0, max: 255 }), { minLength: 6, maxLength: 6 })
      .map((octets) => ({ kind: 'mac' as const, source: { value: macAt(octets) } })),
    anyNegatable(fc.constantFrom('unicast' as const, 'broadcast' as const, 'multicast' as const)).map((type) => ({
      kind: 'pkttype' as const,
      type,
    })),
    fc
      .tuple(fc.constantFrom('1/sec', '5/min', '3/hour', '7/day', '100/sec'), fc.integer({ min: 1, max: 9 }))
      .map(([average, burst]) => ({ kind: 'limit' as const, average, burst })),
    fc
      .record({
        in: maybe(anyNegatable(anyInterface)),
        isBridged: maybe(anyNegatable(fc.constant(true as const))),
        isIn: maybe(anyNegatable(fc.constant(true as const))),
      })
      .filter((f) => Object.values(f).some((v) => v !== undefined))
      .map((f) => present<Match>({ kind: 'physdev', ...f })),
  ]
  const needing: fc.Arbitrary<Match>[] = options.loadable
    ? []
    : [
        fc.tuple(anyNegatable(name), directions).map(([set, d]) => ({ kind: 'set' as const, set, directions: d })),
        name.map((n) => ({ kind: 'nfacct' as const, name: n })),
        fc
          .record({
            loose: maybe(fc.constant(true as const)),
            validmark: maybe(fc.constant(true as const)),
            invert: maybe(fc.constant(true as const)),
          })
          .map((f) => present<Match>({ kind: 'rpfilter', ...f })),
        fc
          .record({
            vaddr: prefix,
            vport: maybe(anyNegatable(port)),
            vdir: maybe(fc.constantFrom('ORIGINAL' as const, 'REPLY' as const)),
          })
          .map((f) => present<Match>({ kind: 'ipvs', ...f })),
        fc.constant({ kind: 'unknown' as const, module: 'length', text: '! --length 1:3' }),
      ]
  const own = ofProtocol(p)
  return fc.oneof(...anywhere, ...needing, ...own, ...own)
}

const masks = { ipv4: ip('255.255.255.255'), ipv6: ip('ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff') }

function anyRecent(family: Family): fc.Arbitrary<Match> {
  const seen = fc
    .record({
      op: anyNegatable(fc.constantFrom('rcheck' as const, 'update' as const)),
      seconds: fc.integer({ min: 1, max: 20000 }),
      reap: maybe(fc.constant(true as const)),
      hitcount: maybe(fc.integer({ min: 1, max: 20 })),
      rttl: maybe(fc.constant(true as const)),
    })
    .filter((f) => f.reap === undefined || f.op.not === undefined)
  const plain = fc.record({ op: anyNegatable(fc.constantFrom('set' as const, 'remove' as const)) })
  return fc
    .tuple(fc.oneof(seen, plain), name, fc.constantFrom('source' as const, 'destination' as const))
    .map(([f, n, side]) => present<Match>({ kind: 'recent', ...f, name: n, mask: masks[family], side }))
}

function ofProtocol(p: string | undefined): fc.Arbitrary<Match>[] {
  const ports = maybe(anyNegatable(anyPorts))
  const multiport: fc.Arbitrary<Match> = fc
    .tuple(
      fc.constantFrom('source' as const, 'destination' as const, 'either' as const),
      anyNegatable(fc.array(anyPorts, { minLength: 1, maxLength: 7 })),
    )
    .map(([side, list]) => ({ kind: 'multiport', side, ports: list }))
  const flags = fc
    .integer({ min: 1, max: 63 })
    .chain((mask) => fc.integer({ min: 0, max: 63 }).map((bits) => ({ mask, set: bits & mask })))
  if (p === 'tcp')
    return [
      fc
        .record({ sport: ports, dport: ports, flags: maybe(anyNegatable(flags)) })
        .map((f) => present<Match>({ kind: 'tcp', ...f })),
      multiport,
    ]
  if (p === 'udp' || p === 'sctp')
    return [fc.record({ sport: ports, dport: ports }).map((f) => present<Match>({ kind: p, ...f })), multiport]
  if (p !== 'icmp' && p !== 'ipv6-icmp') return []
  const kind = p === 'icmp' ? ('icmp' as const) : ('icmp6' as const)
  const type = fc.record({ type: fc.integer({ min: 0, max: 254 }), code: maybe(fc.integer({ min: 0, max: 15 })) })
  return [anyNegatable(type).map((icmpType) => ({ kind, icmpType }))]
}

function anyTarget(family: Family, p: string | undefined, options: AnyRuleOptions): fc.Arbitrary<Target> {
  const { table = 'filter', chains = ['KUBE-SERVICES', 'cali-FORWARD'] } = options
  const anywhere: fc.Arbitrary<Target>[] = [
    fc
      .constantFrom('accept' as const, 'return' as const, table === 'nat' ? ('accept' as const) : ('drop' as const))
      .map((kind) => ({ kind })),
    fc
      .tuple(fc.constantFrom('jump' as const, 'goto' as const), fc.constantFrom(...chains))
      .map(([kind, chain]) => ({ kind, chain })),
    masked.map((xmark) => ({ kind: 'mark' as const, xmark })),
    masked.map((xmark): Target => ({ kind: 'connmark', op: { kind: 'set', xmark } })),
    fc
      .tuple(fc.constantFrom('save' as const, 'restore' as const), uint32, uint32)
      .map(([kind, nfmask, ctmask]): Target => ({ kind: 'connmark', op: { kind, nfmask, ctmask } })),
    fc
      .constantFrom('', '--log-prefix "a b: " --log-level 5', '--log-prefix calico --log-uid')
      .map((t) => ({ kind: 'log' as const, text: t })),
    fc.constantFrom('', '--nflog-prefix "a b" --nflog-group 3').map((t) => ({ kind: 'nflog' as const, text: t })),
    ...(options.loadable
      ? []
      : [
          fc
            .tuple(fc.constantFrom('set-add' as const, 'set-del' as const), name, directions)
            .map(([kind, set, d]): Target => ({ kind, set, directions: d })),
        ]),
  ]
  const byTable: Partial<Record<TableName, fc.Arbitrary<Target>[]>> = {
    filter: [rejects(family, p)],
    nat: nats(family, p),
    raw: [
      fc.constant({ kind: 'notrack' }),
      fc.integer({ min: 1, max: 65535 }).map((zone) => ({ kind: 'ct' as const, zone })),
      fc.constant({ kind: 'trace', text: '' }),
    ],
  }
  return fc.oneof(...anywhere, ...(byTable[table] ?? []))
}

const rejects = (family: Family, p: string | undefined): fc.Arbitrary<Target> => {
  const kinds =
    family === 'ipv4'
      ? ['icmp-port-unreachable', 'icmp-host-prohibited', 'icmp-admin-prohibited']
      : ['icmp6-port-unreachable', 'icmp6-adm-prohibited']
  return fc.constantFrom(...kinds, ...(p === 'tcp' ? ['tcp-reset'] : [])).map((w) => ({ kind: 'reject', with: w }))
}

function nats(family: Family, p: string | undefined): fc.Arbitrary<Target>[] {
  const flag = maybe(fc.constant(true as const))
  const ported = p === 'tcp' || p === 'udp'
  const ports = ported ? maybe(anyPorts) : fc.constant(undefined)
  const address = anyIp(family).map((a) => ({ from: a, to: a }))
  const to = fc.record({ address, ports }).map((f) => present<{ address?: typeof f.address; ports?: PortRange }>(f))
  return [
    fc.record({ to, random: flag, persistent: flag }).map((f) => present<Target>({ kind: 'dnat', ...f })),
    fc
      .record({ to, random: flag, randomFully: flag, persistent: flag })
      .map((f) => present<Target>({ kind: 'snat', ...f })),
    fc.record({ ports, random: flag, randomFully: flag }).map((f) => present<Target>({ kind: 'masquerade', ...f })),
    fc.record({ ports, random: flag }).map((f) => present<Target>({ kind: 'redirect', ...f })),
  ]
}
