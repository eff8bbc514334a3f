import type { Network } from '../cluster/loop.ts'
import type { NetnsId } from '../cluster/machine.ts'
import type { Ip } from '../net/ip.ts'
import type { Mac } from '../net/mac.ts'
import type { Branch } from './trace.ts'

/** One end of a VXLAN, as its own node has it. */
interface Vtep {
  readonly node: string
  readonly mac: Mac
  readonly local: Ip
  readonly addresses: readonly Ip[]
}

/**
 * Where a sender's idea of a peer differs from the peer's own: neighbour and FDB entries that are missing or point elsewhere.
 * One sentence each, with the VTEP that is expected.
 */
export function vtepDifferences({ legs }: Branch, network: Network): readonly string[] {
  return legs.flatMap((leg) =>
    leg.hops.flatMap(({ netns, place, steps, node = netns }) => {
      if (place.kind !== 'device') return []
      const vteps = vtepsOf(network, netns, place.device)
      let expected: Vtep | undefined
      return steps.flatMap(({ event }): readonly string[] => {
        if ((event.kind === 'neighbour' || event.kind === 'neighbour-failed') && event.device === place.device) {
          expected = vteps.find((v) => v.addresses.includes(event.ip))
          const mac = event.kind === 'neighbour' ? event.entry.mac : undefined
          return expected && mac !== expected.mac
            ? [`${node} has ${mac ?? 'no neighbour entry'} for ${event.ip}; ${said(expected)}`]
            : []
        }
        if (event.kind !== 'vxlan-fdb') return []
        const vtep = vteps.find((v) => v.mac === event.mac) ?? expected
        const remote = event.entry?.dst
        if (!vtep || remote === vtep.local) return []
        return [
          `${node} has ${remote === undefined ? 'no FDB entry' : `an FDB entry to ${remote}`} for ${event.mac}; ${said(vtep)}`,
        ]
      })
    }),
  )
}

const said = ({ node, mac, local }: Vtep): string => `expected is the VTEP of ${node}: ${mac} at ${local}`

/** The other ends of the tunnel that a device belongs to: same VNI, underlay address of the same family. */
function vtepsOf({ machines }: Network, netns: NetnsId, device: string): readonly Vtep[] {
  const own = machines
    .get(netns)
    ?.state()
    .links.find((l) => l.name === device)?.kind
  if (own?.kind !== 'vxlan') return []
  return [...machines.values()].flatMap(({ id, kind, name, state }) => {
    if (kind !== 'node' || id === netns) return []
    const { links, addresses } = state()
    return links.flatMap((l): readonly Vtep[] =>
      l.kind.kind === 'vxlan' && l.kind.vni === own.vni && l.kind.local.includes(':') === own.local.includes(':')
        ? [
            {
              node: name,
              mac: l.mac,
              local: l.kind.local,
              addresses: addresses.filter((a) => a.dev === l.name).map((a) => a.ip),
            },
          ]
        : [],
    )
  })
}
