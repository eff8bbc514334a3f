import { chainName } from '../names.ts'
import { endpointMarks, hex, type Marks } from './marks.ts'
import { type FelixChain, type FelixRule, goTo, jumpTo, setMaskedMark } from './rule.ts'

interface Tree {
  /** What all names begin with. */
  readonly prefix: string
  /** Names that share their next character, in order. */
  readonly groups: readonly { readonly letter: string; readonly names: readonly string[] }[]
}

/** One level only: the names by the character after what all of them share (felix/rules/dispatch.go). */
function treeOf(interfaces: readonly string[]): Tree {
  const names = [...new Set(interfaces)].sort()
  const prefix = commonPrefix(names)
  const groups: { letter: string; names: string[] }[] = []
  for (const name of names) {
    const letter = name.slice(prefix.length, prefix.length + 1)
    const last = groups.at(-1)
    if (last?.letter === letter) last.names.push(name)
    else groups.push({ letter, names: [name] })
  }
  return { prefix, groups }
}

function commonPrefix(names: readonly string[]): string {
  const [first = ''] = names
  let length = first.length
  for (const name of names) while (!name.startsWith(first.slice(0, length))) length--
  return first.slice(0, length)
}

interface Direction {
  readonly root: string
  /** Child chains are called `<child>-X`. */
  readonly child: string
  readonly option: '--in-interface' | '--out-interface'
  /** Of the chain of one endpoint. */
  readonly prefix: string
  /** What ends each child, and the root. */
  readonly childEnd: readonly FelixRule[]
  readonly rootEnd: readonly FelixRule[]
}

function dispatch(interfaces: readonly string[], d: Direction): readonly FelixChain[] {
  const { prefix, groups } = treeOf(interfaces)
  const children: FelixChain[] = []
  const toEndpoint = (name: string): FelixRule => ({
    match: `${d.option} ${name}`,
    action: goTo(chainName(d.prefix, name)),
  })
  const rules = groups.map(({ letter, names }): FelixRule => {
    const [only] = names
    if (names.length === 1 && only !== undefined) return toEndpoint(only)
    const name = `${d.child}-${letter}`
    children.push({ name, rules: [...names.map(toEndpoint), ...d.childEnd] })
    return { match: `${d.option} ${prefix}${letter}+`, action: goTo(name) }
  })
  return [...children, { name: d.root, rules: [...rules, ...d.rootEnd] }]
}

const unknown = (denyAction: string): readonly FelixRule[] => [
  { comments: ['Unknown interface'], action: jumpTo(denyAction) },
]

/** From the interface that a pod's packet comes from, or goes to, to the pod's own chain. */
export function workloadDispatch(interfaces: readonly string[], denyAction: string): readonly FelixChain[] {
  const end = unknown(denyAction)
  const ends = { childEnd: end, rootEnd: end }
  return [
    ...dispatch(interfaces, {
      root: 'cali-from-wl-dispatch',
      child: 'cali-from-wl-dispatch',
      option: '--in-interface',
      prefix: 'cali-fw-',
      ...ends,
    }),
    ...dispatch(interfaces, {
      root: 'cali-to-wl-dispatch',
      child: 'cali-to-wl-dispatch',
      option: '--out-interface',
      prefix: 'cali-tw-',
      ...ends,
    }),
  ]
}

/** kube-proxy in IPVS mode: a packet to a Service passes INPUT and OUTPUT; a mark says which endpoint it came from. */
export function endpointMarkDispatch(
  interfaces: readonly string[],
  marks: Pick<Marks, 'endpoint' | 'nonCaliEndpoint'>,
  interfacePrefixes: readonly string[],
  denyAction: string,
): readonly FelixChain[] {
  const { endpoint, nonCaliEndpoint } = marks
  const names = [...new Set(interfaces)].sort()
  const byName = endpointMarks(names, endpoint, nonCaliEndpoint)
  return [
    ...dispatch(names, {
      root: 'cali-set-endpoint-mark',
      child: 'cali-set-endpoint-mark-wep',
      option: '--in-interface',
      prefix: 'cali-sm-',
      childEnd: [],
      rootEnd: [
        ...interfacePrefixes.map((p) => ({
          comments: ['Unknown endpoint'],
          match: `--in-interface ${p}+`,
          action: jumpTo(denyAction),
        })),
        { comments: ['Non-Cali endpoint mark'], action: setMaskedMark(nonCaliEndpoint, endpoint) },
      ],
    }),
    {
      name: 'cali-from-endpoint-mark',
      rules: [
        ...[...byName].map(([name, mark]) => ({
          match: `-m mark --mark ${hex(mark)}/${hex(endpoint)}`,
          action: goTo(chainName('cali-fw-', name)),
        })),
        ...unknown(denyAction),
      ],
    },
    ...[...byName].map(([name, mark]) => ({
      name: chainName('cali-sm-', name),
      rules: [{ action: setMaskedMark(mark, endpoint) }],
    })),
  ]
}

/** Interfaces of host endpoints; `any` has an endpoint for all of its interfaces, which comes last. */
export function hostDispatch(
  root: string,
  option: '--in-interface' | '--out-interface',
  prefix: string,
  interfaces: readonly string[],
  any: boolean,
): readonly FelixChain[] {
  const rootEnd = any ? [{ action: goTo(chainName(prefix, anyInterface)) }] : []
  return dispatch(interfaces, { root, child: root, option, prefix, childEnd: rootEnd, rootEnd })
}

/** What the chains of a host endpoint `*` are named after. */
export const anyInterface = 'any-interface-at-all'
