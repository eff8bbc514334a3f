import type { JsonObject } from '../../json.ts'
import { count, flag } from '../net-conf.ts'

/** The vxlan keys of `Backend` that Linux nodes read. */
export interface VxlanOptions {
  readonly vni: number
  /** Absent: the kernel's. */
  readonly port?: number
  /** Of the outer packet; absent: that of the external interface. */
  readonly mtu?: number
  readonly learning: boolean
  readonly directRouting: boolean
}

export function vxlanOptions(options: JsonObject, errors: string[]): VxlanOptions {
  const port = count(options, 'Port', errors)
  const mtu = count(options, 'MTU', errors)
  return {
    vni: count(options, 'VNI', errors) ?? 1,
    ...(port === undefined ? {} : { port }),
    ...(mtu === undefined ? {} : { mtu }),
    learning: flag(options, 'Learning', false, errors),
    directRouting: flag(options, 'DirectRouting', false, errors),
  }
}
