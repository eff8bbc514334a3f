import type { Io } from './io.ts'

const width = 30

/** A bar on standard error, for a person, once the work has taken a second. `end` wipes it. */
export function progressBar(
  what: string,
  io: Io,
): { readonly tell: (done: number, total: number) => void; readonly end: () => void } {
  const { now } = io
  if (!io.errIsTerminal || !now) return { tell: () => undefined, end: () => undefined }
  const start = now()
  let last = start
  let drawn = false
  return {
    tell(done, total) {
      const at = now()
      if (at - start < 1000 || at - last < 100) return
      last = at
      drawn = true
      const full = Math.round((width * done) / total)
      const left = Math.round(((at - start) / done) * (total - done) * 0.001)
      io.err(`\r${what} [${'#'.repeat(full).padEnd(width, '.')}] ${done}/${total}, ${left} s left \u001b[K`)
    },
    end: () => (drawn ? io.err('\r\u001b[K') : undefined),
  }
}
