import { parseAddresses } from '../artefact/address-text.ts'
import { parseConntrack } from '../artefact/conntrack-text.ts'
import { parseFdb } from '../artefact/fdb-text.ts'
import { parseIpSets } from '../artefact/ipset-text.ts'
import { rulesEqual } from '../artefact/iptables/apply.ts'
import { parseExcerpt, parseRuleset, restoreNoflush } from '../artefact/iptables/parse.ts'
import type { Ruleset } from '../artefact/iptables/rule.ts'
import { type IpvsService, parseIpvs, serviceName } from '../artefact/ipvs.ts'
import { parseLinks } from '../artefact/link-text.ts'
import { parseNeighbours } from '../artefact/neighbour-text.ts'
import { emptyNetns, type NetnsState } from '../artefact/netns.ts'
import { runNft } from '../artefact/nft/read.ts'
import { emptyNft } from '../artefact/nft/ruleset.ts'
import { type TextProblem, textProblemSentence } from '../artefact/problem.ts'
import { parseRoutes } from '../artefact/route-text.ts'
import { parseRoutingRules } from '../artefact/routing-rule-text.ts'
import { parseSysctls } from '../artefact/sysctl-text.ts'
import type { Parsed } from '../artefact/text-line.ts'
import type { NodeState, NodeStateSpec } from '../kube/objects/kubehop.ts'
import type { ObjectReader } from '../kube/store.ts'
import { type Family, families } from '../net/ip.ts'
import { prefixesEqual } from '../net/prefix.ts'
import type { AgentProblem } from './build.ts'

type TextField = Exclude<keyof NodeStateSpec, 'node' | 'mode' | 'remove'>

/** Puts the NodeStates of a node over what was rendered for it: what a person or a stray agent did to that node. */
export function applyNodeStates(state: NetnsState, objects: ObjectReader, node: string): NetnsState {
  const mine = objects.list('NodeState').filter((s) => nodeOf(s) === node)
  return mine.reduce((before, nodeState) => applyNodeState(before, nodeState, []), state)
}

/** What the native texts of all NodeStates have that cannot be read, and nodes that do not exist. */
export function nodeStateProblems(objects: ObjectReader): readonly AgentProblem[] {
  return objects.list('NodeState').flatMap((nodeState) => {
    const problems: AgentProblem[] = []
    applyNodeState(emptyNetns, nodeState, problems)
    if (!objects.get('Node', nodeOf(nodeState))) problems.push(unknownNode(nodeState, objects))
    return problems
  })
}

const nodeOf = (s: NodeState): string => s.spec.node ?? s.metadata.name

function unknownNode(nodeState: NodeState, objects: ObjectReader): AgentProblem {
  const names = objects.list('Node').map((n) => n.metadata.name)
  const { name } = nodeState.metadata
  return {
    severity: 'error',
    by: 'NodeState',
    message: `there is no node "${nodeOf(nodeState)}"; there are ${names.join(', ')}`,
    object: { kind: 'NodeState', name },
    field: 'spec.node',
  }
}

