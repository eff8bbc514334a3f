/** Takes parts away for as long as what is left still shows the fault: halves first, then one by one. */
export async function shrink<T>(
  parts: readonly T[],
  shows: (kept: readonly T[]) => Promise<boolean>,
): Promise<readonly T[]> {
  let kept = parts
  for (let size = Math.ceil(parts.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < kept.length; ) {
      const fewer = [...kept.slice(0, at), ...kept.slice(at + size)]
      if (fewer.length < kept.length && (await shows(fewer))) kept = fewer
      else at += size
    }
  }
  return kept
}
