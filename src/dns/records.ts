import type { ObjectRef } from '../kube/objects/meta.ts'
import type { Ip } from '../net/ip.ts'

export type RecordType = 'A' | 'AAAA' | 'SRV' | 'CNAME'

/** Names are absolute, in lower case and without the final dot. */
export type DnsRecord =
  | { readonly type: 'A' | 'AAAA'; readonly name: string; readonly address: Ip }
  | { readonly type: 'CNAME'; readonly name: string; readonly target: string }
  | { readonly type: 'SRV'; readonly name: string; readonly target: string; readonly port: number }

/** Why a name does not exist. */
export type NotFound =
  /** No such form of name is served below the cluster domain. */
  | 'malformed'
  | 'no-namespace'
  | 'no-service'
  /** A headless Service exists only as far as it has ready endpoints. */
  | 'no-ready-endpoint'
  | 'no-endpoint-of-that-name'
  | 'no-such-port'
  | 'no-such-pod'
  /** The Corefile does not serve pod names. */
  | 'pods-disabled'
  /** externalName is an address, which makes no CNAME. */
  | 'external-name-is-address'
  /** The resolver asked is not the cluster's. */
  | 'not-asked-in-cluster'

export type DnsAnswer =
  | { readonly kind: 'records'; readonly records: readonly DnsRecord[]; readonly object: ObjectRef | undefined }
  /** The name exists, without records of the type; or it is an alias that leads nowhere. */
  | { readonly kind: 'nodata'; readonly object: ObjectRef | undefined; readonly alias?: DeadAlias }
  | { readonly kind: 'nxdomain'; readonly reason: NotFound; readonly object: ObjectRef | undefined }
  /** An outer resolver answers, which is not known here: the name, and the aliases that led to it. */
  | {
      readonly kind: 'forwarded'
      readonly name: string
      readonly records: readonly DnsRecord[]
      readonly object: ObjectRef | undefined
    }

/** The last target that was tried. CoreDNS answers such an alias with nothing at all. */
export interface DeadAlias {
  readonly target: string
  readonly reason: NotFound | 'nodata' | 'loop'
}

export const nodata = (object?: ObjectRef): DnsAnswer => ({ kind: 'nodata', object })
export const nxdomain = (reason: NotFound, object?: ObjectRef): DnsAnswer => ({ kind: 'nxdomain', reason, object })

export const recordsOr = (records: readonly DnsRecord[], object: ObjectRef | undefined): DnsAnswer =>
  records.length > 0 ? { kind: 'records', records, object } : nodata(object)
