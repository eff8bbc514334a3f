import type { Node } from '../../kube/objects/node.ts'
import { type Family, familyOf, type Ip, parseIp } from '../../net/ip.ts'
import { type Mac, parseMac } from '../../net/mac.ts'
import { field, isObject, parseJson } from '../json.ts'

/** What flanneld and operators write on Node objects (pkg/subnet/kube annotations.go). */
export interface FlannelAnnotations {
  /** `kube-subnet-manager`; undefined where flanneld has not been. */
  readonly managed?: boolean
  readonly backendType?: string
  readonly vtepMac: Readonly<Partial<Record<Family, Mac>>>
  /** What peers send to: an operator's overwrite before what flanneld published. */
  readonly publicIp: Readonly<Partial<Record<Family, Ip>>>
  /** `node-public-ip`: as `--public-ip`, for this node (v0.25.3). */
  readonly nodePublicIp: Readonly<Partial<Record<Family, Ip>>>
}

export function readAnnotations(node: Node, prefix: string): FlannelAnnotations {
  const of = (name: string): string | undefined => node.metadata.annotations?.[`${prefix}/${name}`]
  const address = (family: Family, ...names: readonly string[]): Ip | undefined =>
    names.flatMap((name) => parseIp(of(name) ?? '') ?? []).find((ip) => familyOf(ip) === family)
  const managed = of('kube-subnet-manager')
  const backendType = of('backend-type')
  return {
    ...(managed === undefined ? {} : { managed: managed === 'true' }),
    ...(backendType === undefined ? {} : { backendType }),
    vtepMac: byFamily(vtepMac(of('backend-data')), vtepMac(of('backend-v6-data'))),
    publicIp: byFamily(
      address('ipv4', 'public-ip-overwrite', 'public-ip'),
      address('ipv6', 'public-ipv6-overwrite', 'public-ipv6'),
    ),
    nodePublicIp: byFamily(address('ipv4', 'node-public-ip'), address('ipv6', 'node-public-ipv6')),
  }
}

const byFamily = <T>(ipv4: T | undefined, ipv6: T | undefined): Readonly<Partial<Record<Family, T>>> => ({
  ...(ipv4 === undefined ? {} : { ipv4 }),
  ...(ipv6 === undefined ? {} : { ipv6 }),
})

/** `{"VNI":1,"VtepMAC":"aa:bb:..."}`. */
function vtepMac(data: string | undefined): Mac | undefined {
  const parsed = parseJson(data ?? 'null')
  if ('error' in parsed || !isObject(parsed.value)) return undefined
  const mac = field(parsed.value, 'VtepMAC')
  return typeof mac === 'string' ? parseMac(mac) : undefined
}
