import type { Cluster } from '../cluster/cluster.ts'
import type { Protocol } from '../net/port.ts'
import { isEndProblem } from '../trace/end.ts'
import { resolveRequest, type TraceRequest } from '../trace/request.ts'
import { type Dice, dice } from './dice.ts'

/** Random connections between the ends of a cluster: those that work, and those that should not. */
export function randomRequests(cluster: Cluster, count: number, seed: number): readonly TraceRequest[] {
  const random = dice(seed)
  const requests: TraceRequest[] = []
  for (let tries = 0; requests.length < count && tries < count * 20; tries++) {
    const request = randomRequest(cluster, random, seed)
    if (!isEndProblem(resolveRequest(cluster, request))) requests.push(request)
  }
  return requests
}

function randomRequest(cluster: Cluster, random: Dice, seed: number): TraceRequest {
  const protocol = random.pick<Protocol>(['tcp', 'tcp', 'udp', 'udp', 'icmp'])
  const size = protocol !== 'tcp' && random.chance(0.2) ? random.pick([200, 1400, 1451, 1480, 1500, 2000]) : undefined
  return {
    from: randomSource(cluster, random),
    to: randomTarget(cluster, random),
    namespace: 'default',
    protocol,
    seed,
    ...(random.chance(0.2) ? { ttl: random.pick([1, 2, 3, 4]) } : {}),
    ...(size === undefined ? {} : { size, df: random.chance(0.5) }),
  }
}

const podEnd = (p: { readonly metadata: { readonly name: string; readonly namespace?: string } }): string =>
  `pod/${p.metadata.name}.${p.metadata.namespace ?? 'default'}`

function randomSource({ objects }: Cluster, random: Dice): string {
  const pods = objects.list('Pod').map(podEnd)
  const nodes = objects.list('Node').map((n) => `node/${n.metadata.name}`)
  return random.pick([...pods, ...pods, ...nodes, 'external', ...(pods.length > 3 ? ['external'] : [])])
}

function randomTarget(cluster: Cluster, random: Dice): string {
  const { objects } = cluster
  const pods = objects.list('Pod')
  const nodes = objects.list('Node')
  const services = objects.list('Service')
  const podPorts = ['8080', '8080', '9999']
  const nodePorts = services.flatMap((s) => s.spec.ports?.flatMap((p) => p.nodePort ?? []) ?? [])
  const addresses = services.flatMap((s) => [
    ...(s.spec.externalIPs ?? []),
    ...(s.status?.loadBalancer?.ingress ?? []).flatMap((i) => i.ip ?? []),
    ...(s.spec.clusterIPs ?? (s.spec.clusterIP ? [s.spec.clusterIP] : [])).filter((a) => a !== 'None'),
  ])
  const node = random.pick(nodes)?.metadata.name ?? ''
  return random.pick([
    () => `${podEnd(random.pick(pods) ?? { metadata: { name: '' } })}:${random.pick(podPorts)}`,
    () => {
      const service = random.pick(services)
      const port = random.pick(service?.spec.ports ?? [])?.port ?? 80
      return `svc/${service?.metadata.name}.${service?.metadata.namespace ?? 'default'}:${port}`
    },
    () => `node/${node}:${random.pick([...nodePorts, ...nodePorts, 10250, 8081, 9])}`,
    () => `${bracketed(random.pick(addresses) ?? '192.0.2.1')}:${random.pick([80, 80, 81])}`,
    () =>
      `${bracketed(random.pick(pods.flatMap((p) => (p.status?.podIPs ?? []).map((a) => a.ip))) ?? '10.244.0.2')}:${random.pick(podPorts)}`,
    () => random.pick(['external:80', '198.51.100.7:443', '10.244.0.77:80']),
  ])()
}

const bracketed = (ip: string): string => (ip.includes(':') ? `[${ip}]` : ip)
