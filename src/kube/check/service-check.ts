import type { Ip } from '../../net/ip.ts'
import { formatPrefix, prefixContains } from '../../net/prefix.ts'
import type { FieldPath } from '../field-path.ts'
import { isDns1123Label } from '../name-rules.ts'
import type { Service, ServicePort } from '../objects/service.ts'
import { formatRef } from '../problem.ts'
import { checkCidr, checkIp } from './address-check.ts'
import { duplicate, type FieldError, forbidden, invalid, labelErrors, portNameErrors, required } from './field-error.ts'
import { type Checking, placeOf, refTo, report } from './report.ts'

/** Addresses and node ports of Services, each on its own and among each other. */
export function checkServices(checking: Checking): void {
  const clusterIps = new Map<Ip, Service>()
  const nodePorts = new Map<string, Service>()
  const outside: Outside[] = []
  for (const service of checking.objects.list('Service')) {
    checkClusterIps(checking, service, clusterIps, outside)
    checkNodePorts(checking, service, nodePorts)
    const { externalIPs = [], loadBalancerSourceRanges = [], loadBalancerIP } = service.spec
    externalIPs.forEach((text, i) => {
      checkIp(checking, service, ['spec', 'externalIPs', i], text)
    })
    loadBalancerSourceRanges.forEach((text, i) => {
      checkCidr(checking, service, ['spec', 'loadBalancerSourceRanges', i], text.trim())
    })
    checkIp(checking, service, ['spec', 'loadBalancerIP'], loadBalancerIP)
    service.status?.loadBalancer?.ingress?.forEach(({ ip }, i) => {
      checkIp(checking, service, ['status', 'loadBalancer', 'ingress', i, 'ip'], ip)
    })
  }
  tellOutside(checking, outside)
}

interface Outside {
  readonly service: Service
  readonly path: FieldPath
  readonly ip: Ip
}

const isHeadless = ({ spec }: Service): boolean => (spec.clusterIP ?? spec.clusterIPs?.[0]) === 'None'

function checkClusterIps(checking: Checking, service: Service, taken: Map<Ip, Service>, outside: Outside[]): void {
  if (isHeadless(service)) return
  const { clusterIP, clusterIPs } = service.spec
  const fields: readonly (readonly [FieldPath, string | undefined])[] = clusterIPs?.length
    ? clusterIPs.map((text, i) => [['spec', 'clusterIPs', i], text] as const)
    : [[['spec', 'clusterIP'], clusterIP]]
  for (const [path, text] of fields) {
    const ip = checkIp(checking, service, path, text)
    if (!ip) continue
    if (!checking.settings.serviceNetworks.some((n) => prefixContains(n, ip))) outside.push({ service, path, ip })
    const owner = taken.get(ip)
    if (owner) report(checking, service, path, 'ADDRESS_TAKEN', { ip, ...takenBy(checking, owner) })
    else taken.set(ip, service)
  }
}

const takenBy = (checking: Checking, owner: Service) => ({
  by: formatRef(refTo(owner)),
  at: placeOf(checking.objects, owner, []),
})

function tellOutside(checking: Checking, outside: readonly Outside[]): void {
  const networks = checking.settings.serviceNetworks.map(formatPrefix)
  if (checking.stated.serviceNetworks) {
    for (const { service, path, ip } of outside) report(checking, service, path, 'CLUSTER_IP_OUTSIDE', { ip, networks })
    return
  }
  const [first] = outside
  if (!first) return
  const others = new Set(outside.map((o) => o.service)).size - 1
  report(checking, first.service, first.path, 'CLUSTER_IP_OUTSIDE_DEFAULT', { ip: first.ip, networks, others })
}

