import type { Uplink } from '../result.ts'
import type { FlanneldArgs } from './args.ts'

export interface UplinkChoice {
  readonly uplink?: Uplink
  readonly problem?: string
}

/** main.go: `--iface` (a name or an address), then `--iface-regex`, first match; none given: the default route's device. */
export function chooseUplink(candidates: readonly Uplink[], args: FlanneldArgs): UplinkChoice {
  const [first] = candidates
  if (first === undefined)
    return { problem: 'the node has no address on any segment: flanneld finds no interface and exits' }
  if (args.interfaces.length === 0 && args.interfacePatterns.length === 0) return { uplink: first }
  const named = args.interfaces.flatMap((text) => candidates.find((u) => isCalled(u, text)) ?? [])
  const matched = args.interfacePatterns.flatMap((text) => candidates.find((u) => fits(u, text)) ?? [])
  const chosen = named[0] ?? matched[0]
  if (chosen !== undefined) return { uplink: chosen }
  const asked = [
    ...args.interfaces.map((i) => `--iface=${i}`),
    ...args.interfacePatterns.map((p) => `--iface-regex=${p}`),
  ]
  // Device names of a dump are not known: the underlay calls them as it likes.
  return { uplink: first, problem: `${asked.join(' ')} matches no device of the underlay; ${first.device} is taken` }
}

const isCalled = (uplink: Uplink, text: string): boolean =>
  uplink.device === text || uplink.addresses.some((a) => a.ip === text)

function fits(uplink: Uplink, pattern: string): boolean {
  try {
    const regex = new RegExp(pattern)
    return regex.test(uplink.device) || uplink.addresses.some((a) => regex.test(a.ip))
  } catch {
    return false
  }
}
