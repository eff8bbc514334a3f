import type { MessageCounts } from './outcome.ts'

/** Counts messages during a run. */
export type Tally = { -readonly [Type in keyof MessageCounts]: number }

export const emptyTally = (): Tally => ({
  open: 0,
  keepalive: 0,
  update: 0,
  endOfRib: 0,
  notification: 0,
  routeRefresh: 0,
})

export const totalMessages = (counts: MessageCounts): number => Object.values(counts).reduce((sum, n) => sum + n, 0)
