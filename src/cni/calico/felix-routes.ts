import { deviceName } from '../../artefact/link.ts'
import type { Route } from '../../artefact/route.ts'
import { hostPrefix } from '../../net/prefix.ts'
import { type CalicoNode, type CalicoPlan, sameSubnet, tunnelMtu } from './plan.ts'
import { poolHolding, usesEncap } from './pool.ts'

/** ProgramClusterRoutes of Felix: the routes that BIRD would program, by Felix (since 3.31). IPv4. */
export function clusterRoutes(plan: CalicoPlan, self: CalicoNode): readonly Route[] {
  const base = { table: 'main', scope: 'global' as const, proto: '80', type: 'unicast' as const, onlink: true }
  return [...plan.nodes.values()].flatMap((node) => {
    const via = node.addresses.ipv4?.ip
    if (node === self || !via) return []
    return [...node.blocks, ...node.borrowed.map(hostPrefix)].flatMap((dst): Route[] => {
      const pool = poolHolding(plan.pools, dst.address)
      if (!pool || usesEncap(pool, 'vxlan') || dst.address.includes(':')) return []
      const origin = { by: 'calico', note: `block of ${node.name}` }
      const near = sameSubnet(self.addresses.ipv4, via)
      if (pool.ipip === 'Always' || (pool.ipip === 'CrossSubnet' && !near)) {
        return [{ ...base, dst, via, dev: deviceName('tunl0'), mtu: tunnelMtu(self, 'ipip', 'ipv4'), origin }]
      }
      return [{ ...base, dst, via, dev: self.uplink.device, origin }]
    })
  })
}
