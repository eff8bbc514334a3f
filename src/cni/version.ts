/** A release, as image tags and git tags write it: `v0.8.0-rc2`, `v0.11.0-amd64`, `0.28.9`. */
export interface Version {
  readonly major: number
  readonly minor: number
  readonly patch: number
  /** Number of the release candidate; absent for the release, which comes after all of them. */
  readonly candidate?: number
}

/** undefined for a tag that is no version: `latest`, `master`, a digest. */
export function parseVersion(tag: string): Version | undefined {
  const match = /^v?(\d+)\.(\d+)(?:\.(\d+))?(?:-rc\.?(\d+))?/.exec(tag)
  if (!match) return undefined
  const [, major, minor, patch = '0', candidate] = match
  const release = { major: Number(major), minor: Number(minor), patch: Number(patch) }
  return candidate === undefined ? release : { ...release, candidate: Number(candidate) }
}

export function compareVersions(a: Version, b: Version): number {
  const key = (v: Version): readonly number[] => [v.major, v.minor, v.patch, v.candidate ?? Number.POSITIVE_INFINITY]
  const right = key(b)
  for (const [i, x] of key(a).entries()) {
    const y = right[i] ?? 0
    if (x !== y) return x < y ? -1 : 1
  }
  return 0
}

/** For literals in code. Throws on anything that is no version. */
export function version(text: string): Version {
  const parsed = parseVersion(text)
  if (parsed === undefined) throw new Error(`not a version: ${JSON.stringify(text)}`)
  return parsed
}

export const isAtLeast = (v: Version, least: string): boolean => compareVersions(v, version(least)) >= 0
