import { familyOf, type Ip } from '../../net/ip.ts'
import { formatPrefix, prefixContains } from '../../net/prefix.ts'
import { isLoopback } from '../node-port-addresses.ts'
import type { ServicePortPlan } from '../plan.ts'
import type { ProxySettings } from '../proxy-settings.ts'
import { type SetKey, setKeys } from './set-names.ts'

export type SetMembers = Readonly<Record<SetKey, ReadonlySet<string>>>

/** Addresses of the node that answer node ports: those of its interfaces, without loopback and link-local ones. */
export function nodeAddresses({ localIPs, family, nodePortAddresses }: ProxySettings): readonly Ip[] {
  const own = localIPs.filter((ip) => familyOf(ip) === family && !isLoopback(ip) && !/^fe[89ab]/.test(ip))
  if (nodePortAddresses === undefined) return own
  return own.filter((ip) => nodePortAddresses.some((prefix) => prefixContains(prefix, ip)))
}

/** Addresses bound to kube-ipvs0: those of services, unless another interface has them already. */
export function boundAddresses(plans: readonly ServicePortPlan[], settings: ProxySettings): readonly Ip[] {
  const own = new Set(settings.localIPs)
  const wanted = plans.flatMap((plan) => [
    plan.clusterIP,
    ...[...plan.externalIPs, ...plan.loadBalancerVIPs].filter((ip) => !own.has(ip)),
  ])
  return [...new Set(wanted)]
}

/** What each set holds. */
export function setMembers(plans: readonly ServicePortPlan[], settings: ProxySettings): SetMembers {
  const members = Object.fromEntries(setKeys.map((key) => [key, new Set<string>()])) as Record<SetKey, Set<string>>
  const put = (key: SetKey, ...texts: readonly (string | number)[]): void => void members[key].add(texts.join(','))
  for (const plan of plans) {
    const portOf = `${plan.protocol}:${plan.port}`
    for (const e of plan.endpoints) if (e.local) put('loopBack', e.ip, `${plan.protocol}:${e.port}`, e.ip)
    put('clusterIP', plan.clusterIP, portOf)
    for (const ip of plan.externalIPs) put(plan.externalPolicyLocal ? 'externalIPLocal' : 'externalIP', ip, portOf)
    for (const vip of plan.loadBalancerVIPs) balancerMembers(put, plan, vip, portOf)
    if (plan.nodePort !== undefined) nodePortMembers(put, plan, plan.nodePort, settings)
    if (plan.healthCheckNodePort !== undefined) put('healthCheck', plan.healthCheckNodePort)
  }
  for (const ip of boundAddresses(plans, settings)) put('ipvsIPs', ip)
  return members
}

type Put = (key: SetKey, ...texts: readonly (string | number)[]) => void

function balancerMembers(put: Put, plan: ServicePortPlan, vip: Ip, portOf: string): void {
  put('loadBalancer', vip, portOf)
  if (plan.externalPolicyLocal) put('loadBalancerLocal', vip, portOf)
  if (plan.sourceRanges.length === 0) return
  put('loadBalancerFirewall', vip, portOf)
  for (const range of plan.sourceRanges) put('sourceCIDR', vip, portOf, formatPrefix(range))
  if (plan.sourceRangesIncludeNode) put('sourceIP', vip, portOf, vip)
}

function nodePortMembers(put: Put, plan: ServicePortPlan, nodePort: number, settings: ProxySettings): void {
  const local = plan.externalPolicyLocal
  if (plan.protocol === 'sctp') {
    for (const ip of nodeAddresses(settings)) {
      put('nodePortSCTP', ip, `sctp:${nodePort}`)
      if (local) put('nodePortLocalSCTP', ip, `sctp:${nodePort}`)
    }
    return
  }
  const isTCP = plan.protocol === 'tcp'
  put(isTCP ? 'nodePortTCP' : 'nodePortUDP', nodePort)
  if (local) put(isTCP ? 'nodePortLocalTCP' : 'nodePortLocalUDP', nodePort)
}
