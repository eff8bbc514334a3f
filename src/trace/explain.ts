import type { Vip } from '../cluster/balancer-plan.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { nodeNetns } from '../cluster/machine.ts'
import { endpointNodes } from '../controllers/endpoint-nodes.ts'
import { explainNoEndpoints } from '../controllers/no-endpoints.ts'
import { noEndpointsSentence } from '../controllers/no-endpoints-sentence.ts'
import type { Service, ServicePort } from '../kube/objects/service.ts'
import { formatSocketAddress } from '../net/port.ts'
import type { Branch, Note } from './trace.ts'

/** What the objects say about how the branches went: why a Service refused, and over which nodes a balancer spread. */
export function explanations(cluster: Cluster, branches: readonly Branch[]): readonly Note[] {
  return [...balancerNotes(cluster, branches), ...refusalNotes(cluster, branches), ...nodePortNotes(cluster, branches)]
}

/** A node port that nothing took up on the node: kube-proxy does not serve every address of a node, nor 127.0.0.1 always. */
function nodePortNotes({ objects }: Cluster, branches: readonly Branch[]): readonly Note[] {
  const refused = branches.filter(
    ({ verdict: { reason, place } }) =>
      reason === 'not-listening' && place?.node !== undefined && place.netns === nodeNetns(place.node),
  )
  const dropped = refused.flatMap(({ legs }) => legs.flatMap((l) => l.hops.flatMap((h) => h.steps.map((s) => s.event))))
  for (const event of dropped) {
    if (event.kind !== 'drop' || event.reason !== 'not-listening' || event.packet === undefined) continue
    const { dst, payload } = event.packet
    if (!('dstPort' in payload)) continue
    const { kind, dstPort } = payload
    const isIts = ({ protocol = 'TCP', nodePort }: ServicePort): boolean =>
      nodePort === dstPort && protocol.toLowerCase() === kind
    const service = objects.list('Service').find((s) => s.spec.ports?.some(isIts))
    if (!service) continue
    const { namespace = 'default', name } = service.metadata
    const message = `${dstPort} is a node port of Service ${namespace}/${name}, but kube-proxy does not serve it at ${dst}: see nodePortAddresses and localhostNodePorts of its configuration, and its mode`
    return [{ level: 'info', code: 'node-port-not-served', message }]
  }
  return []
}

function refusalNotes(cluster: Cluster, branches: readonly Branch[]): readonly Note[] {
  for (const { verdict } of branches) {
    const ref = verdict.place?.origin?.object
    const service = ref?.kind === 'Service' ? cluster.objects.get('Service', ref.name, ref.namespace) : undefined
    if (!service) continue
    if (verdict.reason === 'no-endpoints') return noEndpointsNotes(cluster, service)
    if (verdict.reason === 'no-local-endpoints')
      return [noLocalNote(cluster, service, verdict.place?.node ?? '', verdict.place?.chain)]
  }
  return []
}

const noEndpointsNotes = (cluster: Cluster, service: Service): readonly Note[] =>
  explainNoEndpoints(cluster.objects, service).map((reason) => ({
    level: 'info',
    code: 'no-endpoints',
    message: noEndpointsSentence(reason),
  }))

/** The Service, the policy, and where its endpoints are instead. */
function noLocalNote(cluster: Cluster, service: Service, node: string, chain: string | undefined): Note {
  const { namespace = 'default', name } = service.metadata
  // kube-proxy drops what came for the cluster IP in KUBE-SERVICES (before 1.25 by a mark), the rest in others.
  const isInternal =
    service.spec.internalTrafficPolicy === 'Local' &&
    (chain === 'KUBE-SERVICES' || service.spec.externalTrafficPolicy !== 'Local')
  const policy = `${isInternal ? 'internalTrafficPolicy' : 'externalTrafficPolicy'} Local`
  const nodes = endpointNodes(cluster.objects, service)
  const listed = nodes.length > 8 ? `${nodes.slice(0, 8).join(', ')} and ${nodes.length - 8} more` : nodes.join(', ')
  const elsewhere = nodes.length > 0 ? `ready endpoints are on ${listed}` : 'no node has a ready one'
  return {
    level: 'info',
    code: 'no-local-endpoints',
    brief: true,
    message: `Service ${namespace}/${name} has ${policy} and no endpoint on ${node}; ${elsewhere}`,
  }
}

/** One for each VIP that a request reached. */
function balancerNotes({ underlay }: Cluster, branches: readonly Branch[]): readonly Note[] {
  const seen = new Set(
    branches.flatMap((b) =>
      (b.legs[0]?.hops ?? []).flatMap((h) =>
        h.place.kind === 'machine' && h.place.machine === 'load-balancer' && h.packetIn
          ? [`${h.place.name} ${h.packetIn.dst}`]
          : [],
      ),
    ),
  )
  return underlay.balancers.flatMap((b) =>
    b.vips.filter((v) => seen.has(`${b.name} ${v.ip}`)).map((v) => balancerNote(b.name, v)),
  )
}

function balancerNote(balancer: string, vip: Vip): Note {
  const { targets, left, failOpen } = vip.spread()
  const over = targets.map((t) => t.node).join(', ')
  const said =
    targets.length === 0
      ? 'has no node to send to'
      : failOpen
        ? `finds no node healthy and tries all: ${over}`
        : `spreads over ${over}`
  const reasons = left.map(({ node, why }) => `${node} ${why}`)
  const seat = vip.hostname === undefined ? '' : ` (${vip.hostname} has no known address, ${vip.ip} stands for it)`
  const ports = vip.listeners.map((l) => formatSocketAddress(vip.ip, l.port)).join(', ')
  return {
    level: failOpen || targets.length === 0 ? 'warning' : 'info',
    code: 'load-balancer',
    message: `load balancer ${balancer} ${said} for ${ports}${seat}${reasons.length > 0 ? `; left out: ${reasons.join('; ')}` : ''}`,
  }
}
