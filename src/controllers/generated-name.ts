/** Names as the control plane makes them: what is random there is a hash of stable input here. */

/** apimachinery `pkg/util/rand`: no vowels and no digits that look like letters. */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789'

/** apiserver `pkg/storage/names`: a base name is cut so that five characters more still make a DNS label. */
const longestBase = 63 - 5

/** 32-bit FNV-1a over the UTF-8 bytes. */
export function fnv32a(text: string): number {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}

/** `pod-template-hash`, `controller-revision-hash`: the digits of a 32-bit hash, each as a letter of the alphabet. */
export function templateHash(template: unknown): string {
  return [...String(fnv32a(canonicalJson(template)))].map((digit) => letterAt(digit.charCodeAt(0))).join('')
}

/** `generateName` with its five characters, which `seed` decides; another where `isTaken`. */
export function generatedName(base: string, seed: string, isTaken: (name: string) => boolean = () => false): string {
  const stem = base.slice(0, longestBase)
  for (let attempt = 0; ; attempt++) {
    const name = stem + suffix(attempt === 0 ? seed : `${seed}#${attempt}`)
    if (!isTaken(name)) return name
  }
}

/** The base of an indexed Job's pod: the Job's name gives way, the index does not (job controller `indexed_job_utils.go`). */
export function indexedBase(name: string, index: number): string {
  const tail = `-${index}-`
  return name.slice(0, longestBase - tail.length) + tail
}

function suffix(seed: string): string {
  // FNV alone leaves the last characters of like seeds alike.
  let rest = mix(fnv32a(seed))
  let text = ''
  for (let i = 0; i < 5; i++) {
    text += letterAt(rest)
    rest = Math.floor(rest / alphabet.length)
  }
  return text
}

/** The finalizer of MurmurHash3. */
function mix(value: number): number {
  let h = value
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

const letterAt = (n: number): string => alphabet.charAt(n % alphabet.length)

/** JSON with sorted keys, so that the order in which fields were written does not matter. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const fields = Object.entries(value).filter(([, v]) => v !== undefined)
  fields.sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${fields.map(([k, v]) => `${JSON.stringify(k)}:${canonicalJson(v)}`).join(',')}}`
}
