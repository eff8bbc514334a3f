import type { Pod } from '../kube/objects/pod.ts'
import type { ObjectReader } from '../kube/store.ts'
import { isTransportProtocol, type Protocol, parsePort, type TransportProtocol } from '../net/port.ts'
import { type MatrixQuery, portAt } from '../policy/port-sets.ts'
import type { EndProblem } from './end.ts'
import type { MatrixEnd, MatrixGroup } from './matrix-groups.ts'

/** A port of a destination, and the members that have it. */
export interface MatrixPort {
  /** `443/tcp`, `dns/udp`, `icmp`. */
  readonly text: string
  readonly query: MatrixQuery
  readonly ends: readonly MatrixEnd[]
  /** The destination declares none. */
  readonly assumed?: true
}

/** What is asked of each destination: given ports, or those that it declares itself. */
export type PortWish = readonly MatrixQuery[] | 'declared'

export const formatQuery = ({ protocol, port }: MatrixQuery): string =>
  port === undefined ? protocol : `${port}/${protocol}`

/** Reads `80,443/tcp,53/udp,dns`. A name without protocol is asked for in every one that some pod declares it for. */
export function parsePorts(
  text: string | undefined,
  protocol: Protocol | undefined,
  objects: ObjectReader,
): PortWish | EndProblem {
  if (protocol === 'icmp' || protocol === 'icmpv6')
    return text === undefined ? [{ protocol }] : { problem: `--ports ${text}: ${protocol} has no ports` }
  if (text === undefined) return 'declared'
  const queries: MatrixQuery[] = []
  for (const part of text.split(',').map((t) => t.trim())) {
    const [port = '', given] = part.split('/')
    const wanted = given?.toLowerCase() ?? protocol
    if (port === '' || (wanted !== undefined && !isTransportProtocol(wanted)))
      return { problem: `--ports ${text}: expected ports such as 80, 443/tcp, 53/udp or a name` }
    const number = parsePort(port)
    if (number === undefined && /^\d+$/.test(port)) return { problem: `--ports ${port}: expected a number up to 65535` }
    if (number !== undefined) queries.push({ protocol: wanted ?? 'tcp', port: number })
    else {
      const protocols = protocolsOfName(port, objects).filter((p) => wanted === undefined || p === wanted)
      if (protocols.length === 0) return { problem: `--ports ${part}: no container port has this name` }
      queries.push(...protocols.map((p) => ({ protocol: p, port })))
    }
  }
  return [...new Map(queries.map((q) => [formatQuery(q), q])).values()]
}

const protocolsOfName = (name: string, objects: ObjectReader): readonly TransportProtocol[] => [
  ...new Set(
    objects.list('Pod').flatMap((pod) => containerPorts(pod).flatMap((p) => (p.name === name ? [p.protocol] : []))),
  ),
]

interface ContainerPort {
  readonly name: string | undefined
  readonly protocol: TransportProtocol
  readonly port: number
}

function containerPorts({ spec }: Pod): readonly ContainerPort[] {
  const sidecars = (spec.initContainers ?? []).filter((c) => c.restartPolicy === 'Always')
  return [...sidecars, ...spec.containers].flatMap((c) =>
    (c.ports ?? []).flatMap(({ name, containerPort, protocol = 'TCP' }) => {
      const transport = protocol.toLowerCase()
      return isTransportProtocol(transport) ? [{ name, protocol: transport, port: containerPort }] : []
    }),
  )
}

/** Ports that containers declare, and those that Services send to. Of a destination without any: 80, or 443 outside. */
export function portsOfGroup(
  group: MatrixGroup,
  wish: PortWish,
  protocol: Protocol | undefined,
  served: ReadonlyMap<string, readonly MatrixQuery[]>,
): readonly MatrixPort[] {
  if (wish !== 'declared')
    return wish.map((query) => ({
      ...{ text: formatQuery(query), query },
      ends: group.ends.filter((e) => query.port === undefined || portAt(e.end, query) !== undefined),
    }))
  const ports = new Map<string, { readonly query: MatrixQuery; readonly ends: MatrixEnd[] }>()
  for (const member of group.ends) {
    for (const query of declaredQueries(member, served)) {
      if (protocol !== undefined && query.protocol !== protocol) continue
      const key = formatQuery(query)
      const port = ports.get(key) ?? { query, ends: [] }
      ports.set(key, port)
      if (port.ends.at(-1) !== member) port.ends.push(member)
    }
  }
  const found = [...ports].map(([text, p]) => ({ text, ...p })).sort((a, b) => byNumber(a.query, b.query))
  if (found.length > 0) return found
  const probe: MatrixQuery = { protocol: protocol ?? 'tcp', port: group.kind === 'outside' ? 443 : 80 }
  return [{ text: formatQuery(probe), query: probe, ends: group.ends, assumed: true }]
}

const byNumber = (a: MatrixQuery, b: MatrixQuery): number => Number(a.port) - Number(b.port)

function declaredQueries(
  { pod }: MatrixEnd,
  served: ReadonlyMap<string, readonly MatrixQuery[]>,
): readonly MatrixQuery[] {
  if (!pod) return []
  const own = containerPorts(pod).map(({ protocol, port }) => ({ protocol, port }))
  return [...own, ...(served.get(podKey(pod)) ?? [])]
}

const podKey = ({ metadata }: Pod): string => `${metadata.namespace ?? 'default'}/${metadata.name}`

/** The target ports of each pod that some EndpointSlice lists, by `namespace/name`. */
export function servedPorts(objects: ObjectReader): ReadonlyMap<string, readonly MatrixQuery[]> {
  const served = new Map<string, MatrixQuery[]>()
  for (const { endpoints, ports = [], metadata } of objects.list('EndpointSlice')) {
    const queries = ports.flatMap(({ port, protocol = 'TCP' }): readonly MatrixQuery[] => {
      const transport = protocol.toLowerCase()
      return port !== undefined && isTransportProtocol(transport) ? [{ protocol: transport, port }] : []
    })
    for (const { targetRef } of endpoints) {
      if (targetRef?.kind !== 'Pod') continue
      const key = `${targetRef.namespace ?? metadata.namespace ?? 'default'}/${targetRef.name}`
      const known = served.get(key) ?? []
      served.set(key, known)
      known.push(...queries)
    }
  }
  return served
}
