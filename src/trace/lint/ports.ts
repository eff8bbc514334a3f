import { hostPortsConflict, hostPortsOf } from '../../controllers/host-ports.ts'
import { isFinished } from '../../controllers/pod-state.ts'
import type { Pod } from '../../kube/objects/pod.ts'
import type { ObjectReader } from '../../kube/store.ts'
import { type Finding, findingAt } from './finding.ts'

/** Two that want one port of a node. */
export function lintPorts(objects: ObjectReader): readonly Finding[] {
  const holders = objects
    .list('Pod')
    .filter((p) => p.spec.nodeName !== undefined && !isFinished(p) && hostPortsOf(p).length > 0)
  return [...hostPortConflicts(objects, holders), ...nodePortConflicts(objects, holders)]
}

const nameOf = ({ metadata }: Pod): string => `${metadata.namespace ?? 'default'}/${metadata.name}`

function hostPortConflicts(objects: ObjectReader, holders: readonly Pod[]): readonly Finding[] {
  return holders.flatMap((pod, i) => {
    const other = holders
      .slice(0, i)
      .find((o) => o.spec.nodeName === pod.spec.nodeName && hostPortsConflict(hostPortsOf(pod), hostPortsOf(o)))
    if (!other) return []
    const port = hostPortsOf(pod).find((p) => hostPortsConflict([p], hostPortsOf(other)))
    const message = `host port ${port?.port}/${port?.protocol} of ${pod.spec.nodeName} is taken by pod ${nameOf(other)}`
    return [
      findingAt(
        objects,
        pod,
        'HOST_PORT_CONFLICT',
        ['spec', 'containers'],
        message,
        'another hostPort, or another node',
      ),
    ]
  })
}

/** kube-proxy's rules come first: what is sent to the port never reaches the pod. */
function nodePortConflicts(objects: ObjectReader, holders: readonly Pod[]): readonly Finding[] {
  return objects.list('Service').flatMap((service) =>
    (service.spec.ports ?? []).flatMap((port, i) => {
      const { nodePort, protocol = 'TCP' } = port
      if (!nodePort) return []
      const holder = holders.find((p) => hostPortsOf(p).some((h) => h.port === nodePort && h.protocol === protocol))
      if (!holder) return []
      const message = `node port ${nodePort}/${protocol} is also a host port of pod ${nameOf(holder)} on ${holder.spec.nodeName}: packets to it go to the Service, not to that pod`
      return [
        findingAt(
          objects,
          service,
          'NODE_PORT_HOST_PORT',
          ['spec', 'ports', i, 'nodePort'],
          message,
          'another nodePort, or another hostPort',
        ),
      ]
    }),
  )
}
