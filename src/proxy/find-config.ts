import type { ObjectReader } from '../kube/store.ts'
import { type FoundConfig, readProxyConfig } from './config.ts'
import { daemonSetFlags } from './daemonset-flags.ts'

/** Where distributions keep it: kubeadm and what builds on it; EKS. */
const places = [
  { name: 'kube-proxy', key: 'config.conf' },
  { name: 'kube-proxy-config', key: 'config' },
] as const

/**
 * The configuration file from its ConfigMap, else the flags of the DaemonSet's container. A container that reads a
 * file says nothing by its flags, as in kube-proxy: where the file is not among the objects, nothing was found.
 */
export function findProxyConfig(objects: ObjectReader): FoundConfig {
  for (const { name, key } of places) {
    const text = objects.get('ConfigMap', name, 'kube-system')?.data?.[key]
    if (text !== undefined) return readProxyConfig(text, { kind: 'ConfigMap', namespace: 'kube-system', name }, key)
  }
  return daemonSetFlags(objects) ?? { config: {}, object: undefined, problems: [] }
}
