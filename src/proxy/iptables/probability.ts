/** xt_statistic keeps a probability in parts of this (net/netfilter/xt_statistic.c). */
const whole = 2 ** 31

interface Share {
  readonly text: string
  readonly parts: number
}

/** A large node asks for the same few shares a hundred thousand times. */
const shares = new Map<number, Share>()

function shareOf(n: number): Share {
  const known = shares.get(n)
  if (known) return known
  const text = tenDecimals(1 / n)
  const share = { text, parts: Math.round(Number(text) * whole) }
  shares.set(n, share)
  return share
}

/** As Go's `%0.10f` rounds: exactly, a tie to even. `toFixed` rounds a tie up. */
function tenDecimals(value: number): string {
  const exact = value.toFixed(60)
  const kept = exact.slice(0, 12)
  const isTie = /^50*$/.test(exact.slice(12))
  return isTie && Number(kept.at(-1)) % 2 === 0 ? kept : value.toFixed(10)
}

/** What kube-proxy writes for "one of n" (pkg/proxy/iptables/proxier.go, computeProbability). */
export const probabilityText = (n: number): string => shareOf(n).text

/** What the kernel keeps of that text: the nearest part of 2^31 (extensions/libxt_statistic.c). */
export const probabilityParts = (n: number): number => shareOf(n).parts

/** The n whose share the kernel keeps as `parts`: exact for up to 40,000 endpoints. */
export const oneOf = (parts: number): number => Math.round(whole / parts)
