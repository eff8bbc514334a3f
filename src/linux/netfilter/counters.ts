import type { Chain, Rule, TableName } from '../../artefact/iptables/rule.ts'
import type { Family } from '../../net/ip.ts'
import type { Netfilter } from './state.ts'

/** Packets and bytes of a chain: at 0 those of the policy, at n those of the n-th rule. */
export interface ChainCounters {
  readonly packets: Float64Array
  readonly bytes: Float64Array
}

/** One counter of `iptables-save -c`. */
export interface RuleCounter {
  readonly table: TableName
  readonly chain: string
  /** 1-based; 0 for the policy of a built-in chain. */
  readonly index: number
  readonly rule: Rule | undefined
  readonly packets: number
  readonly bytes: number
}

/** Starts from what the rules were loaded with. */
export function countersOf(chain: Chain): ChainCounters {
  const packets = new Float64Array(chain.rules.length + 1)
  const bytes = new Float64Array(chain.rules.length + 1)
  chain.rules.forEach(({ counters }, i) => {
    packets[i + 1] = counters?.packets ?? 0
    bytes[i + 1] = counters?.bytes ?? 0
  })
  return { packets, bytes }
}

export function count(counters: ChainCounters, index: number, bytes: number): void {
  counters.packets[index] = (counters.packets[index] ?? 0) + 1
  counters.bytes[index] = (counters.bytes[index] ?? 0) + bytes
}

/** Every counter that is not zero, in the order of the rules. */
export function readCounters(nf: Netfilter, family: Family): readonly RuleCounter[] {
  return [...nf.tables[family].values()].flatMap(({ name, table, chainIfEntered }) =>
    table.chains.flatMap((chain) => {
      const { packets, bytes } = chainIfEntered(chain.name)?.counters ?? countersOf(chain)
      return Array.from(packets, (n, index) => ({
        table: name,
        chain: chain.name,
        index,
        rule: chain.rules[index - 1],
        packets: n,
        bytes: bytes[index] ?? 0,
      })).filter((counter) => counter.packets > 0)
    }),
  )
}