function checkNodePorts(checking: Checking, service: Service, taken: Map<string, Service>): void {
  const { from, to } = checking.settings.nodePorts
  service.spec.ports?.forEach(({ nodePort, protocol = 'TCP' }, i) => {
    if (nodePort === undefined) return
    const path = ['spec', 'ports', i, 'nodePort']
    if (nodePort < from || nodePort > to) {
      const accepted = service.metadata.uid !== undefined && !checking.stated.nodePorts
      const code = accepted ? 'NODE_PORT_UNUSUAL' : 'NODE_PORT_OUTSIDE'
      report(checking, service, path, code, { port: nodePort, from, to })
    }
    const key = `${protocol} ${nodePort}`
    const owner = taken.get(key)
    // One Service may use a node port for several of its ports only with different protocols; that is told elsewhere.
    if (owner && owner !== service) {
      report(checking, service, path, 'NODE_PORT_TAKEN', { port: nodePort, ...takenBy(checking, owner) })
    } else taken.set(key, service)
  })
}

/** ValidateService (Kubernetes `pkg/apis/core/validation`), as far as it concerns what is read. */
export function serviceErrors(service: Service): readonly FieldError[] {
  const { spec } = service
  const ports = spec.ports ?? []
  const errors: FieldError[] = [...labelErrors(['spec', 'selector'], spec.selector)]
  if (spec.type === 'ExternalName') {
    if (!spec.externalName) errors.push(required(['spec', 'externalName'], 'needed by a Service of type ExternalName'))
  } else if (ports.length === 0 && !isHeadless(service)) {
    errors.push(required(['spec', 'ports'], 'a Service needs at least one port'))
  }
  if (isHeadless(service) && (spec.type === 'NodePort' || spec.type === 'LoadBalancer')) {
    errors.push(invalid(['spec', 'clusterIP'], 'None', `may not be set to 'None' for ${spec.type} services`))
  }
  const [first] = spec.clusterIPs ?? []
  if (spec.clusterIP !== undefined && first !== undefined && spec.clusterIP !== first) {
    errors.push(invalid(['spec', 'clusterIPs'], first, 'the first value must match `clusterIP`'))
  }
  return [...errors, ...ports.flatMap((port, i) => portErrors(service, port, i)), ...repeatedPorts(ports)]
}

function portErrors({ spec }: Service, port: ServicePort, i: number): readonly FieldError[] {
  const path: FieldPath = ['spec', 'ports', i]
  const errors: FieldError[] = []
  const { name = '', targetPort, nodePort } = port
  if (name === '') {
    if ((spec.ports ?? []).length > 1)
      errors.push(required([...path, 'name'], 'a Service with several ports names each'))
  } else if (!isDns1123Label(name)) {
    errors.push(invalid([...path, 'name'], name, 'must be lower-case letters, digits and "-", at most 63'))
  }
  if (typeof targetPort === 'string') errors.push(...portNameErrors([...path, 'targetPort'], targetPort))
  if (nodePort !== undefined && (spec.type === undefined || spec.type === 'ClusterIP')) {
    errors.push(forbidden([...path, 'nodePort'], "may not be used when `type` is 'ClusterIP'"))
  }
  return errors
}

function repeatedPorts(ports: readonly ServicePort[]): readonly FieldError[] {
  const [names, numbers, nodePorts] = [new Set<string>(), new Set<string>(), new Set<string>()]
  return ports.flatMap(({ name = '', port, protocol = 'TCP', nodePort }, i) => {
    const path: FieldPath = ['spec', 'ports', i]
    const errors: FieldError[] = []
    if (name !== '' && names.has(name)) errors.push(duplicate([...path, 'name'], name))
    if (numbers.has(`${protocol} ${port}`)) errors.push(duplicate(path, `${protocol} ${port}`))
    if (nodePort !== undefined && nodePorts.has(`${protocol} ${nodePort}`)) {
      errors.push(duplicate([...path, 'nodePort'], nodePort))
    }
    names.add(name)
    numbers.add(`${protocol} ${port}`)
    nodePorts.add(`${protocol} ${nodePort}`)
    return errors
  })
}
