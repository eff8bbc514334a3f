import { formatAddress } from '../artefact/address-text.ts'
import { formatFdb } from '../artefact/fdb-text.ts'
import { formatIpSets } from '../artefact/ipset-text.ts'
import { formatRuleset } from '../artefact/iptables/print.ts'
import { formatIpvsSave } from '../artefact/ipvs.ts'
import { linkCommands } from '../artefact/link-text.ts'
import { formatNeighbour } from '../artefact/neighbour-text.ts'
import type { NetnsState } from '../artefact/netns.ts'
import { formatNft } from '../artefact/nft/print.ts'
import type { Route } from '../artefact/route.ts'
import { formatRoute } from '../artefact/route-text.ts'
import { formatRoutingRule } from '../artefact/routing-rule-text.ts'
import { formatSysctl } from '../artefact/sysctl-text.ts'
import { type Family, familyOf } from '../net/ip.ts'
import { prefixFamily } from '../net/prefix.ts'
import { isWired } from './plan.ts'

/** What one namespace is given, in the order in which it is given; each a list of lines for the tool of that name. */
export interface SpaceCommands {
  /** Before any device is there: what holds for the namespace, and what devices then inherit. */
  readonly sysctlsFirst: readonly string[]
  /** `ip -batch`. */
  readonly ip: readonly string[]
  /** `ip -6 -batch`. */
  readonly ip6: readonly string[]
  /** `bridge -batch`. */
  readonly bridge: readonly string[]
  /** Of single devices. */
  readonly sysctlsLast: readonly string[]
  /** `iptables-restore` and `ip6tables-restore`; empty where there is nothing. */
  readonly iptables: Readonly<Record<Family, string>>
  /** `ipset restore`, before the rules that name the sets. */
  readonly ipset: string
  /** `ipvsadm -R`. */
  readonly ipvs: string
  /** `nft -f`. */
  readonly nft: string
}

export function spaceCommands(state: NetnsState, ipv6: boolean): SpaceCommands {
  const there = new Set<string>(['lo', ...state.links.map((l) => l.name)])
  const sysctls = Object.entries(state.sysctls).filter(([key]) => ipv6 || !key.startsWith('net.ipv6.'))
  const first = sysctls.filter(([key]) => deviceOf(key) === undefined)
  const last = sysctls.filter(([key]) => there.has(deviceOf(key) ?? ''))
  return {
    // Turning forwarding on or off resets other settings, so it comes first.
    sysctlsFirst: first.toSorted(([a], [b]) => rank(a) - rank(b)).map(([k, v]) => formatSysctl(k, v)),
    ip: [...links(state), ...addresses(state, ipv6), ...routes(state, 'ipv4', there), ...neighbours(state, ipv6)],
    ip6: ipv6 ? routes(state, 'ipv6', there) : [],
    bridge: state.fdb
      .filter((e) => e.dst !== undefined || e.flags.includes('master'))
      .map((e) => `fdb append ${formatFdb(e)}`),
    sysctlsLast: last.map(([k, v]) => formatSysctl(k, v)),
    ipset: state.ipsets ? formatIpSets(state.ipsets) : '',
    ipvs: formatIpvsSave(state.ipvs ?? []),
    nft: state.nftables ? formatNft(state.nftables) : '',
    iptables: {
      ipv4: formatRuleset(state.iptables.ipv4),
      ipv6: ipv6 ? formatRuleset(state.iptables.ipv6) : '',
    },
  }
}

const rank = (key: string): number => (key === 'net.ipv4.ip_forward' || key.endsWith('.all.forwarding') ? 0 : 1)

/** The device that a setting is of; undefined for the namespace's own, `all` and `default`. */
function deviceOf(key: string): string | undefined {
  const device = /^net\.ipv[46]\.(?:conf|neigh)\.(.+)\.[^.]+$/.exec(key)?.[1]
  return device === 'all' || device === 'default' ? undefined : device
}

/** Wired devices are there already: their cables were laid first. */
const links = (state: NetnsState): readonly string[] =>
  state.links.flatMap((link) => linkCommands(link, isWired(link) ? { made: true } : {}))

/** The loopback device brings its own addresses. */
const addresses = (state: NetnsState, ipv6: boolean): readonly string[] =>
  state.addresses
    .filter((a) => !(a.dev === 'lo' && (a.ip === '127.0.0.1' || a.ip === '::1')))
    .filter((a) => ipv6 || familyOf(a.ip) === 'ipv4')
    .map((a) => `addr add ${formatAddress(a)}${nodad(a.ip)}`)

const nodad = (ip: string): string => (ip.includes(':') ? ' nodad' : '')

/** The kernel's own routes come of themselves. Those through a gateway last: it must be known how to reach it. */
function routes(state: NetnsState, family: Family, there: ReadonlySet<string>): readonly string[] {
  const mine = state.routes.filter(
    (r) => prefixFamily(r.dst) === family && r.proto !== 'kernel' && (r.dev === undefined || there.has(r.dev)),
  )
  const through = (r: Route): number => (r.via === undefined ? 0 : 1)
  return [
    ...mine.toSorted((a, b) => through(a) - through(b)).map((r) => `route add ${formatRoute(r)}`),
    ...state.rules.filter((r) => r.family === family).map((r) => `rule add ${formatRoutingRule(r)}`),
  ]
}

const neighbours = (state: NetnsState, ipv6: boolean): readonly string[] =>
  state.neighbours.filter((n) => ipv6 || familyOf(n.ip) === 'ipv4').map((n) => `neigh replace ${formatNeighbour(n)}`)
