import type { FelixConfiguration, ProtoPort } from '../../../kube/objects/calico.ts'
import type { ObjectReader } from '../../../kube/store.ts'
import { calicoObjects } from '../objects.ts'
import type { FailsafePort } from './static.ts'

/** What FelixConfiguration and the environment say about one node; see the field's own name for what is absent here. */
export interface FelixSettings {
  readonly interfacePrefixes: readonly string[]
  readonly appends: boolean
  /** Targets. */
  readonly endpointToHostAction: 'DROP' | 'ACCEPT' | 'RETURN'
  readonly filterAllowAction: 'ACCEPT' | 'RETURN'
  readonly mangleAllowAction: 'ACCEPT' | 'RETURN'
  readonly filterDenyAction: 'DROP' | 'REJECT'
  readonly markMask: number
  readonly ipv6: boolean
  readonly natOutgoingAddress: string | undefined
  readonly natPortRange: string | undefined
  readonly natExcludesHosts: boolean
  readonly natOutInterface: string | undefined
  readonly serviceLoopAction: 'DROP' | 'REJECT' | undefined
  readonly conntrackInvalidCheck: boolean
  readonly dropEncapFromWorkloads: { readonly vxlan: boolean; readonly ipip: boolean }
  readonly failsafeInbound: readonly FailsafePort[]
  readonly failsafeOutbound: readonly FailsafePort[]
  readonly nodePortRanges: readonly string[]
  readonly externalNodes: readonly string[]
  readonly vxlanPort: number
  readonly vxlanVni: number
  /** 0: worked out from the uplink. */
  readonly vxlanMtu: number
  readonly ipipMtu: number
  readonly routeProtocol: number
  readonly programClusterRoutes: boolean
  readonly logPrefix: string
  readonly flowLogs: boolean
}

const failsafe = (tcp: readonly number[], udp: readonly number[]): readonly FailsafePort[] => [
  ...tcp.map((port) => ({ protocol: 'tcp', port, net: '0.0.0.0/0' })),
  ...udp.map((port) => ({ protocol: 'udp', port, net: '0.0.0.0/0' })),
]

const inbound: readonly FailsafePort[] = [
  { protocol: 'tcp', port: 22, net: '0.0.0.0/0' },
  { protocol: 'udp', port: 68, net: '0.0.0.0/0' },
  ...failsafe([179, 2379, 2380, 5473, 6443, 6666, 6667], []),
]
const outbound: readonly FailsafePort[] = [
  ...failsafe([], [53, 67]),
  ...failsafe([179, 2379, 2380, 5473, 6443, 6666, 6667], []),
]

/** A text of an object's field or of FELIX_NAME, which wins: Felix reads both in any case. */
type Read = (field: string) => string | undefined

/**
 * The environment over `node.<name>` over `default` (felix/config). Where the input does not show how calico-node is
 * deployed, what every manifest sets is taken.
 */
export function felixSettings(
  objects: ObjectReader,
  env: ReadonlyMap<string, string>,
  node: string,
  deployed: boolean,
): FelixSettings {
  const configurations = calicoObjects(objects, 'FelixConfiguration')
  const specs = [`node.${node}`, 'default']
    .map((name) => configurations.find((c) => c.metadata.name === name)?.spec)
    .filter((spec) => spec !== undefined)
  return readSettings(reader(specs, env), deployed, (field) => specs.find((s) => s[field] !== undefined)?.[field])
}

function reader(specs: readonly FelixConfiguration['spec'][], env: ReadonlyMap<string, string>): Read {
  const variables = new Map([...env].map(([name, value]) => [name.toUpperCase(), value]))
  return (field) => {
    const variable = variables.get(`FELIX_${field.toUpperCase()}`)
    if (variable !== undefined && variable !== '') return variable
    const key = field.toLowerCase()
    for (const spec of specs) {
      const found = Object.entries(spec).find(([name]) => name.toLowerCase() === key)?.[1]
      if (found !== undefined) return String(found)
    }
    return undefined
  }
}

type PortField = 'failsafeInboundHostPorts' | 'failsafeOutboundHostPorts' | 'externalNodesList'

