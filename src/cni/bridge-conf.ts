import { type Ip, parseIp } from '../net/ip.ts'
import { type Prefix, parsePrefix } from '../net/prefix.ts'
import { booleanOf, numberOf, textOf } from './cni-conf.ts'
import { field, isObject, type JsonObject } from './json.ts'

/** The keys of the bridge plugin that shape a data plane. */
export interface BridgeConf {
  readonly bridge: string
  readonly isGateway: boolean
  readonly isDefaultGateway: boolean
  readonly hairpin: boolean
  readonly promiscuous: boolean
  readonly portIsolation: boolean
  readonly ipMasq: boolean
  readonly ipMasqBackend: 'iptables' | 'nftables'
  /** 0: what the kernel gives. */
  readonly mtu: number
  readonly routes: readonly IpamRoute[]
}

export interface IpamRoute {
  readonly dst: Prefix
  readonly gateway?: Ip
}

export type BridgeConfResult = { readonly conf: BridgeConf } | { readonly error: string }

export function bridgeConf(options: JsonObject): BridgeConfResult {
  const isDefaultGateway = booleanOf(options, 'isDefaultGateway')
  const [hairpin, promiscuous] = [booleanOf(options, 'hairpinMode'), booleanOf(options, 'promiscMode')]
  if (hairpin && promiscuous) return { error: 'cannot set hairpin mode and promiscuous mode at the same time' }
  return {
    conf: {
      bridge: textOf(options, 'bridge') ?? 'cni0',
      isGateway: isDefaultGateway || booleanOf(options, 'isGateway'),
      isDefaultGateway,
      hairpin,
      promiscuous,
      portIsolation: booleanOf(options, 'portIsolation'),
      ipMasq: booleanOf(options, 'ipMasq'),
      ipMasqBackend: textOf(options, 'ipMasqBackend') === 'nftables' ? 'nftables' : 'iptables',
      mtu: numberOf(options, 'mtu') ?? 0,
      routes: ipamRoutes(options),
    },
  }
}

/** `ipam.routes`; an entry that is no route is left out. */
export function ipamRoutes(options: JsonObject): readonly IpamRoute[] {
  const ipam = field(options, 'ipam')
  const routes = isObject(ipam) ? field(ipam, 'routes') : undefined
  return (Array.isArray(routes) ? routes : []).filter(isObject).flatMap((route) => {
    const dst = parsePrefix(textOf(route, 'dst') ?? '')
    const gateway = parseIp(textOf(route, 'gw') ?? '')
    return dst ? [{ dst, ...(gateway ? { gateway } : {}) }] : []
  })
}
