import type { OptionReader } from '../module.ts'
import type { MaskedValue } from '../rule.ts'
import { hex, markExpected, parseMasked, parseUint32 } from '../value.ts'
import type { TargetModule, TargetOf } from './target-module.ts'

const settings = { 'set-xmark': 1, 'set-mark': 1, 'and-mark': 1, 'or-mark': 1, 'xor-mark': 1 } as const
const all = 0xffffffff

/** The five spellings of one operation: mark = (mark & ~mask) ^ value (libxt_MARK, libxt_CONNMARK). */
function readXmark(given: OptionReader): MaskedValue | undefined {
  const masked = (name: string) => given.plain(name, parseMasked, markExpected)
  const bits = (name: string) => given.plain(name, parseUint32, 'a 32-bit number')
  const xmark = masked('set-xmark')
  if (xmark) return xmark
  const set = masked('set-mark')
  if (set) return { value: set.value, mask: (set.value | set.mask) >>> 0 }
  const and = bits('and-mark')
  if (and !== undefined) return { value: 0, mask: ~and >>> 0 }
  const or = bits('or-mark')
  if (or !== undefined) return { value: or, mask: or }
  const xor = bits('xor-mark')
  return xor === undefined ? undefined : { value: xor, mask: 0 }
}

const formatXmark = (m: MaskedValue): string => `--set-xmark ${hex(m.value)}/${hex(m.mask)}`

export const mark: TargetModule<'mark'> = {
  names: ['MARK'],
  options: settings,
  read: (given) => {
    const xmark = readXmark(given)
    if (xmark) return { kind: 'mark', xmark }
    return Object.keys(settings).some((name) => given.has(name))
      ? undefined
      : given.need(undefined, 'set-xmark VALUE/MASK')
  },
  write: (t) => formatXmark(t.xmark),
}

export const connmark: TargetModule<'connmark'> = {
  names: ['CONNMARK'],
  options: { ...settings, 'save-mark': 0, 'restore-mark': 0, nfmask: 1, ctmask: 1, mask: 1 },
  kept: ['left-shift-mark', 'right-shift-mark'],
  read: (given) => {
    if (given.has('save-mark') || given.has('restore-mark')) return readCopy(given)
    const xmark = readXmark(given)
    if (xmark) return { kind: 'connmark', op: { kind: 'set', xmark } }
    return Object.keys(settings).some((name) => given.has(name))
      ? undefined
      : given.bad('CONNMARK', '--set-xmark, --save-mark or --restore-mark after -j CONNMARK')
  },
  write: ({ op }) =>
    op.kind === 'set'
      ? formatXmark(op.xmark)
      : `--${op.kind}-mark --nfmask ${hex(op.nfmask)} --ctmask ${hex(op.ctmask)}`,
}

function readCopy(given: OptionReader): TargetOf<'connmark'> {
  const bits = (name: string) => given.plain(name, parseUint32, 'a 32-bit number')
  const mask = bits('mask') ?? all
  const kind = given.has('save-mark') ? 'save' : 'restore'
  return { kind: 'connmark', op: { kind, nfmask: bits('nfmask') ?? mask, ctmask: bits('ctmask') ?? mask } }
}
