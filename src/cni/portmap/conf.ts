import { booleanOf, numberOf, textOf, textsOf } from '../cni-conf.ts'
import type { JsonObject } from '../json.ts'

/** The portmap plugin's keys. */
export interface PortmapConf {
  readonly snat: boolean
  readonly masqAll: boolean
  /** 0 to 31. */
  readonly markMasqBit: number
  readonly externalSetMarkChain?: string
  readonly backend: 'iptables' | 'nftables'
  /** Extra matches of the entry rule, as words. */
  readonly conditionsV4: readonly string[]
  readonly conditionsV6: readonly string[]
}

export const defaultPortmapConf: PortmapConf = {
  snat: true,
  masqAll: false,
  markMasqBit: 13,
  backend: 'iptables',
  conditionsV4: [],
  conditionsV6: [],
}

export type PortmapConfResult = { readonly conf: PortmapConf } | { readonly error: string }

export function portmapConf(options: JsonObject): PortmapConfResult {
  const markBit = numberOf(options, 'markMasqBit')
  const chain = textOf(options, 'externalSetMarkChain')
  if (markBit !== undefined && chain !== undefined)
    return { error: 'cannot specify externalSetMarkChain and markMasqBit' }
  if (markBit !== undefined && !(Number.isInteger(markBit) && markBit >= 0 && markBit <= 31))
    return { error: `MasqMarkBit must be between 0 and 31, found ${markBit}` }
  return {
    conf: {
      snat: booleanOf(options, 'snat', true),
      masqAll: booleanOf(options, 'masqAll'),
      markMasqBit: markBit ?? defaultPortmapConf.markMasqBit,
      ...(chain === undefined ? {} : { externalSetMarkChain: chain }),
      backend: textOf(options, 'backend') === 'nftables' ? 'nftables' : 'iptables',
      conditionsV4: textsOf(options, 'conditionsV4'),
      conditionsV6: textsOf(options, 'conditionsV6'),
    },
  }
}
