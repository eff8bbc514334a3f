import type { Service, ServicePort } from '../kube/objects/service.ts'
import type { ControllerContext } from './context.ts'
import { nodePorts } from './service-ip.ts'

/** Node ports and health check node ports, from one range, as the API server gives them. Those given are kept. */
export function runNodePorts(context: ControllerContext): void {
  const { store, settings } = context
  const services = store.list('Service')
  const next = nodePorts(settings.nodePorts, new Set(services.flatMap(portsTaken)))
  for (const service of services) {
    const withPorts = wantsNodePorts(service) ? assign(service, next) : service
    const filled = wantsHealthCheck(service) ? withHealthCheck(withPorts, next) : withPorts
    store.update(filled)
    if (isShort(filled)) context.report('NODE_PORTS_EXHAUSTED', service, ['spec', 'ports'], settings.nodePorts)
  }
}

const portsTaken = ({ spec }: Service): readonly number[] =>
  [spec.healthCheckNodePort, ...(spec.ports ?? []).map((p) => p.nodePort)].filter(
    (p) => p !== undefined && p > 0,
  ) as number[]

const wantsNodePorts = ({ spec }: Service): boolean =>
  spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false)

const wantsHealthCheck = ({ spec }: Service): boolean =>
  spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local' && !spec.healthCheckNodePort

/** Ports of one number and different protocols (DNS) share their node port. */
function assign(service: Service, next: () => number | undefined): Service {
  const byPort = new Map<number, number>()
  const given = service.spec.ports ?? []
  for (const { port, nodePort } of given) if (nodePort) byPort.set(port, byPort.get(port) ?? nodePort)
  const usedWith = new Set<string>(given.flatMap((p) => (p.nodePort ? [`${p.nodePort}/${p.protocol ?? 'TCP'}`] : [])))
  const ports = given.map((p): ServicePort => {
    if (p.nodePort) return p
    const shared = byPort.get(p.port)
    const nodePort = shared !== undefined && !usedWith.has(`${shared}/${p.protocol ?? 'TCP'}`) ? shared : next()
    if (nodePort === undefined) return p
    byPort.set(p.port, nodePort)
    usedWith.add(`${nodePort}/${p.protocol ?? 'TCP'}`)
    return { ...p, nodePort }
  })
  return { ...service, spec: { ...service.spec, ports } }
}

function withHealthCheck(service: Service, next: () => number | undefined): Service {
  const healthCheckNodePort = next()
  return healthCheckNodePort === undefined ? service : { ...service, spec: { ...service.spec, healthCheckNodePort } }
}

const isShort = (service: Service): boolean =>
  (wantsNodePorts(service) && (service.spec.ports ?? []).some((p) => !p.nodePort)) || wantsHealthCheck(service)
