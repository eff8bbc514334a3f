import { type Family, familyOf, type Ip } from '../../net/ip.ts'
import { formatSocketAddress } from '../../net/port.ts'
import type { NftTable } from '../knft-dump.ts'
import { concerns, hostAddress, type PortMapping } from '../port-mapping.ts'
import { compareVersions, version } from '../version.ts'
import type { PortmapAdd } from './iptables.ts'

/** Everything that portmap's nftables backend holds for one family after these ADDs: table `cni_hostport`. */
export function hostportTable(family: Family, adds: readonly PortmapAdd[], conf: PortmapAdd['conf']): NftTable {
  const here = adds.filter((add) => familyOf(add.address.ip) === family)
  const conditions = family === 'ipv4' ? conf.conditionsV4 : conf.conditionsV6
  const entry = [...conditions, 'fib daddr type local jump hostports_all'].join(' ')
  return {
    family: keywordOf(family),
    name: 'cni_hostport',
    comment: 'CNI portmap plugin',
    chains: [
      { name: 'hostports', rules: here.flatMap((add) => hostportRules(family, add)) },
      { name: 'hostip_hostports', rules: [] },
      { name: 'hostports_all', rules: ['jump hostip_hostports', 'jump hostports'] },
      { name: 'prerouting', attributes: 'type nat hook prerouting priority -100 ;', rules: [entry] },
      { name: 'output', attributes: 'type nat hook output priority -100 ;', rules: [entry] },
      ...(conf.snat ? [masqueradingChain(family, here)] : []),
    ],
  }
}

const keywordOf = (family: Family): 'ip' | 'ip6' => (family === 'ipv4' ? 'ip' : 'ip6')

const hostportRules = (family: Family, add: PortmapAdd): readonly string[] =>
  add.mappings.filter((m) => concerns(m, family)).map((m) => hostportRule(family, add, m))

function hostportRule(family: Family, add: PortmapAdd, mapping: PortMapping): string {
  const to = hostAddress(mapping)
  return [
    ...(to ? [`${keywordOf(family)} daddr ${to}`] : []),
    `${mapping.protocol} dport ${mapping.hostPort}`,
    `dnat to ${formatSocketAddress(add.address.ip, mapping.containerPort)}`,
    commentOf(add),
  ].join(' ')
}

function masqueradingChain(family: Family, adds: readonly PortmapAdd[]) {
  const rules = adds
    .filter((add) => add.conf.snat)
    .flatMap((add) =>
      masqueradedSources(family, add).map((source) => {
        const keyword = keywordOf(family)
        return `${keyword} saddr ${source} ${keyword} daddr ${add.address.ip} masquerade ${commentOf(add)}`
      }),
    )
  return { name: 'masquerading', attributes: 'type nat hook postrouting priority 100 ;', rules }
}

/** No marks: the pod itself, and localhost. masqAll is heard after v1.9.1. */
function masqueradedSources(family: Family, add: PortmapAdd): readonly (Ip | string)[] {
  const hearsMasqAll = compareVersions(add.version, version('v1.9.1')) > 0
  if (add.conf.masqAll && hearsMasqAll) return [family === 'ipv4' ? '0.0.0.0/0' : '::/0']
  return family === 'ipv4' ? [add.address.ip, '127.0.0.1'] : [add.address.ip]
}

const commentOf = (add: PortmapAdd): string => `comment ${JSON.stringify(add.containerId)}`
