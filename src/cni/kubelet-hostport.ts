import type { IptablesEdit } from '../artefact/iptables/edit.ts'
import type { Rule } from '../artefact/iptables/rule.ts'
import { type Family, familyOf, type Ip } from '../net/ip.ts'
import { hostPrefix, type Prefix, prefix } from '../net/prefix.ts'
import { kubeletHostportChain } from './chain-name.ts'
import type { PortMapping } from './port-mapping.ts'
import { dnatTo } from './portmap/iptables.ts'
import { comment, dport, ensureChain, fillChain, is, jump, masquerade, rule, toLocal } from './rule-parts.ts'

/** hostPorts of one pod under kubenet or dockershim (removed in Kubernetes v1.24). */
export interface HostportPod {
  readonly namespace: string
  readonly name: string
  readonly sandboxId: string
  readonly ip: Ip
  readonly mappings: readonly PortMapping[]
}

const hostportsChain = 'KUBE-HOSTPORTS'
const loopback: Readonly<Record<Family, Prefix>> = { ipv4: prefix('127.0.0.0/8'), ipv6: prefix('::1/128') }

/** What kubelet writes for pods added in this order to the nodes' `natInterface` (`cbr0`). Newest entries come first. */
export function kubeletHostportEdits(
  family: Family,
  natInterface: string,
  pods: readonly HostportPod[],
): readonly IptablesEdit[] {
  const here = pods.filter((pod) => familyOf(pod.ip) === family && pod.mappings.length > 0)
  if (here.length === 0) return []
  return [
    ...portalEdits(family, natInterface),
    ...here.flatMap((pod) => pod.mappings.flatMap((m) => mappingEdits(pod, m))),
  ]
}

function portalEdits(family: Family, natInterface: string): readonly IptablesEdit[] {
  const portals = rule({ matches: [comment('kube hostport portals'), toLocal], target: jump(hostportsChain) })
  const snat = rule({
    source: is(loopback[family]),
    outInterface: is(natInterface),
    matches: [comment('SNAT for localhost access to hostports')],
    target: masquerade,
  })
  return [
    ...ensureChain('nat', hostportsChain, []),
    ...['PREROUTING', 'OUTPUT'].map(
      (chain): IptablesEdit => ({ op: 'ensure-appended', table: 'nat', chain, rule: portals }),
    ),
    { op: 'ensure-appended', table: 'nat', chain: 'POSTROUTING', rule: snat },
  ]
}

function mappingEdits(pod: HostportPod, { protocol, hostPort, containerPort }: PortMapping): readonly IptablesEdit[] {
  const chain = kubeletHostportChain(pod.sandboxId, hostPort, protocol.toUpperCase())
  const text = comment(`${pod.name}_${pod.namespace} hostport ${hostPort}`)
  const entry: Rule = rule({ protocol: is(protocol), matches: [text, dport(protocol, hostPort)], target: jump(chain) })
  return [
    ...fillChain('nat', chain, [
      rule({ source: is(hostPrefix(pod.ip)), matches: [text], target: jump('KUBE-MARK-MASQ') }),
      rule({ protocol: is(protocol), matches: [text, { kind: protocol }], target: dnatTo(pod.ip, containerPort) }),
    ]),
    { op: 'prepend', table: 'nat', chain: hostportsChain, rule: entry },
  ]
}