function applyNodeState(state: NetnsState, nodeState: NodeState, problems: AgentProblem[]): NetnsState {
  const { spec } = nodeState
  const read = reader(nodeState, problems)
  const over = spec.mode !== 'replace'
  return [
    (s: NetnsState) => removed(s, nodeState, problems),
    (s: NetnsState): NetnsState => ({ ...s, sysctls: combined(over, s.sysctls, sysctlsOf(nodeState, problems)) }),
    (s: NetnsState): NetnsState => ({
      ...s,
      links: merge(over, s.links, read('links', parseLinks), (a, b) => a.name === b.name),
    }),
    (s: NetnsState): NetnsState => ({
      ...s,
      addresses: merge(
        over,
        s.addresses,
        read('addresses', parseAddresses),
        (a, b) => a.dev === b.dev && a.ip === b.ip,
      ),
    }),
    (s: NetnsState): NetnsState => ({ ...s, routes: merge(over, s.routes, routesOf(read), sameRoute) }),
    (s: NetnsState): NetnsState => ({
      ...s,
      rules: merge(
        over,
        s.rules,
        read('rules', parseRoutingRules),
        (a, b) => a.priority === b.priority && a.family === b.family,
      ),
    }),
    (s: NetnsState): NetnsState => ({
      ...s,
      neighbours: merge(
        over,
        s.neighbours,
        read('neighbours', parseNeighbours),
        (a, b) => a.dev === b.dev && a.ip === b.ip,
      ),
    }),
    (s: NetnsState): NetnsState => ({
      ...s,
      fdb: merge(over, s.fdb, read('fdb', parseFdb), (a, b) => a.dev === b.dev && a.mac === b.mac),
    }),
    (s: NetnsState): NetnsState => ({
      ...s,
      conntrack: merge(over, s.conntrack, read('conntrack', parseConntrack), () => false),
    }),
    (s: NetnsState): NetnsState => ({
      ...s,
      iptables: {
        ipv4: rulesOver(s, spec.iptables, 'ipv4', over, nodeState, problems),
        ipv6: rulesOver(s, spec.ip6tables, 'ipv6', over, nodeState, problems),
      },
    }),
    (s: NetnsState): NetnsState => nftOver(s, over, nodeState, problems),
    (s: NetnsState): NetnsState => {
      const sets = read('ipset', (text) => {
        const { sets: entries, problems: found } = parseIpSets(text)
        return { entries, problems: found }
      })
      return sets ? { ...s, ipsets: merge(over, s.ipsets ?? [], sets, (a, b) => a.name === b.name) } : s
    },
    (s: NetnsState): NetnsState => {
      const services = read('ipvs', parseIpvs)
      const same = (a: IpvsService, b: IpvsService): boolean => serviceName(a) === serviceName(b)
      return services ? { ...s, ipvs: merge(over, s.ipvs ?? [], services, same) } : s
    },
  ].reduce((s, apply) => apply(s), state)
}

type Read = <T>(field: TextField, parse: (text: string) => Parsed<T>) => readonly T[] | undefined

/** Parses a field's text; entries carry the NodeState as their origin. */
function reader(nodeState: NodeState, problems: AgentProblem[]): Read {
  return (field, parse) => {
    const text = nodeState.spec[field]
    if (text === undefined) return undefined
    const parsed = parse(text)
    problems.push(...parsed.problems.map((p) => problemOf(nodeState, `spec.${field}`, p)))
    return parsed.entries.map((e) =>
      typeof e === 'object' && e !== null && !Array.isArray(e) ? { ...e, origin: originOf(nodeState, field) } : e,
    )
  }
}

const originOf = ({ metadata }: NodeState, field: string) => ({
  by: 'NodeState',
  object: { kind: 'NodeState', name: metadata.name, field: `spec.${field}` },
})

const problemOf = ({ metadata }: NodeState, field: string, p: TextProblem): AgentProblem => ({
  severity: 'error',
  by: 'NodeState',
  message: textProblemSentence(p),
  object: { kind: 'NodeState', name: metadata.name },
  field,
  node: metadata.name,
})

const routesOf = (read: Read): ReturnType<typeof parseRoutes>['entries'] | undefined =>
  read('routes', parseRoutesOfBoth)

/** A line with a colon is of IPv6. */
function parseRoutesOfBoth(text: string): ReturnType<typeof parseRoutes> {
  const lines = text.split('\n')
  const [ipv4, ipv6] = families.map((family) =>
    parseRoutes(lines.map((l) => (l.includes(':') === (family === 'ipv6') ? l : '')).join('\n'), family),
  )
  return {
    entries: [...(ipv4?.entries ?? []), ...(ipv6?.entries ?? [])],
    problems: [...(ipv4?.problems ?? []), ...(ipv6?.problems ?? [])],
  }
}

interface RouteKey {
  readonly dst: { readonly address: NetnsState['routes'][number]['dst']['address']; readonly length: number }
  readonly table: string
  readonly metric?: number
}
const sameRoute = (a: RouteKey, b: RouteKey): boolean =>
  prefixesEqual(a.dst, b.dst) && a.table === b.table && (a.metric ?? 0) === (b.metric ?? 0)

