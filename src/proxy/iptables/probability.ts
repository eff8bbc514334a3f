/** xt_statistic keeps a probability in parts of this (net/netfilter/xt_statistic.c). */
const whole = 2 ** 31

/**
 * What kube-proxy writes for "one of n": 1/n with ten decimals, as Go's `%0.10f` rounds it: exactly, a tie to even
 * (pkg/proxy/iptables/proxier.go, computeProbability).
 */
export function probabilityText(n: number): string {
  const exact = (1 / n).toFixed(60)
  const kept = exact.slice(0, 12)
  const isTie = /^50*$/.test(exact.slice(12))
  return isTie && Number(kept.at(-1)) % 2 === 0 ? kept : (1 / n).toFixed(10)
}

/** What the kernel keeps of that text: the nearest part of 2^31 (extensions/libxt_statistic.c). */
export const probabilityParts = (n: number): number => Math.round(Number(probabilityText(n)) * whole)

/** The n whose share the kernel keeps as `parts`: exact for up to 40,000 endpoints. */
export const oneOf = (parts: number): number => Math.round(whole / parts)
