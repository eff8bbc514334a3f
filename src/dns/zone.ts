import { parseApiIp } from '../kube/addresses.ts'
import type { ObjectRef } from '../kube/objects/meta.ts'
import type { Service } from '../kube/objects/service.ts'
import type { ObjectReader } from '../kube/store.ts'
import { type Ip, parseIp } from '../net/ip.ts'
import { type KubernetesPlugin, kubernetesPlugin } from './corefile.ts'
import { headlessAnswer } from './endpoint-records.ts'
import { addressRecords, isPortOf, type ServiceName, type ServicePart, type ZoneQuestion } from './question.ts'
import { type DnsAnswer, type DnsRecord, nodata, nxdomain, recordsOr } from './records.ts'

/** What CoreDNS's kubernetes plugin answers, aliases not yet followed (`plugin/kubernetes/{parse,kubernetes}.go`). */
export function zoneAnswer(objects: ObjectReader, question: ZoneQuestion): DnsAnswer {
  const labels = question.name
    .slice(0, -question.zone.length - 1)
    .split('.')
    .filter((l) => l !== '')
  const [kind, namespace, name, ...rest] = labels.reverse()
  if (kind === undefined) return nodata()
  if (kind !== 'svc' && kind !== 'pod') return nxdomain('malformed')
  if (namespace === undefined) return nodata()
  if (!objects.get('Namespace', namespace)) return nxdomain('no-namespace', { kind: 'Namespace', name: namespace })
  if (name === undefined) return nodata()
  if (kind === 'pod') return podAnswer(objects, question, namespace, name, kubernetesPlugin(objects))
  const part = partOf(rest)
  return part ? serviceAnswer(objects, question, { namespace, name, part }) : nxdomain('malformed')
}

function partOf([first, second, ...more]: readonly string[]): ServicePart | undefined {
  if (more.length > 0) return undefined
  if (first === undefined) return { kind: 'whole' }
  if (second === undefined) return { kind: 'endpoint', hostname: first }
  return { kind: 'port', port: second.replace(/^_/, ''), protocol: first.replace(/^_/, '') }
}

function serviceAnswer(objects: ObjectReader, question: ZoneQuestion, wanted: ServiceName): DnsAnswer {
  const service = objects.get('Service', wanted.name, wanted.namespace)
  const object: ObjectRef = { kind: 'Service', namespace: wanted.namespace, name: wanted.name }
  if (service === undefined) return nxdomain('no-service', object)
  if (service.spec.type === 'ExternalName') return aliasAnswer(service, question, wanted.part, object)
  if (isHeadless(service) || wanted.part.kind === 'endpoint') return headlessAnswer(objects, question, wanted, object)
  return clusterIpAnswer(service, question, wanted.part, object)
}

function aliasAnswer({ spec }: Service, { name }: ZoneQuestion, part: ServicePart, object: ObjectRef): DnsAnswer {
  if (part.kind !== 'whole') return nxdomain('no-such-port', object)
  const target = (spec.externalName ?? '').toLowerCase().replace(/\.$/, '')
  if (target === '' || parseIp(target)) return nxdomain('external-name-is-address', object)
  return { kind: 'records', records: [{ type: 'CNAME', name, target }], object }
}

function clusterIpAnswer(service: Service, question: ZoneQuestion, part: ServicePart, object: ObjectRef): DnsAnswer {
  const ports = (service.spec.ports ?? []).filter((p) => isPortOf(part, p.name ?? '', p.protocol ?? 'TCP'))
  if (part.kind === 'port' && ports.length === 0) return nxdomain('no-such-port', object)
  const ips = clusterIps(service)
  if (question.type !== 'SRV') return recordsOr(addressRecords(question, ips), object)
  const { namespace = 'default', name } = service.metadata
  const target = `${name}.${namespace}.svc.${question.zone}`
  const records = ports.map((p): DnsRecord => ({ type: 'SRV', name: question.name, target, port: p.port }))
  return recordsOr(records, object)
}

const isHeadless = ({ spec }: Service): boolean => spec.clusterIP === 'None' || spec.clusterIPs?.[0] === 'None'

function clusterIps({ spec }: Service): readonly Ip[] {
  const { clusterIP, clusterIPs = [] } = spec
  const texts = clusterIPs.length > 0 ? clusterIPs : [clusterIP ?? '']
  return texts.map(parseApiIp).filter((ip) => ip !== undefined)
}

/** `10-244-1-2.shop.pod`: by default any address is answered, of a pod or not. */
function podAnswer(
  objects: ObjectReader,
  question: ZoneQuestion,
  namespace: string,
  name: string,
  { pods }: KubernetesPlugin,
): DnsAnswer {
  if (pods === 'disabled') return nxdomain('pods-disabled')
  const isIpv4 = /^\d+(-\d+){3}$/.test(name)
  const ip = parseIp(name.replaceAll('-', isIpv4 ? '.' : ':'))
  if (ip === undefined) return nxdomain('no-such-pod')
  const has = objects
    .list('Pod', { namespace })
    .find((p) => p.status?.podIP === ip || p.status?.podIPs?.some((i) => i.ip === ip))
  if (pods === 'verified' && !has) return nxdomain('no-such-pod')
  return recordsOr(addressRecords(question, [ip]), has && { kind: 'Pod', namespace, name: has.metadata.name })
}
