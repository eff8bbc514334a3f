import { parseApiIp } from '../kube/addresses.ts'
import type { Node } from '../kube/objects/node.ts'
import type { Pod } from '../kube/objects/pod.ts'
import type { ClusterSettings } from '../kube/settings.ts'
import { familyOf, type Ip } from '../net/ip.ts'
import { formatPrefix, networkOf, prefixContains } from '../net/prefix.ts'

/** The nodes that pods of a dump without Node objects run on: their names, addresses and pod ranges, as the pods show them. */
export function nodesOfPods(pods: readonly Pod[], settings: ClusterSettings): readonly Node[] {
  const names = [...new Set(pods.map((p) => p.spec.nodeName).filter((name) => name !== undefined && name !== ''))]
  return names.map((name) =>
    nodeOf(
      name ?? '',
      pods.filter((p) => p.spec.nodeName === name),
      settings,
    ),
  )
}

function nodeOf(name: string, pods: readonly Pod[], settings: ClusterSettings): Node {
  const hostIps = parsed(pods.flatMap((p) => [...(p.status?.hostIPs ?? []).map((h) => h.ip), p.status?.hostIP]))
  const podCIDRs = podRanges(pods, settings)
  const [podCIDR] = podCIDRs
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    spec: podCIDR === undefined ? {} : { podCIDR, podCIDRs },
    status: hostIps.length === 0 ? {} : { addresses: hostIps.map((address) => ({ type: 'InternalIP', address })) },
  }
}

/** One block per pod network, where all of the node's pods agree on it; Calico's pods, for one, need not. */
function podRanges(pods: readonly Pod[], { podNetworks, nodeMaskLength }: ClusterSettings): readonly string[] {
  const ips = parsed(
    pods
      .filter((p) => !p.spec.hostNetwork)
      .flatMap((p) => [...(p.status?.podIPs ?? []).map((i) => i.ip), p.status?.podIP]),
  )
  return podNetworks.flatMap((network) => {
    const inside = ips.filter((ip) => prefixContains(network, ip))
    const blocks = new Set(inside.map((ip) => formatPrefix(networkOf(ip, nodeMaskLength[familyOf(ip)]))))
    return blocks.size === 1 ? [...blocks] : []
  })
}

const parsed = (texts: readonly (string | undefined)[]): readonly Ip[] => [
  ...new Set(texts.map((t) => parseApiIp(t ?? '')).filter((ip) => ip !== undefined)),
]
