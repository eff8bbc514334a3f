import type { Container } from '../../kube/objects/pod.ts'
import type { DaemonSet } from '../../kube/objects/workload.ts'
import type { ObjectReader } from '../../kube/store.ts'
import { imageVersion } from '../flannel/daemon.ts'
import type { Version } from '../version.ts'
import { newestCalico } from './generation.ts'
import { calicoObjects } from './objects.ts'

/** calico-node as its DaemonSet starts it. */
export interface CalicoNodeDaemon {
  readonly daemonSet: DaemonSet | undefined
  readonly version: Version
  /** Environment of the calico-node container; values from ConfigMaps are looked up. */
  readonly env: ReadonlyMap<string, string>
  /** Where a variable stands, for messages. */
  readonly pathOf: (name: string) => readonly (string | number)[]
}

export function calicoNodeDaemon(objects: ObjectReader): CalicoNodeDaemon {
  for (const daemonSet of objects.list('DaemonSet')) {
    const { containers } = daemonSet.spec.template.spec
    const index = containers.findIndex(isCalicoNode)
    const container = containers[index]
    if (container === undefined) continue
    const namespace = daemonSet.metadata.namespace ?? 'default'
    return {
      daemonSet,
      version: imageVersion(container.image) ?? newestCalico,
      env: environmentOf(container, namespace, objects),
      pathOf: (name) => {
        const at = (container.env ?? []).findIndex((e) => e.name === name)
        return ['spec', 'template', 'spec', 'containers', index, 'env', ...(at < 0 ? [] : [at])]
      },
    }
  }
  return { daemonSet: undefined, version: newestCalico, env: new Map(), pathOf: () => [] }
}

const isCalicoNode = ({ name, image = '' }: Container): boolean =>
  name === 'calico-node' || /(^|\/)(calico\/node|calico-node)([:@]|$)/.test(image)

function environmentOf({ env = [] }: Container, namespace: string, objects: ObjectReader): ReadonlyMap<string, string> {
  return new Map(
    env.flatMap(({ name, value, valueFrom }): (readonly [string, string])[] => {
      if (value !== undefined) return [[name, value]]
      const { name: map, key } = valueFrom?.configMapKeyRef ?? {}
      const found = map && key ? objects.get('ConfigMap', map, namespace)?.data?.[key] : undefined
      return found === undefined ? [] : [[name, found]]
    }),
  )
}

export type PodNetworkKind = 'flannel' | 'calico' | 'canal'

/** Whose pod network the objects tell of. calico-node beside flannel's configuration is Canal. */
export function podNetworkKind(objects: ObjectReader): PodNetworkKind {
  const { daemonSet, env } = calicoNodeDaemon(objects)
  const flannel = objects.list('ConfigMap').some((c) => c.data?.['net-conf.json'] !== undefined)
  if (daemonSet !== undefined) {
    const policyOnly =
      env.get('CALICO_NETWORKING_BACKEND') === 'none' || /\bcanal\b/.test(env.get('CLUSTER_TYPE') ?? '')
    return policyOnly && flannel ? 'canal' : 'calico'
  }
  if (flannel) return 'flannel'
  const calico =
    calicoObjects(objects, 'IPPool').length > 0 ||
    objects.listAll('Installation.operator.tigera.io').length > 0 ||
    objects.list('ConfigMap').some((c) => c.metadata.name === 'calico-config')
  return calico ? 'calico' : 'flannel'
}
