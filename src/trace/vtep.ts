import type { Cluster } from '../cluster/cluster.ts'
import type { Network } from '../cluster/loop.ts'
import { type NetnsId, nodeNetns } from '../cluster/machine.ts'
import type { Ip } from '../net/ip.ts'
import type { Mac } from '../net/mac.ts'
import { homeOf } from './home.ts'
import type { Branch, Hop } from './trace.ts'

/** One end of a VXLAN, as its own node has it. */
interface Vtep {
  readonly node: string
  readonly mac: Mac
  readonly local: Ip
}

/**
 * Where a sender's idea of a peer differs from the peer's own: neighbour and FDB entries that are missing or point elsewhere.
 * One sentence each, with the VTEP that is expected.
 */
export const vtepDifferences = (cluster: Cluster, { legs }: Branch, network: Network): readonly string[] =>
  legs.flatMap((leg) => leg.hops.flatMap((hop) => differencesAt(hop, cluster, network)))

function differencesAt({ netns, place, steps, node = netns }: Hop, cluster: Cluster, network: Network) {
  if (place.kind !== 'device') return []
  let expected: Vtep | undefined
  return steps.flatMap(({ event }): readonly string[] => {
    if ((event.kind === 'neighbour' || event.kind === 'neighbour-failed') && event.device === place.device) {
      expected = vtepFor(event.ip, cluster, network, netns, place.device)
      const mac = event.kind === 'neighbour' ? event.entry.mac : undefined
      return expected && mac !== expected.mac
        ? [`${node} has ${mac ?? 'no neighbour entry'} for ${event.ip}; ${said(expected)}`]
        : []
    }
    if (event.kind !== 'vxlan-fdb' || !expected || event.entry?.dst === expected.local) return []
    const found = event.entry?.dst === undefined ? 'no FDB entry' : `an FDB entry to ${event.entry.dst}`
    return [`${node} has ${found} for ${event.mac}; ${said(expected)}`]
  })
}

const said = ({ node, mac, local }: Vtep): string => `expected is the VTEP of ${node}: ${mac} at ${local}`

/** The other end of the tunnel: same VNI, underlay address of the same family, on the node whose pods have the address. */
function vtepFor(
  address: Ip,
  { objects }: Cluster,
  { machines }: Network,
  netns: NetnsId,
  device: string,
): Vtep | undefined {
  const linksOf = (id: NetnsId) => machines.get(id)?.state().links ?? []
  const own = linksOf(netns).find((l) => l.name === device)?.kind
  const home = homeOf(objects, address)?.node
  if (own?.kind !== 'vxlan' || home === undefined || nodeNetns(home) === netns) return undefined
  for (const { kind, mac } of linksOf(nodeNetns(home)))
    if (kind.kind === 'vxlan' && kind.vni === own.vni && kind.local.includes(':') === own.local.includes(':'))
      return { node: home, mac, local: kind.local }
  return undefined
}
