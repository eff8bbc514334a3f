import { parseApiIp } from '../kube/addresses.ts'
import type { ObjectRef } from '../kube/objects/meta.ts'
import type { Endpoint, EndpointPort, EndpointSlice } from '../kube/objects/service.ts'
import type { ObjectReader } from '../kube/store.ts'
import type { Ip } from '../net/ip.ts'
import { kubernetesPlugin } from './corefile.ts'
import { addressRecords, isPortOf, type ServiceName, type ServicePart, type ZoneQuestion } from './question.ts'
import { type DnsAnswer, type DnsRecord, nxdomain, recordsOr } from './records.ts'

/** One address of a ready endpoint, with the ports of its slice that were asked for. */
interface Found {
  readonly hostname: string
  readonly ip: Ip
  readonly ports: readonly EndpointPort[]
}

/** Endpoints of a headless Service, and of any Service by their own names: the ready ones. */
export function headlessAnswer(
  objects: ObjectReader,
  question: ZoneQuestion,
  wanted: ServiceName,
  object: ObjectRef,
): DnsAnswer {
  const all = endpointsOf(objects, wanted)
  if (all.length === 0) return nxdomain('no-ready-endpoint', object)
  const found = all.flatMap((f) => narrowed(f, wanted.part))
  if (found.length === 0) {
    return nxdomain(wanted.part.kind === 'endpoint' ? 'no-endpoint-of-that-name' : 'no-such-port', object)
  }
  if (question.type !== 'SRV')
    return recordsOr(
      addressRecords(
        question,
        found.map((f) => f.ip),
      ),
      object,
    )
  return recordsOr(serviceRecords(question, wanted, found), object)
}

function endpointsOf(objects: ObjectReader, { namespace, name }: ServiceName): readonly Found[] {
  const { endpointPodNames } = kubernetesPlugin(objects)
  const slices = objects.list('EndpointSlice', { namespace, labelSelector: `kubernetes.io/service-name=${name}` })
  return slices.flatMap((slice) =>
    slice.endpoints.filter(isReady).flatMap((e) =>
      addressesOf(slice, e).map((ip) => ({
        ip,
        hostname: hostnameOf(e, ip, endpointPodNames),
        ports: portsOf(slice),
      })),
    ),
  )
}

/** An unknown state counts as ready. */
const isReady = ({ conditions }: Endpoint): boolean => conditions?.ready !== false

const addressesOf = (slice: EndpointSlice, { addresses }: Endpoint): readonly Ip[] =>
  slice.addressType === 'FQDN' ? [] : addresses.map(parseApiIp).filter((ip) => ip !== undefined)

/** A slice without ports still has addresses. */
const portsOf = ({ ports = [] }: EndpointSlice): readonly EndpointPort[] => (ports.length > 0 ? ports : [{}])

/** The host name, or the pod's name where the Corefile wants it, or the address with dashes (`endpointHostname`). */
function hostnameOf({ hostname, targetRef }: Endpoint, ip: Ip, endpointPodNames: boolean): string {
  if (hostname) return hostname.toLowerCase()
  if (endpointPodNames && targetRef?.name) return targetRef.name
  return ip.replaceAll(/[.:]/g, '-')
}

function narrowed(found: Found, part: ServicePart): readonly Found[] {
  if (part.kind === 'endpoint') return found.hostname === part.hostname ? [found] : []
  const ports = found.ports.filter((p) => isPortOf(part, p.name ?? '', p.protocol ?? 'TCP'))
  return ports.length === 0 ? [] : [{ ...found, ports }]
}

/** One record per endpoint name and port: an endpoint has an address of each family. */
function serviceRecords(
  question: ZoneQuestion,
  { namespace, name }: ServiceName,
  found: readonly Found[],
): readonly DnsRecord[] {
  const records = new Map<string, DnsRecord>()
  for (const { hostname, ports } of found) {
    for (const { port } of ports) {
      if (port === undefined) continue
      const target = `${hostname}.${name}.${namespace}.svc.${question.zone}`
      records.set(`${target}:${port}`, { type: 'SRV', name: question.name, target, port })
    }
  }
  return [...records.values()]
}
