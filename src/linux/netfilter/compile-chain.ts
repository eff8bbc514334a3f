import { protocolNumberOf } from '../../artefact/iptables/protocol.ts'
import type { Chain, Match, Rule } from '../../artefact/iptables/rule.ts'
import type { Family } from '../../net/ip.ts'
import { anyProtocol, type ChainIndex, chainIndex, sieveWidth } from './chain-index.ts'
import { addressWords, maskWords } from './facts.ts'

/** A chain as numbers. Chains are immutable, so it is made once for each, whatever namespaces hold it. */
export interface CompiledChain {
  /** `sieveWidth` numbers per rule: see `sieveRow`. */
  readonly sieve: Int32Array
  /** Of a long chain. */
  readonly index: ChainIndex | undefined
}

const compiled: Readonly<Record<Family, WeakMap<Chain, CompiledChain>>> = { ipv4: new WeakMap(), ipv6: new WeakMap() }

/** `before`: the chain as it was. Only rules that it did not hold are compiled. */
export function compileChain(chain: Chain, family: Family, before?: Chain): CompiledChain {
  const known = compiled[family].get(chain)
  if (known) return known
  const old = before && compiled[family].get(before)
  const made = before && old ? recompile(chain, family, before, old) : compileAnew(chain, family)
  compiled[family].set(chain, made)
  return made
}

function compileAnew({ rules }: Chain, family: Family): CompiledChain {
  const sieve = new Int32Array(rules.length * sieveWidth)
  writeRows(sieve, rules, family, 0, rules.length)
  return { sieve, index: chainIndex(sieve) }
}

function recompile({ rules }: Chain, family: Family, before: Chain, old: CompiledChain): CompiledChain {
  const { head, tail } = sameEnds(before.rules, rules)
  if (head === rules.length && head === before.rules.length) return old
  const sieve = new Int32Array(rules.length * sieveWidth)
  sieve.set(old.sieve.subarray(0, head * sieveWidth))
  sieve.set(old.sieve.subarray(old.sieve.length - tail * sieveWidth), (rules.length - tail) * sieveWidth)
  writeRows(sieve, rules, family, head, rules.length - tail)
  return { sieve, index: chainIndex(sieve) }
}

function writeRows(sieve: Int32Array, rules: readonly Rule[], family: Family, from: number, to: number): void {
  for (let i = from; i < to; i++) {
    const rule = rules[i]
    if (rule) sieve.set(sieveRow(rule, family), i * sieveWidth)
  }
}

/** How many rules two versions of a chain share at each end. */
function sameEnds(before: readonly Rule[], after: readonly Rule[]): { readonly head: number; readonly tail: number } {
  const most = Math.min(before.length, after.length)
  let head = 0
  while (head < most && before[head] === after[head]) head++
  let tail = 0
  while (tail < most - head && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail++
  return { head, tail }
}

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