/** Given entries take the place of those with the same key (`ip route replace`), or of all. */
function merge<T>(
  over: boolean,
  rendered: readonly T[],
  given: readonly T[] | undefined,
  same: (a: T, b: T) => boolean,
): readonly T[] {
  if (given === undefined) return rendered
  return over ? [...rendered.filter((r) => !given.some((g) => same(g, r))), ...given] : given
}

function combined(
  over: boolean,
  rendered: NetnsState['sysctls'],
  given: NetnsState['sysctls'] | undefined,
): NetnsState['sysctls'] {
  if (given === undefined) return rendered
  return { ...(over ? rendered : {}), ...given }
}

function sysctlsOf(nodeState: NodeState, problems: AgentProblem[]): NetnsState['sysctls'] | undefined {
  const text = nodeState.spec.sysctl
  if (text === undefined) return undefined
  const parsed = parseSysctls(text)
  problems.push(...parsed.problems.map((p) => problemOf(nodeState, 'spec.sysctl', p)))
  return Object.fromEntries(parsed.entries)
}

function nftOver(state: NetnsState, over: boolean, nodeState: NodeState, problems: AgentProblem[]): NetnsState {
  const text = nodeState.spec.nftables
  if (text === undefined) return state
  const before = over ? (state.nftables ?? emptyNft) : emptyNft
  const { ruleset, problems: found } = runNft(before, text, originOf(nodeState, 'nftables'))
  problems.push(...found.map((p) => problemOf(nodeState, 'spec.nftables', p)))
  return { ...state, nftables: ruleset }
}

function rulesOver(
  state: NetnsState,
  text: string | undefined,
  family: Family,
  over: boolean,
  nodeState: NodeState,
  problems: AgentProblem[],
): Ruleset {
  const rendered = state.iptables[family]
  if (text === undefined) return rendered
  const { ruleset, problems: found } = over ? restoreNoflush(rendered, text) : parseRuleset(text, family)
  problems.push(...found.map((p) => problemOf(nodeState, family === 'ipv4' ? 'spec.iptables' : 'spec.ip6tables', p)))
  return ruleset
}

/** `remove`: entries that this node has lost. */
function removed(state: NetnsState, nodeState: NodeState, problems: AgentProblem[]): NetnsState {
  const { remove } = nodeState.spec
  if (!remove) return state
  const lost = <T>(field: 'routes' | 'neighbours' | 'fdb', parse: (text: string) => Parsed<T>): readonly T[] => {
    const parsed = parse(remove[field] ?? '')
    problems.push(...parsed.problems.map((p) => problemOf(nodeState, `spec.remove.${field}`, p)))
    return parsed.entries
  }
  const [neighbours, fdb, routes] = [
    lost('neighbours', parseNeighbours),
    lost('fdb', parseFdb),
    lost('routes', parseRoutesOfBoth),
  ]
  const without = (field: 'iptables' | 'ip6tables', family: Family): Ruleset => {
    const { ruleset, problems: found } = parseExcerpt(remove[field] ?? '', family)
    problems.push(...found.map((p) => problemOf(nodeState, `spec.remove.${field}`, p)))
    return withoutRules(state.iptables[family], ruleset)
  }
  return {
    ...state,
    neighbours: state.neighbours.filter((n) => !neighbours.some((r) => r.dev === n.dev && r.ip === n.ip)),
    fdb: state.fdb.filter(
      (f) => !fdb.some((r) => r.dev === f.dev && r.mac === f.mac && (r.dst === undefined || r.dst === f.dst)),
    ),
    routes: state.routes.filter((x) => !routes.some((r) => sameRoute(r, x))),
    iptables: { ipv4: without('iptables', 'ipv4'), ipv6: without('ip6tables', 'ipv6') },
  }
}

function withoutRules(ruleset: Ruleset, lost: Ruleset): Ruleset {
  const chainLoses = (table: string, chain: string) =>
    lost.tables.find((t) => t.name === table)?.chains.find((c) => c.name === chain)?.rules ?? []
  return {
    ...ruleset,
    tables: ruleset.tables.map((t) => ({
      ...t,
      chains: t.chains.map((c) => ({
        ...c,
        rules: c.rules.filter((r) => !chainLoses(t.name, c.name).some((l) => rulesEqual(l, r))),
      })),
    })),
  }
}
