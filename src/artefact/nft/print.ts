import type { DataType } from './datatype.ts'
import { formatElement, type NftStyle } from './expression.ts'
import { inOrder } from './order.ts'
import { formatPriority } from './priority.ts'
import type { NftBase, NftChain, NftRule, NftRuleset, NftSet, NftTable } from './ruleset.ts'
import { formatStatement } from './statement.ts'
import { formatTime } from './time.ts'
import type { NftElement } from './value.ts'

/** The text of `nft list ruleset` (nft 1.0.6). Sets are printed as they stand in the artefact, timeouts not running. */
export const formatNft = ({ tables }: NftRuleset): string =>
  tables.map((table) => `${formatNftTable(table)}\n`).join('')

export function formatNftTable(table: NftTable): string {
  const { family, name, comment, flags, sets, chains, others = [] } = table
  const blocks = [
    ...others.map(({ head, lines }) => block(head, lines)),
    ...sets.map((set) => block(`${set.kind} ${set.name}`, setLines(set))),
    ...chains.map((chain) => block(`chain ${chain.name}`, chainLines(chain))),
  ]
  return [
    `table ${family} ${name} {`,
    ...(comment === undefined ? [] : [`\tcomment "${comment}"`]),
    ...(flags ? [`\tflags ${flags.join(',')}`] : []),
    ...(blocks.length > 0 ? [blocks.join('\n\n')] : []),
    '}',
  ].join('\n')
}

const block = (head: string, lines: readonly string[]): string =>
  [`\t${head} {`, ...lines.map((line) => `\t\t${line}`), '\t}'].join('\n')

export const chainLines = (chain: NftChain): readonly string[] => [
  ...(chain.comment === undefined ? [] : [`comment "${chain.comment}"`]),
  ...(chain.base ? [`${formatHook(chain.base)}; policy ${chain.base.policy};`] : []),
  ...chain.rules.map((rule) => formatNftRule(rule)),
]

const formatHook = ({ type, hook, priority }: NftBase): string =>
  `type ${type} hook ${hook} priority ${formatPriority(priority, hook)}`

export function formatNftRule({ statements, comment }: NftRule, style: NftStyle = 'list'): string {
  const text = statements.map((s) => formatStatement(s, style)).join(' ')
  return comment === undefined ? text : `${text} comment "${comment}"`.trimStart()
}

function setLines(set: NftSet): readonly string[] {
  return [
    formatTypes(set),
    ...(set.size === undefined ? defaultSize(set) : [`size ${set.size}`]),
    ...(set.policy === undefined ? [] : [`policy ${set.policy}`]),
    ...(set.flags ? [`flags ${inFlagOrder(set.flags).join(',')}`] : []),
    ...(set.timeout === undefined ? [] : [`timeout ${formatTime(set.timeout)}`]),
    ...(set.gcInterval === undefined ? [] : [`gc-interval ${formatTime(set.gcInterval)}`]),
    ...(set.autoMerge ? ['auto-merge'] : []),
    ...(set.counter ? ['counter'] : []),
    ...(set.comment === undefined ? [] : [`comment "${set.comment}"`]),
    ...elementLines(inOrder(set.elements, set.key), set.key),
  ]
}

/** The order of the words in src/rule.c, set_print_flags. */
const flagOrder = ['constant', 'interval', 'dynamic', 'timeout']
const inFlagOrder = (flags: readonly string[]): readonly string[] =>
  flags.toSorted((a, b) => flagOrder.indexOf(a) - flagOrder.indexOf(b))

/** The kernel gives sets that packets change a size (nft_dynset.c). */
const defaultSize = ({ flags }: NftSet): readonly string[] => (flags?.includes('dynamic') ? ['size 65535'] : [])

export function formatTypes({ key, keyOf, data, dataOf }: NftSet): string {
  const of = (types: readonly DataType[]): string => types.join(' . ')
  const held = data === 'verdict' ? 'verdict' : (dataOf ?? (data && of(data)))
  return `${keyOf === undefined ? `type ${of(key)}` : `typeof ${keyOf}`}${held === undefined ? '' : ` : ${held}`}`
}

/** calculate_delim (src/expression.c): how many elements stand on one line. */
function perLine(key: readonly DataType[]): number {
  const [only, ...more] = key
  if (only === undefined || more.length > 0) return 1
  if (only === 'ipv4_addr' || only === 'ether_addr') return 2
  return only === 'ipv6_addr' || only === 'ifname' ? 1 : 5
}

function elementLines(elements: readonly NftElement[], key: readonly DataType[]): readonly string[] {
  if (elements.length === 0) return []
  const width = perLine(key)
  const rows = Array.from({ length: Math.ceil(elements.length / width) }, (_, row) =>
    elements
      .slice(row * width, (row + 1) * width)
      .map(formatElement)
      .join(', '),
  )
  return [`elements = { ${rows.join(',\n\t\t\t     ')} }`]
}
