import type { Cluster } from '../../cluster/cluster.ts'
import { flannelConfig } from '../../cni/flannel/config.ts'
import { formatPrefix, prefixesOverlap } from '../../net/prefix.ts'
import { type Finding, findingAt } from './finding.ts'

/** The address plan against the network of the nodes, and the pod network against its reach. */
export const lintTopology = (cluster: Cluster): readonly Finding[] => [
  ...nodeNetworks(cluster),
  ...hostGateway(cluster),
]

function nodeNetworks({ underlay, settings, objects }: Cluster): readonly Finding[] {
  const networks = [
    ...settings.podNetworks.map((network) => ({ network, what: 'pod' })),
    ...settings.serviceNetworks.map((network) => ({ network, what: 'Service' })),
  ]
  return underlay.segments.flatMap((segment) => {
    const [station] = segment.nodes
    if (!station) return []
    const ref = objects.list('Underlay')[0] ?? { kind: 'Node', name: station.name }
    return segment.prefixes.flatMap((prefix) =>
      networks
        .filter(({ network }) => prefixesOverlap(network, prefix))
        .map(({ network, what }) => {
          const message = `the ${what} network ${formatPrefix(network)} overlaps ${formatPrefix(prefix)} of segment ${segment.name}, where ${station.name} is: addresses in both are reached in one of them only`
          return findingAt(
            objects,
            ref,
            'NODE_NETWORK_OVERLAP',
            [],
            message,
            `a ${what} network beside that of the nodes`,
          )
        }),
    )
  })
}

const runsFlannel = (cni: string): boolean => /^(flannel|canal)\b/.test(cni)

/** A route by way of a node needs that node as a neighbour. */
function hostGateway({ cni, underlay, objects, settings }: Cluster): readonly Finding[] {
  const segments = underlay.segments.filter((s) => s.nodes.length > 0)
  const [here, there] = segments
  const [a, b] = [here?.nodes[0], there?.nodes.find((n) => !here?.nodes.some((m) => m.name === n.name))]
  if (!runsFlannel(cni) || flannelConfig(objects, settings, 'kube').conf?.backend.type !== 'host-gw') return []
  if (!here || !there || !a || !b) return []
  const configMap = objects.list('ConfigMap').find((c) => c.data?.['net-conf.json'] !== undefined)
  const message = `host-gw makes each node the gateway to its pods, but ${a.name} (segment ${here.name}) and ${b.name} (segment ${there.name}) are no neighbours: there is no way between their pods`
  const fix = 'vxlan with "DirectRouting": true: routes within a segment, a tunnel between segments'
  return [
    findingAt(
      objects,
      configMap ?? { kind: 'Node', name: b.name },
      'HOST_GW_ACROSS_L3',
      configMap ? ['data', 'net-conf.json'] : [],
      message,
      fix,
    ),
  ]
}
