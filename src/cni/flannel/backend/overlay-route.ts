import type { DeviceName } from '../../../artefact/link.ts'
import type { Origin } from '../../../artefact/origin.ts'
import type { Route } from '../../../artefact/route.ts'
import type { Ip } from '../../../net/ip.ts'
import type { Prefix } from '../../../net/prefix.ts'
import type { HostCommand, HostTables } from '../command.ts'

/** A route as flanneld makes it by netlink without a protocol: `ip route` prints none (boot). */
export const overlayRoute = (
  dst: Prefix,
  dev: DeviceName,
  origin: Origin,
  more: { readonly via?: Ip; readonly onlink?: boolean } = {},
): Route => ({
  type: 'unicast',
  dst,
  ...(more.via ? { via: more.via } : {}),
  dev,
  table: 'main',
  proto: 'boot',
  scope: 'global',
  ...(more.onlink ? { onlink: true } : {}),
  origin,
})

/** pkg/backend RouteNetwork: a route by another gateway or device is deleted first, an equal one is left alone. */
export function routeNetworkAdd(route: Route, tables: HostTables): readonly HostCommand[] {
  const standing = tables.routeTo(route.dst)
  if (standing === undefined) return [{ op: 'route-add', route }]
  if (standing.via === route.via && standing.dev === route.dev) return []
  return [
    { op: 'route-del', route: standing },
    { op: 'route-add', route },
  ]
}
