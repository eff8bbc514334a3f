import type { ListeningSocket } from '../artefact/netns.ts'
import { ip } from '../net/ip.ts'
import type { ServicePortPlan } from './plan.ts'

/** What a load balancer learns on the health check node port of a service (pkg/proxy/healthcheck/service_health.go). */
export interface ServiceHealth {
  readonly namespace: string
  readonly service: string
  readonly port: number
  /** Ready endpoints on this node. */
  readonly localEndpoints: number
  /** 503 tells the load balancer to leave this node out. */
  readonly status: 200 | 503
}

/** One per service, in the order of the plans: several ports of a service share the health check port. */
export function serviceHealth(plans: readonly ServicePortPlan[]): readonly ServiceHealth[] {
  const found = new Map<number, { plan: ServicePortPlan; ips: Set<string> }>()
  for (const plan of plans) {
    if (plan.healthCheckNodePort === undefined) continue
    const known = found.get(plan.healthCheckNodePort) ?? { plan, ips: new Set<string>() }
    for (const endpoint of plan.endpoints) if (endpoint.local && endpoint.ready) known.ips.add(endpoint.ip)
    found.set(plan.healthCheckNodePort, known)
  }
  return Array.from(
    found,
    ([
      port,
      {
        plan: { namespace, service },
        ips,
      },
    ]) => {
      return { namespace, service, port, localEndpoints: ips.size, status: ips.size > 0 ? 200 : 503 }
    },
  )
}

/** Where kube-proxy itself listens: healthz, metrics, and the health check port of every service that has one. */
export const proxySockets = (plans: readonly ServicePortPlan[]): readonly ListeningSocket[] => [
  { protocol: 'tcp', address: undefined, port: 10256, owner: 'kube-proxy, healthz' },
  { protocol: 'tcp', address: ip('127.0.0.1'), port: 10249, owner: 'kube-proxy, metrics' },
  ...serviceHealth(plans).map(({ namespace, service, port }): ListeningSocket => {
    return { protocol: 'tcp', address: undefined, port, owner: `kube-proxy, health check of ${namespace}/${service}` }
  }),
]
