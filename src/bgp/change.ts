import type { Network } from './network.ts'
import type { Speaker } from './speaker.ts'

/** What happens to a running network. Changes given together happen at the same instant. */
export type Change =
  /** A speaker starts: a new one, or one that was stopped or killed. */
  | { readonly kind: 'join'; readonly speaker: Speaker }
  /** stop: with a NOTIFICATION to every neighbour. kill: without a word; its kernel routes stay as they were. */
  | { readonly kind: 'leave'; readonly speaker: string; readonly how: 'stop' | 'kill' }
  /** A new configuration under the same id (`birdc configure`). Sessions whose settings stay the same stay up. */
  | { readonly kind: 'configure'; readonly speaker: Speaker }
  /** The underlay changed; sessions that it cuts end by their hold timer, others may come up. */
  | { readonly kind: 'network'; readonly network: Network }
  /** `birdc disable` and `enable` of one session. */
  | { readonly kind: 'disable' | 'enable'; readonly speaker: string; readonly session: string }
  /** The time passes for which routes of killed speakers are kept. */
  | { readonly kind: 'restart time over' }
