import type { TableName } from '../../artefact/iptables/rule.ts'
import type { Facts } from './facts.ts'

/** One condition of a rule. */
export interface RuleTest {
  /** Undefined: it cannot be decided here (an unknown module, an unknown set). */
  passes(facts: Facts): boolean | undefined
  /** Why the packet in hand fails it. */
  miss(facts: Facts): string
  /** It changes state or draws lots, so it must not be tried for packets that an earlier condition has ruled out. */
  readonly stateful?: true
}

/** Where a rule stands. */
export interface RulePlace {
  readonly table: TableName
  readonly chain: string
  /** 1-based. */
  readonly index: number
}
