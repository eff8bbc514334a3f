import { readFileSync } from 'node:fs'
import type { KubeObject } from '../../src/kube/objects/meta.ts'
import { ObjectStore } from '../../src/kube/store.ts'
import { readYaml } from '../../src/kube/yaml.ts'
import { type Family, ip } from '../../src/net/ip.ts'
import type { Protocol } from '../../src/net/port.ts'
import { type PolicyCluster, policyCluster } from '../../src/policy/cluster.ts'
import type { Connection } from '../../src/policy/connection.ts'
import { type End, nodeEnd, podEnd } from '../../src/policy/end.ts'

/** The objects of a YAML text, of one or several documents. */
export function objectsIn(text: string): readonly KubeObject[] {
  const result = readYaml(text)
  if (!result.ok) throw new Error(`not YAML: ${JSON.stringify(result.faults)}`)
  return result.documents.map((d) => d.value as KubeObject).filter((o) => o !== null)
}

export const yamlFile = (path: string): readonly KubeObject[] => objectsIn(readFileSync(path, 'utf8'))

export function clusterIn(objects: readonly KubeObject[]): PolicyCluster {
  const store = new ObjectStore()
  for (const object of objects) store.create(object)
  return policyCluster(store)
}

/** `ns/pod`, `node:NAME`, `ip:ADDRESS`. */
export function endIn(cluster: PolicyCluster, text: string, family?: Family): End {
  if (text.startsWith('ip:')) return cluster.endAt(ip(text.slice(3)))
  if (text.startsWith('node:')) {
    const node = cluster.nodes.find(({ name }) => name === text.slice(5))
    if (!node) throw new Error(`no ${text}`)
    return nodeEnd(node, family)
  }
  const [namespace = '', name = ''] = text.split('/')
  const found = cluster.endOfPod(namespace, name)
  if (!found) throw new Error(`no pod ${text}`)
  return found.kind === 'pod' ? podEnd(found.pod, family) : found
}

/** `x/a > y/b tcp 80`, `x/a > ip:203.0.113.9 icmp`. */
export function connectionIn(cluster: PolicyCluster, text: string): Connection {
  const [from = '', , to = '', protocol = 'tcp', port] = text.split(' ')
  return {
    ...{ from: endIn(cluster, from), to: endIn(cluster, to), protocol: protocol as Protocol },
    ...(port !== undefined && { port: Number(port) }),
  }
}
