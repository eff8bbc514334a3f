import { type IpvsServer, type IpvsService, serviceName } from '../../artefact/ipvs.ts'
import type { Ip } from '../../net/ip.ts'
import type { ProxyEndpoint } from '../endpoint.ts'
import type { ServicePortPlan } from '../plan.ts'
import type { ProxySettings } from '../proxy-settings.ts'
import { nodeAddresses } from './members.ts'

/**
 * One virtual server for each address and port of each service port. Of two services that claim one, the first has it.
 * Without endpoints it has no real servers: IPVS itself refuses.
 */
export function virtualServers(plans: readonly ServicePortPlan[], settings: ProxySettings): readonly IpvsService[] {
  const found = new Map<string, IpvsService>()
  for (const plan of plans) {
    for (const service of serversOf(plan, settings)) {
      const name = serviceName(service)
      if (!found.has(name)) found.set(name, service)
    }
  }
  return [...found.values()]
}

function serversOf(plan: ServicePortPlan, settings: ProxySettings): readonly IpvsService[] {
  const inside = endpointsFor(plan, plan.internalPolicyLocal)
  const outside = endpointsFor(plan, plan.externalPolicyLocal)
  const { nodePort } = plan
  const serve = (address: Ip, port: number, endpoints: readonly ProxyEndpoint[], note: string): IpvsService => ({
    protocol: plan.protocol,
    address,
    port,
    scheduler: settings.ipvs?.scheduler ?? 'rr',
    ...(plan.affinitySeconds !== undefined && { persistent: plan.affinitySeconds }),
    servers: endpoints.map(realServer),
    origin: { by: 'kube-proxy', note, object: plan.origin },
  })
  return [
    serve(plan.clusterIP, plan.port, inside, 'cluster IP'),
    ...plan.externalIPs.map((ip) => serve(ip, plan.port, outside, 'external IP')),
    ...plan.loadBalancerVIPs.map((ip) => serve(ip, plan.port, outside, 'load balancer IP')),
    ...(nodePort === undefined ? [] : nodeAddresses(settings).map((ip) => serve(ip, nodePort, outside, 'node port'))),
  ]
}

/** Policy Local falls back to all endpoints where none is here; the other modes drop then (issue 93456, PR 97081). */
const endpointsFor = (plan: ServicePortPlan, isLocal: boolean): readonly ProxyEndpoint[] =>
  isLocal && plan.local.length > 0 ? plan.local : plan.cluster

const realServer = ({ ip, port, pod }: ProxyEndpoint): IpvsServer => ({
  address: ip,
  port,
  forward: 'masq',
  weight: 1,
  ...(pod !== undefined && { note: pod }),
})

/** Connections that a real server still has, by `serviceName` and `address:port`. */
export type IpvsLoad = (service: IpvsService, server: IpvsServer) => number

/**
 * Graceful termination (pkg/proxy/ipvs/graceful_termination.go): of TCP, a server that is no longer wanted stays with weight
 * 0 while it has connections; of UDP and SCTP, and without connections, it goes at once.
 */
export function gracefully(
  wanted: readonly IpvsService[],
  installed: readonly IpvsService[],
  load: IpvsLoad,
): readonly IpvsService[] {
  const before = new Map(installed.map((service) => [serviceName(service), service]))
  return wanted.map((service) => {
    const old = before.get(serviceName(service))
    if (!old || service.protocol !== 'tcp') return service
    const isWanted = (s: IpvsServer): boolean =>
      service.servers.some((w) => w.address === s.address && w.port === s.port)
    const leaving = old.servers.filter((s) => !isWanted(s) && load(old, s) > 0)
    if (leaving.length === 0) return service
    return { ...service, servers: [...leaving.map((s) => ({ ...s, weight: 0 })), ...service.servers] }
  })
}
