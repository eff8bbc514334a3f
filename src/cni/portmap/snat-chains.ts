import type { IptablesEdit } from '../../artefact/iptables/edit.ts'
import type { Rule } from '../../artefact/iptables/rule.ts'
import { familyOf, ip } from '../../net/ip.ts'
import { hostPrefix } from '../../net/prefix.ts'
import { cniChainName } from '../chain-name.ts'
import { concerns, hostAddress } from '../port-mapping.ts'
import { comment, dport, ensureChain, fillChain, is, jump, masquerade, not, rule } from '../rule-parts.ts'
import { dnatChain, dnatTo, dnatTopChain, type PortmapAdd, topLevelEdits } from './iptables.ts'

const snatTopChain = 'CNI-HOSTPORT-SNAT'
const localhost = hostPrefix(ip('127.0.0.1'))

/** The layout up to v0.6.x: no marks, no hairpin; what comes from localhost is masqueraded by chains of its own. */
export function snatChainEdits(add: PortmapAdd): readonly IptablesEdit[] {
  const mappings = add.mappings.filter((m) => concerns(m, familyOf(add.address.ip)))
  if (mappings.length === 0) return []
  const dnat = mappings.map((m): Rule => {
    const to = hostAddress(m)
    return rule({
      ...(to ? { destination: is(hostPrefix(to)) } : {}),
      protocol: is(m.protocol),
      matches: [dport(m.protocol, m.hostPort)],
      target: dnatTo(add.address.ip, m.containerPort),
    })
  })
  return [
    ...topLevelEdits(add.version),
    ...fillChain('nat', dnatChain(add), dnat),
    entry(add, dnatTopChain, 'dnat', dnatChain(add)),
    ...(add.conf.snat && familyOf(add.address.ip) === 'ipv4' ? snatEdits(add, mappings) : []),
  ]
}

function snatEdits(add: PortmapAdd, mappings: PortmapAdd['mappings']): readonly IptablesEdit[] {
  const chain = cniChainName(add.network, add.containerId, 'SN-')
  const fromLocalhost = rule({ source: is(localhost), destination: not(localhost), target: jump(snatTopChain) })
  const rules = mappings.map((m) =>
    rule({
      source: is(localhost),
      destination: is(hostPrefix(add.address.ip)),
      protocol: is(m.protocol),
      matches: [dport(m.protocol, m.containerPort)],
      target: masquerade,
    }),
  )
  return [
    ...ensureChain('nat', snatTopChain, []),
    { op: 'ensure-prepended', table: 'nat', chain: 'POSTROUTING', rule: fromLocalhost },
    ...fillChain('nat', chain, rules),
    entry(add, snatTopChain, 'snat', chain),
  ]
}

function entry(add: PortmapAdd, top: string, verb: 'dnat' | 'snat', chain: string): IptablesEdit {
  const text = `${verb} name: ${JSON.stringify(add.network)} id: ${JSON.stringify(add.containerId)}`.slice(0, 255)
  return {
    op: 'ensure-appended',
    table: 'nat',
    chain: top,
    rule: rule({ matches: [comment(text)], target: jump(chain) }),
  }
}
