import type { Labels, ObjectRef } from '../../../kube/objects/meta.ts'
import type { Container, Pod } from '../../../kube/objects/pod.ts'
import { type Ip, parseIp } from '../../../net/ip.ts'
import { isTransportProtocol, type TransportProtocol } from '../../../net/port.ts'
import { caliName } from '../names.ts'

/** A port of a pod that rules may call by name, or that is on its node. */
export interface EndpointPort {
  readonly name?: string
  readonly port: number
  readonly protocol: TransportProtocol
  readonly hostPort?: number
  readonly hostIP?: string
}

/** A pod as Calico sees it. */
export interface WorkloadEndpoint {
  readonly name: string
  readonly namespace: string
  readonly pod: string
  readonly node: string
  readonly interface: string
  readonly ips: readonly Ip[]
  readonly serviceAccount: string | undefined
  /** In the order in which they are asked. */
  readonly profiles: readonly string[]
  /** Without those that the profiles add. */
  readonly labels: Labels
  readonly ports: readonly EndpointPort[]
  readonly object: ObjectRef
}

/** Longest value of a Kubernetes label. */
const longestLabel = 63

/** libcalico-go conversion.go, podToWorkloadEndpoint. */
export function workloadEndpoint(pod: Pod, interfacePrefix = 'cali'): WorkloadEndpoint {
  const { name, namespace = 'default', labels = {} } = pod.metadata
  const { nodeName = '', serviceAccountName } = pod.spec
  const account = serviceAccountName === '' ? undefined : serviceAccountName
  return {
    name: [nodeName, 'k8s', name, 'eth0'].map((part) => part.replaceAll('-', '--')).join('-'),
    namespace,
    pod: name,
    node: nodeName,
    interface: caliName(namespace, name, interfacePrefix),
    ips: addressesOf(pod),
    serviceAccount: account,
    profiles: [`kns.${namespace}`, ...(account === undefined ? [] : [`ksa.${namespace}.${account}`])],
    labels: {
      ...labels,
      'projectcalico.org/namespace': namespace,
      'projectcalico.org/orchestrator': 'k8s',
      ...(account !== undefined && account.length <= longestLabel
        ? { 'projectcalico.org/serviceaccount': account }
        : {}),
    },
    ports: portsOf(pod),
    object: { kind: 'Pod', namespace, name },
  }
}

function addressesOf({ status }: Pod): readonly Ip[] {
  const texts = [...(status?.podIPs ?? []).map(({ ip }) => ip), ...(status?.podIP ? [status.podIP] : [])]
  return [...new Set(texts.flatMap((text) => parseIp(text) ?? []))]
}

/** Of all containers, those that run before the others included; what has neither a name nor a port on the node is left out. */
const portsOf = ({ spec }: Pod): readonly EndpointPort[] =>
  [...(spec.containers ?? []), ...(spec.initContainers ?? [])].flatMap((container: Container) =>
    (container.ports ?? []).flatMap(({ name, containerPort, protocol = 'TCP', hostPort, hostIP }): EndpointPort[] => {
      const transport = protocol.toLowerCase()
      if (!isTransportProtocol(transport) || (name === undefined && hostPort === undefined)) return []
      return [
        {
          ...(name === undefined ? {} : { name }),
          port: containerPort,
          protocol: transport,
          ...(hostPort === undefined ? {} : { hostPort }),
          ...(hostIP === undefined ? {} : { hostIP }),
        },
      ]
    }),
  )
