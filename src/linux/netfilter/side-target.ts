import type { Target } from '../../artefact/iptables/rule.ts'
import type { Skb } from '../skb.ts'
import type { Facts } from './facts.ts'

export type SideTarget = Extract<
  Target,
  {
    kind:
      | 'mark'
      | 'connmark'
      | 'notrack'
      | 'ct'
      | 'log'
      | 'nflog'
      | 'trace'
      | 'checksum'
      | 'tcpmss'
      | 'set-add'
      | 'set-del'
  }
>

/** Carries out a target after which the chain goes on. Returns why it cannot be done, if so. */
export function applySideTarget(target: SideTarget, f: Facts): string | undefined {
  switch (target.kind) {
    case 'mark':
      setMark(f, xmark(f.skb.mark, target.xmark.mask, target.xmark.value))
      return undefined
    case 'connmark':
      connmark(target.op, f)
      return undefined
    case 'notrack':
      untrack(f)
      return undefined
    case 'ct':
      if (target.zone) return `conntrack zone ${target.zone} is not supported`
      if (target.notrack) untrack(f)
      return undefined
    case 'set-add':
      f.nf.sets?.add(target.set, target.directions, f.skb, target.exist === true)
      return undefined
    case 'set-del':
      f.nf.sets?.remove(target.set, target.directions, f.skb)
      return undefined
    // They write a log or change what no rule and no hop looks at.
    case 'log':
    case 'nflog':
    case 'trace':
    case 'checksum':
    case 'tcpmss':
      return undefined
  }
}

/** `--set-xmark`: (mark & ~mask) ^ value, unsigned. */
const xmark = (mark: number, mask: number, value: number): number => ((mark & ~mask) ^ value) >>> 0

/** connmark_tg (net/netfilter/xt_connmark.c). A packet without a connection is left alone. */
function connmark(op: Extract<SideTarget, { kind: 'connmark' }>['op'], f: Facts): void {
  const { connection, mark } = f.skb
  if (!connection) return
  switch (op.kind) {
    case 'set':
      connection.mark = xmark(connection.mark, op.xmark.mask, op.xmark.value)
      return
    case 'save':
      connection.mark = xmark(connection.mark, op.ctmask, mark & op.nfmask)
      return
    case 'restore':
      setMark(f, xmark(mark, op.nfmask, connection.mark & op.ctmask))
  }
}

function setMark(f: Facts, after: number): void {
  const before = f.skb.mark
  f.skb = { ...f.skb, mark: after }
  f.ctx.emit({ kind: 'mark', before, after })
}

/** A packet that has its connection already keeps it. */
function untrack(f: Facts): void {
  if (f.skb.connection || f.skb.ctinfo?.state === 'UNTRACKED') return
  const untracked: Skb = { ...f.skb, ctinfo: { state: 'UNTRACKED' } }
  f.skb = untracked
}
