import { parseSelector, selects } from '../../kube/calico-selector.ts'
import type { EncapMode, IpPool } from '../../kube/objects/calico.ts'
import type { KubeObject, Labels } from '../../kube/objects/meta.ts'
import type { ObjectReader } from '../../kube/store.ts'
import type { Ip } from '../../net/ip.ts'
import { type Prefix, parsePrefix, prefixContains, prefixFamily } from '../../net/prefix.ts'
import { calicoObjects } from './objects.ts'

/** An IPPool with its defaults filled in. */
export interface Pool {
  readonly name: string
  readonly cidr: Prefix
  readonly blockSize: number
  readonly ipip: EncapMode
  readonly vxlan: EncapMode
  readonly natOutgoing: boolean
  readonly disabled: boolean
  readonly disableBgpExport: boolean
  readonly uses: readonly string[]
  /** Only pools that are asked for by annotation are manual. */
  readonly manual: boolean
  readonly nodeSelector: string
  readonly namespaceSelector: string
  readonly object: KubeObject
}

export const defaultBlockSize = { ipv4: 26, ipv6: 122 } as const

/** By name: the order in which Calico takes them. */
export const poolsOf = (objects: ObjectReader): readonly Pool[] =>
  calicoObjects(objects, 'IPPool')
    .flatMap(poolOf)
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))

function poolOf(object: IpPool): readonly Pool[] {
  const { spec } = object
  const cidr = parsePrefix(spec.cidr)
  if (cidr === undefined) return []
  return [
    {
      name: object.metadata.name,
      cidr,
      blockSize: Math.max(spec.blockSize || defaultBlockSize[prefixFamily(cidr)], cidr.length),
      ipip: spec.ipipMode ?? 'Never',
      vxlan: spec.vxlanMode ?? 'Never',
      natOutgoing: spec.natOutgoing ?? false,
      disabled: spec.disabled ?? false,
      disableBgpExport: spec.disableBGPExport ?? false,
      uses: spec.allowedUses ?? ['Workload', 'Tunnel'],
      manual: spec.assignmentMode === 'Manual',
      nodeSelector: spec.nodeSelector ?? 'all()',
      namespaceSelector: spec.namespaceSelector ?? '',
      object,
    },
  ]
}

export const poolHolding = (pools: readonly Pool[], ip: Ip): Pool | undefined =>
  pools.find((pool) => prefixContains(pool.cidr, ip))

export const usesEncap = (pool: Pool, kind: 'ipip' | 'vxlan'): boolean => pool[kind] !== 'Never'

/** Whether objects with these labels may take addresses here. A selector that does not parse selects nothing. */
export function isSelected(selector: string, labels: Labels): boolean {
  const parsed = parseSelector(selector)
  return parsed.ok && selects(parsed.selector, labels)
}
