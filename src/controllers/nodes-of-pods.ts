import { parseApiIp } from '../kube/addresses.ts'
import type { Node } from '../kube/objects/node.ts'
import type { Pod } from '../kube/objects/pod.ts'
import type { Ip } from '../net/ip.ts'

/** The nodes that pods of a dump without Node objects run on: their names and addresses, as the pods show them. */
export function nodesOfPods(pods: readonly Pod[]): readonly Node[] {
  const names = [...new Set(pods.map((p) => p.spec.nodeName).filter((name) => name !== undefined && name !== ''))]
  return names.map((name) =>
    nodeOf(
      name ?? '',
      pods.filter((p) => p.spec.nodeName === name),
    ),
  )
}

function nodeOf(name: string, pods: readonly Pod[]): Node {
  const hostIps = parsed(pods.flatMap((p) => [...(p.status?.hostIPs ?? []).map((h) => h.ip), p.status?.hostIP]))
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    status: hostIps.length === 0 ? {} : { addresses: hostIps.map((address) => ({ type: 'InternalIP', address })) },
  }
}

const parsed = (texts: readonly (string | undefined)[]): readonly Ip[] => [
  ...new Set(texts.map((t) => parseApiIp(t ?? '')).filter((ip) => ip !== undefined)),
]
