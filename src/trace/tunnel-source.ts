import { uplinksOf } from '../cluster/underlay-machines.ts'
import { podNetworkKind } from '../cni/calico/environment.ts'
import { HostTables } from '../cni/flannel/command.ts'
import { planFlannel } from '../cni/flannel/plan.ts'
import { lazy } from '../cni/lazy.ts'
import { familyOf, type Ip } from '../net/ip.ts'
import { prefixContains } from '../net/prefix.ts'
import type { PolicyInput } from './policy-source.ts'

/** The address that `node` sends from, or masquerades with, to a pod of node `home`. Undefined where nothing is known of tunnels. */
export type TunnelSource = (node: string, home: string, pod: Ip) => Ip | undefined

/**
 * Under flannel, a packet to another node's pod leaves by the device of the route to its subnet, and both the kernel's
 * choice of a source and MASQUERADE take that device's address: flannel.1's own, not the node's InternalIP.
 */
export function tunnelSource({ objects, settings, underlay }: PolicyInput): TunnelSource {
  const plan = lazy(() => {
    if (podNetworkKind(objects) === 'calico') return undefined
    const names = objects.list('Node').map((n) => n.metadata.name)
    return planFlannel(objects, settings, new Map(names.map((name) => [name, uplinksOf(name, underlay)])))
  })
  return (node, home, pod) => {
    const [self, peer] = [plan()?.nodes.get(node), plan()?.nodes.get(home)]
    if (!self || !peer || self === peer) return undefined
    const { base, added } = self.backend
    const tables = new HostTables()
    tables.apply(added(peer.asPeer, tables).commands)
    const route = [...(base.routes ?? []), ...tables.routes]
      .filter((r) => prefixContains(r.dst, pod))
      .reduce<(typeof tables.routes)[number] | undefined>(
        (best, r) => (best && best.dst.length >= r.dst.length ? best : r),
        undefined,
      )
    return base.addresses?.find((a) => a.dev === route?.dev && familyOf(a.ip) === familyOf(pod))?.ip
  }
}
