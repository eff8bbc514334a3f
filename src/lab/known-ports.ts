import { formatRuleset } from '../artefact/iptables/print.ts'
import type { Network } from '../cluster/loop.ts'
import type { SendRequest } from '../linux/kernel.ts'
import type { PortText } from './packet-line.ts'

/** Ports that artefacts name. */
export function portsOfNetwork(network: Network): ReadonlySet<number> {
  const known = new Set<number>()
  for (const machine of network.machines.values()) {
    const { sockets, iptables, links } = machine.state()
    for (const s of sockets) known.add(s.port)
    for (const { kind } of links) if (kind.kind === 'vxlan') known.add(kind.dstPort)
    const text = formatRuleset(iptables.ipv4) + formatRuleset(iptables.ipv6)
    for (const [, port] of text.matchAll(/(?:ports? |:)(\d{1,5})\b/g)) known.add(Number(port))
  }
  return known
}

/** A port that neither the artefacts nor the probe name was drawn by the kernel: every one reads the same. */
export function portText(known: ReadonlySet<number>, { payload }: SendRequest): PortText {
  const own = new Set<number>()
  if ('srcPort' in payload) own.add(payload.srcPort).add(payload.dstPort)
  if (payload.kind === 'icmp' && 'id' in payload.message) own.add(payload.message.id)
  return (port) => (known.has(port) || own.has(port) || port === 0 ? String(port) : '~')
}
