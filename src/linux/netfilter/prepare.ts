import { protocolNumberOf } from '../../artefact/iptables/protocol.ts'
import type { Chain, Match, Rule, Table, TableName, Target } from '../../artefact/iptables/rule.ts'
import type { Family } from '../../net/ip.ts'
import { type ChainCounters, countersOf } from './counters.ts'
import { addressWords, type Facts, maskWords } from './facts.ts'
import { headerTests } from './header-test.ts'
import { matchTest } from './match-test.ts'
import type { RuleTest } from './rule-test.ts'

/** A table whose chains are made ready the first time that a packet enters them. */
export interface PreparedTable {
  readonly name: TableName
  chain(name: string): PreparedChain | undefined
  /** The chain if some packet has entered it. */
  readonly chainIfEntered: (name: string) => PreparedChain | undefined
  readonly table: Table
}

export interface PreparedChain {
  readonly chain: Chain
  readonly rules: readonly PreparedRule[]
  /** `sieveWidth` numbers per rule: see `sieveRow`. */
  readonly sieve: Int32Array
  readonly counters: ChainCounters
}

export interface PreparedRule {
  readonly rule: Rule
  readonly tests: readonly RuleTest[]
  readonly target: Target | undefined
}

/** `previous`: the same table before; chains that did not change keep their counters and their state. */
export function prepareTable(table: Table, family: Family, previous?: PreparedTable): PreparedTable {
  const sources = new Map(table.chains.map((chain) => [chain.name, chain]))
  const ready = new Map<string, PreparedChain>()
  for (const [name, chain] of sources) {
    const before = previous?.chainIfEntered(name)
    if (before?.chain === chain) ready.set(name, before)
  }
  return {
    name: table.name,
    table,
    chainIfEntered: (name) => ready.get(name),
    chain(name) {
      const known = ready.get(name)
      if (known) return known
      const source = sources.get(name)
      if (!source) return undefined
      const made = prepareChain(source, table.name, family)
      ready.set(name, made)
      return made
    },
  }
}

function prepareChain(chain: Chain, table: TableName, family: Family): PreparedChain {
  const rules = chain.rules.map((rule, i): PreparedRule => {
    const place = { table, chain: chain.name, index: i + 1 }
    const tests = [...headerTests(rule), ...rule.matches.flatMap((match) => matchTest(match, place) ?? [])]
    return { rule, tests, target: rule.target }
  })
  const sieve = new Int32Array(rules.length * sieveWidth)
  rules.forEach(({ rule }, i) => {
    sieve.set(sieveRow(rule, family), i * sieveWidth)
  })
  return { chain, rules, sieve, counters: countersOf(chain) }
}

const sieveWidth = 7
const anyProtocol = -1

/**
 * What most rules fail on, as numbers side by side: source mask and value, destination mask and value (the last word of
 * each address), protocol, first and last destination port. The sieve only rules out; whatever passes it is tested in full.
 */
function sieveRow(rule: Rule, family: Family): readonly number[] {
  const address = (asked: Rule['source']): readonly [number, number] => {
    if (!asked || asked.not) return [0, 0]
    return [maskWords(asked.value.length, family)[3], addressWords(asked.value.address)[3]]
  }
  const named = rule.protocol && !rule.protocol.not ? protocolNumberOf(rule.protocol.value) : undefined
  return [...address(rule.source), ...address(rule.destination), named || anyProtocol, ...portSieve(rule.matches)]
}

/** Only a port match that no drawing or counting match precedes may be tried early. */
function portSieve(matches: readonly Match[]): readonly [number, number] {
  for (const match of matches) {
    if (match.kind === 'statistic' || match.kind === 'recent' || match.kind === 'limit') break
    if ((match.kind === 'tcp' || match.kind === 'udp' || match.kind === 'sctp') && match.dport && !match.dport.not) {
      return [match.dport.value.from, match.dport.value.to]
    }
  }
  return [-1, 65535]
}

/** Index of the first rule from `from` on that the packet may match; the number of rules where there is none. */
export function nextCandidate(chain: PreparedChain, from: number, f: Facts): number {
  const { sieve } = chain
  const end = sieve.length
  const { sourceWord, destinationWord, protocol, dstPort } = f
  for (let at = from * sieveWidth; at < end; at += sieveWidth) {
    if ((destinationWord & (sieve[at + 2] as number)) !== sieve[at + 3]) continue
    if ((sourceWord & (sieve[at] as number)) !== sieve[at + 1]) continue
    const asked = sieve[at + 4]
    if (asked !== protocol && asked !== anyProtocol) continue
    if (dstPort < (sieve[at + 5] as number) || dstPort > (sieve[at + 6] as number)) continue
    return at / sieveWidth
  }
  return chain.rules.length
}