function readSettings(read: Read, deployed: boolean, list: (field: PortField) => unknown): FelixSettings {
  const is = (field: string, value: string): boolean => read(field)?.toLowerCase() === value
  const flag = (field: string, missing: boolean): boolean => {
    const text = read(field)?.toLowerCase()
    return text === undefined ? missing : ['true', 'yes', 'y', '1', 't', 'enabled'].includes(text)
  }
  const number = (field: string, missing: number): number => {
    const n = Number(read(field) ?? missing)
    return Number.isFinite(n) ? n : missing
  }
  return {
    interfacePrefixes: (read('interfacePrefix') ?? 'cali').split(','),
    appends: is('chainInsertMode', 'append'),
    endpointToHostAction: hostAction(read('defaultEndpointToHostAction') ?? (deployed ? 'Drop' : 'Accept')),
    filterAllowAction: is('iptablesFilterAllowAction', 'return') ? 'RETURN' : 'ACCEPT',
    mangleAllowAction: is('iptablesMangleAllowAction', 'return') ? 'RETURN' : 'ACCEPT',
    filterDenyAction: is('iptablesFilterDenyAction', 'reject') ? 'REJECT' : 'DROP',
    markMask: number('iptablesMarkMask', 0xffff0000),
    ipv6: flag('ipv6Support', true),
    natOutgoingAddress: read('natOutgoingAddress'),
    natPortRange: read('natPortRange'),
    natExcludesHosts: is('natOutgoingExclusions', 'ippoolsandhostips'),
    natOutInterface: read('iptablesNATOutgoingInterfaceFilter'),
    serviceLoopAction: is('serviceLoopPrevention', 'disabled')
      ? undefined
      : is('serviceLoopPrevention', 'reject')
        ? 'REJECT'
        : 'DROP',
    conntrackInvalidCheck: !flag('disableConntrackInvalidCheck', false),
    dropEncapFromWorkloads: {
      vxlan: !flag('allowVXLANPacketsFromWorkloads', false),
      ipip: !flag('allowIPIPPacketsFromWorkloads', false),
    },
    failsafeInbound: ports(list('failsafeInboundHostPorts'), read('failsafeInboundHostPorts')) ?? inbound,
    failsafeOutbound: ports(list('failsafeOutboundHostPorts'), read('failsafeOutboundHostPorts')) ?? outbound,
    nodePortRanges: (read('kubeNodePortRanges') ?? '30000:32767').split(','),
    externalNodes:
      textList(list('externalNodesList')) ?? (read('externalNodesCIDRList') ?? '').split(',').filter(Boolean),
    vxlanPort: number('vxlanPort', 4789),
    vxlanVni: number('vxlanVNI', 4096),
    vxlanMtu: number('vxlanMTU', 0),
    ipipMtu: number('ipipMTU', number('ipInIpMtu', 0)),
    routeProtocol: number('deviceRouteProtocol', 3),
    programClusterRoutes: is('programClusterRoutes', 'enabled'),
    logPrefix: read('logPrefix') ?? 'calico-packet',
    flowLogs: read('flowLogsGoldmaneServer') !== undefined || is('flowLogsLocalReporter', 'enabled'),
  }
}

function hostAction(text: string | undefined): FelixSettings['endpointToHostAction'] {
  switch (text?.toLowerCase()) {
    case 'accept':
      return 'ACCEPT'
    case 'return':
      return 'RETURN'
    default:
      return 'DROP'
  }
}

const textList = (value: unknown): readonly string[] | undefined =>
  Array.isArray(value) ? value.map(String) : undefined

/** A list of objects; in the environment `tcp:0.0.0.0/0:22,udp:68`, or `none`. */
function ports(value: unknown, text: string | undefined): readonly FailsafePort[] | undefined {
  if (Array.isArray(value)) {
    return (value as readonly ProtoPort[]).map(({ protocol = 'tcp', port, net }) => ({
      protocol: protocol.toLowerCase(),
      port,
      net: net === undefined || net === '' ? '0.0.0.0/0' : net,
    }))
  }
  if (text === undefined) return undefined
  if (text.toLowerCase() === 'none') return []
  return text.split(',').flatMap((entry) => {
    const [, protocol = 'tcp', net = '0.0.0.0/0', port] =
      /^(?:(tcp|udp|sctp):)?(?:(.+):)?(\d+)$/.exec(entry.trim()) ?? []
    return port === undefined ? [] : [{ protocol, net, port: Number(port) }]
  })
}
