import type { IptablesEdit } from '../artefact/iptables/edit.ts'
import type { Rule } from '../artefact/iptables/rule.ts'
import type { Origin } from '../artefact/origin.ts'
import { familyOf } from '../net/ip.ts'
import { hostPrefix, type InterfaceAddress, networkOf } from '../net/prefix.ts'
import { cniChainName } from './chain-name.ts'
import { multicast } from './flannel/masquerade.ts'
import { accept, comment, ensureChain, is, jump, masquerade, not, rule } from './rule-parts.ts'
import { isAtLeast, type Version } from './version.ts'

/** `ipMasq` of the bridge and ptp plugins for one address of one pod. */
export interface IpMasqAdd {
  readonly network: string
  readonly containerId: string
  readonly address: InterfaceAddress
  readonly version: Version
  readonly origin?: Origin
}

/** pkg/ip SetupIPMasq: one chain per pod. Its ACCEPT covers the node's subnet only. */
export function ipMasqEdits(add: IpMasqAdd): readonly IptablesEdit[] {
  const { address, network, containerId } = add
  const chain = cniChainName(network, containerId)
  const subnet = networkOf(address.ip, address.length)
  const make = (parts: Partial<Rule>): Rule =>
    rule({
      ...parts,
      matches: [comment(`name: ${JSON.stringify(network)} id: ${JSON.stringify(containerId)}`)],
      ...(add.origin ? { origin: add.origin } : {}),
    })
  // The whole subnet before v0.8.0.
  const source = isAtLeast(add.version, 'v0.8.0') ? hostPrefix(address.ip) : subnet
  return [
    ...ensureChain('nat', chain, [
      make({ destination: is(subnet), target: accept }),
      make({ destination: not(multicast[familyOf(address.ip)]), target: masquerade }),
    ]),
    {
      op: 'ensure-appended',
      table: 'nat',
      chain: 'POSTROUTING',
      rule: make({ source: is(source), target: jump(chain) }),
    },
  ]
}
