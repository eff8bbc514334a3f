import type { Container, Pod } from '../kube/objects/pod.ts'
import { type Family, familyOf, type Ip, parseIp } from '../net/ip.ts'
import { isTransportProtocol, type TransportProtocol } from '../net/port.ts'
import { formatPath } from './origin.ts'

/** One hostPort as the runtime hands it to portmap. */
export interface PortMapping {
  readonly hostPort: number
  readonly containerPort: number
  readonly protocol: TransportProtocol
  /** Absent: every local address. */
  readonly hostIp?: Ip
  /** Where it stands in the Pod: `spec.containers[0].ports[1]`. */
  readonly field?: string
}

/** A container port and the container that declares it. */
export interface DeclaredPort {
  readonly container: string
  readonly name?: string
  readonly port: number
  readonly hostPort?: number
  readonly hostIp?: Ip
  readonly protocol: TransportProtocol
  readonly field: string
}

/** The ports of what runs beside each other: sidecars (init containers that restart always) and containers. */
export function declaredPorts(pod: Pod): readonly DeclaredPort[] {
  const of = (list: 'initContainers' | 'containers', keep: (c: Container) => boolean): readonly DeclaredPort[] =>
    (pod.spec[list] ?? []).flatMap((c, i) => (keep(c) ? containerPorts(c, ['spec', list, i]) : []))
  return [...of('initContainers', (c) => c.restartPolicy === 'Always'), ...of('containers', () => true)]
}

const containerPorts = (container: Container, path: readonly (string | number)[]): readonly DeclaredPort[] =>
  (container.ports ?? []).flatMap((port, i) => {
    const protocol = (port.protocol ?? 'TCP').toLowerCase()
    if (!isTransportProtocol(protocol)) return []
    const hostIp = parseIp(port.hostIP ?? '')
    return [
      {
        container: container.name,
        ...(port.name === undefined ? {} : { name: port.name }),
        port: port.containerPort,
        ...(port.hostPort ? { hostPort: port.hostPort } : {}),
        ...(hostIp === undefined ? {} : { hostIp }),
        protocol,
        field: formatPath([...path, 'ports', i]),
      },
    ]
  })

/** Every port with a hostPort, in the order of the manifest. */
export const portMappings = (pod: Pod): readonly PortMapping[] =>
  declaredPorts(pod).flatMap(({ hostPort, port, protocol, hostIp, field }) =>
    hostPort === undefined
      ? []
      : [{ hostPort, containerPort: port, protocol, field: `${field}.hostPort`, ...(hostIp ? { hostIp } : {}) }],
  )

/** The host address to match; undefined for every one, which 0.0.0.0 and :: mean too. */
export const hostAddress = ({ hostIp }: PortMapping): Ip | undefined =>
  hostIp === '0.0.0.0' || hostIp === '::' ? undefined : hostIp

/** An entry with a host address of the other family makes no rule. */
export const concerns = ({ hostIp }: PortMapping, family: Family): boolean =>
  hostIp === undefined || familyOf(hostIp) === family

/** Mappings by protocol, protocols in alphabetical order. */
export function byProtocol(mappings: readonly PortMapping[]): readonly (readonly [TransportProtocol, PortMapping[]])[] {
  const protocols = [...new Set(mappings.map((m) => m.protocol))].toSorted()
  return protocols.map((protocol) => [protocol, mappings.filter((m) => m.protocol === protocol)] as const)
}
