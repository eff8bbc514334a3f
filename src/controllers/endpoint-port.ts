import type { Container, ContainerPort, Pod } from '../kube/objects/pod.ts'
import type { EndpointPort, Service, ServicePort } from '../kube/objects/service.ts'

/** The ports of one pod behind the Service. One whose targetPort names no port of the pod is left out. */
export function endpointPortsOf(service: Service, pod: Pod): readonly EndpointPort[] {
  return (service.spec.ports ?? []).flatMap((port) => {
    const number = findPort(pod, port)
    if (number === undefined) return []
    const appProtocol = port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol }
    return [{ name: port.name ?? '', protocol: port.protocol ?? 'TCP', port: number, ...appProtocol }]
  })
}

/** `podutil.FindPort`: a number stands as it is, whether a container declares it or not; a name is looked up by protocol too. */
export function findPort(pod: Pod, port: ServicePort): number | undefined {
  const { targetPort = port.port, protocol = 'TCP' } = port
  if (typeof targetPort === 'number') return targetPort === 0 ? port.port : targetPort
  return containerPortsOf(pod).find((p) => p.name === targetPort && (p.protocol ?? 'TCP') === protocol)?.containerPort
}

/** Ports of the containers and of sidecars, which are init containers that go on running. */
export const containerPortsOf = ({ spec }: Pod): readonly ContainerPort[] =>
  [...spec.containers, ...(spec.initContainers ?? []).filter(isSidecar)].flatMap((c) => c.ports ?? [])

const isSidecar = ({ restartPolicy }: Container): boolean => restartPolicy === 'Always'
