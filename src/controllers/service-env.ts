import type { Pod } from '../kube/objects/pod.ts'
import type { Service, ServicePort } from '../kube/objects/service.ts'
import type { ObjectReader } from '../kube/store.ts'
import { formatSocketAddress } from '../net/port.ts'
import { clusterIpsOf } from './ip-families.ts'

export interface EnvVar {
  readonly name: string
  readonly value: string
}

/**
 * The variables that the kubelet sets for Services (`pkg/kubelet/envvars`): those of the pod's namespace that have a
 * cluster IP, unless it wants no service links, and always `default/kubernetes`. Sorted by name.
 */
export function serviceEnv(objects: ObjectReader, pod: Pod): readonly EnvVar[] {
  const services = new Map<string, Service>()
  for (const service of objects.list('Service').filter((s) => clusterIpsOf(s).length > 0)) {
    const { name, namespace } = service.metadata
    const isOwn = namespace === (pod.metadata.namespace ?? 'default')
    const isMaster = namespace === 'default' && name === 'kubernetes'
    if (isOwn && pod.spec.enableServiceLinks !== false) services.set(name, service)
    else if (isMaster && !services.has(name)) services.set(name, service)
  }
  const variables = new Map([...services.values()].flatMap(variablesOf).map((v) => [v.name, v]))
  return [...variables.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}

function variablesOf(service: Service): readonly EnvVar[] {
  const [ip = ''] = clusterIpsOf(service)
  const prefix = variableName(service.metadata.name)
  const ports = service.spec.ports ?? []
  const [first] = ports
  if (first === undefined) return []
  const named = ports.flatMap((p) =>
    p.name ? [{ name: `${prefix}_SERVICE_PORT_${variableName(p.name)}`, value: String(p.port) }] : [],
  )
  return [
    { name: `${prefix}_SERVICE_HOST`, value: ip },
    { name: `${prefix}_SERVICE_PORT`, value: String(first.port) },
    ...named,
    { name: `${prefix}_PORT`, value: url(ip, first) },
    ...ports.flatMap((p) => linkVariables(prefix, ip, p)),
  ]
}

/** What Docker links set. */
function linkVariables(prefix: string, ip: string, port: ServicePort): readonly EnvVar[] {
  const { protocol = 'TCP' } = port
  const base = `${prefix}_PORT_${port.port}_${protocol}`
  return [
    { name: base, value: url(ip, port) },
    { name: `${base}_PROTO`, value: protocol.toLowerCase() },
    { name: `${base}_PORT`, value: String(port.port) },
    { name: `${base}_ADDR`, value: ip },
  ]
}

const url = (ip: string, { protocol = 'TCP', port }: ServicePort): string =>
  `${protocol.toLowerCase()}://${formatSocketAddress(ip, port)}`

const variableName = (name: string): string => name.toUpperCase().replaceAll('-', '_')
