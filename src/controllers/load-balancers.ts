import { parseApiIp } from '../kube/addresses.ts'
import type { Service } from '../kube/objects/service.ts'
import type { ObjectReader } from '../kube/store.ts'
import { type Family, type Ip, ipAt, ipToBigInt } from '../net/ip.ts'
import { hostPrefix, lastAddress, type Prefix, parsePrefix, prefix, prefixFamily, prefixSize } from '../net/prefix.ts'
import type { ControllerContext } from './context.ts'
import { familyOfIpFamily } from './ip-families.ts'
import { internalIps } from './nodes.ts'

/** TEST-NET-2 (RFC 5737), and a block of the documentation prefix (RFC 3849): they name nobody's network. */
export const loadBalancerNetworks: Readonly<Record<Family, Prefix>> = {
  ipv4: prefix('198.51.100.0/24'),
  ipv6: prefix('2001:db8:198:51::/64'),
}

/** An ingress address for each LoadBalancer Service that has none, as a cloud's controller or MetalLB would give it. */
export function runLoadBalancers({ store }: ControllerContext): void {
  const services = store.list('Service')
  const taken = new Set<string>(services.flatMap((s) => [...ingressIps(s), s.spec.loadBalancerIP ?? '']))
  for (const node of store.list('Node')) for (const ip of internalIps(node)) taken.add(ip)
  const networks = [...underlayNetworks(store), ...Object.values(loadBalancerNetworks)]
  for (const service of services) {
    if (service.spec.type !== 'LoadBalancer' || (service.status?.loadBalancer?.ingress ?? []).length > 0) continue
    const ingress = addressesFor(service, networks, taken).map((ip) => ({ ip, ipMode: 'VIP' as const }))
    store.update({ ...service, status: { ...service.status, loadBalancer: { ingress } } })
  }
}

const ingressIps = ({ status }: Service): readonly string[] =>
  (status?.loadBalancer?.ingress ?? []).flatMap((i) => (i.ip === undefined ? [] : [i.ip]))

/** Blocks that an Underlay gives its load balancers come before the made-up ones. */
const underlayNetworks = (objects: ObjectReader): readonly Prefix[] =>
  objects
    .list('Underlay')
    .flatMap((u) => u.spec.loadBalancers ?? [])
    .flatMap((b) => b.addresses ?? [])
    .flatMap((text) => {
      const address = parseApiIp(text)
      return address ? hostPrefix(address) : (parsePrefix(text) ?? [])
    })

function addressesFor({ spec }: Service, networks: readonly Prefix[], taken: Set<string>): readonly Ip[] {
  const asked = parseApiIp(spec.loadBalancerIP ?? '')
  if (asked) return [asked]
  const found = (spec.ipFamilies ?? []).flatMap((f) => {
    const ofFamily = networks.filter((n) => prefixFamily(n) === familyOfIpFamily(f))
    return ofFamily.map((n) => firstFree(n, taken)).find((ip) => ip !== undefined) ?? []
  })
  for (const ip of found) taken.add(ip)
  return found
}

function firstFree(network: Prefix, taken: ReadonlySet<string>): Ip | undefined {
  const family = prefixFamily(network)
  const last = ipToBigInt(lastAddress(network))
  // A block of one or two addresses has no network or broadcast address (RFC 3021).
  const edge = prefixSize(network) > 2n ? 1n : 0n
  for (let at = ipToBigInt(network.address) + edge; at <= last - edge; at++) {
    const ip = ipAt(at, family)
    if (!taken.has(ip)) return ip
  }
  return undefined
}
