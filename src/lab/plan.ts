import type { DeviceName, Link } from '../artefact/link.ts'
import type { NetnsState } from '../artefact/netns.ts'
import type { Network } from '../cluster/loop.ts'
import type { Machine, NetnsId } from '../cluster/machine.ts'
import { familyOf } from '../net/ip.ts'
import { type LabNames, labNames } from './names.ts'

/** Which namespaces a lab has, and how their devices come to be. */
export interface LabPlan {
  readonly run: string
  readonly spaces: readonly LabSpace[]
  readonly cables: readonly Cable[]
  /** Whether any namespace uses IPv6; otherwise the lab turns it off. */
  readonly ipv6: boolean
}

export interface LabSpace {
  readonly name: string
  readonly machine: Machine
  readonly state: NetnsState
}

export interface CableEnd {
  readonly netns: string
  readonly device: DeviceName
}

/** A pair of veth ends. `b` undefined: nothing is at the other end, which is put into a namespace of its own. */
export interface Cable {
  readonly a: CableEnd
  readonly b: CableEnd | undefined
}

/** `states` may replace what a machine has: rules with a branch forced, a device left out that this kernel lacks. */
export function planLab(
  network: Network,
  run: string,
  stateOf: (machine: Machine) => NetnsState = (m) => m.state(),
): LabPlan {
  const machines = [...network.machines.values()]
  const names = labNames(machines, run)
  const spaces = machines.map((machine) => ({
    name: names.get(machine.id) ?? machine.id,
    machine,
    state: stateOf(machine),
  }))
  return { run, spaces, cables: cablesOf(network, spaces, names), ipv6: spaces.some((s) => usesIpv6(s.state)) }
}

const usesIpv6 = (state: NetnsState): boolean =>
  state.addresses.some((a) => familyOf(a.ip) === 'ipv6' && a.ip !== '::1')

/** A device that is one end of a wire: in the lab, of a veth pair. */
export const isWired = (link: Link): boolean => link.kind.kind === 'physical' || link.kind.kind === 'veth'

/** Each wire once, in the order in which the devices stand. */
function cablesOf(network: Network, spaces: readonly LabSpace[], names: LabNames): readonly Cable[] {
  const done = new Set<string>()
  return spaces.flatMap(({ machine, name, state }) =>
    state.links.filter(isWired).flatMap((link): Cable[] => {
      const a = { netns: name, device: link.name }
      const b = otherEnd(network, names, machine.id, link, state)
      if (done.has(keyOf(a))) return []
      for (const end of [a, ...(b ? [b] : [])]) done.add(keyOf(end))
      return [{ a, b }]
    }),
  )
}

const keyOf = ({ netns, device }: CableEnd): string => `${netns} ${device}`

function otherEnd(
  network: Network,
  names: LabNames,
  netns: NetnsId,
  link: Link,
  state: NetnsState,
): CableEnd | undefined {
  const peer = network.cabling.peerOf({ netns, device: link.name })
  if (peer) {
    const name = names.get(peer.netns)
    const there = network.machines
      .get(peer.netns)
      ?.state()
      .links.some((l) => l.name === peer.device)
    return name !== undefined && there ? { netns: name, device: peer.device } : undefined
  }
  const { kind } = link
  const here = kind.kind === 'veth' && state.links.some((l) => l.name === kind.peer && l.name !== link.name)
  return kind.kind === 'veth' && here ? { netns: names.get(netns) ?? '', device: kind.peer } : undefined
}
