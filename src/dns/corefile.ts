import type { ObjectReader } from '../kube/store.ts'

/** Options of CoreDNS's kubernetes plugin that change answers. */
export interface KubernetesPlugin {
  readonly pods: 'disabled' | 'insecure' | 'verified'
  /** Endpoints without a host name are named by their pod rather than by their address. */
  readonly endpointPodNames: boolean
}

/** What kubeadm installs. */
const kubeadm: KubernetesPlugin = { pods: 'insecure', endpointPodNames: false }

/** Reads the `kubernetes` block of the ConfigMap `kube-system/coredns`; without one, what kubeadm installs. */
export function kubernetesPlugin(objects: ObjectReader): KubernetesPlugin {
  const corefile = objects.get('ConfigMap', 'coredns', 'kube-system')?.data?.Corefile
  const text = corefile?.replace(/#.*$/gm, '')
  const block = text && /(?:^|\s)kubernetes(?=\s)[^{}\n]*(?:\{([^}]*)\})?/.exec(text)
  if (!block) return kubeadm
  const options = (block[1] ?? '').split('\n').map((line) => line.trim().split(/\s+/))
  const mode = options.find(([name]) => name === 'pods')?.[1]
  return {
    pods: mode === 'insecure' || mode === 'verified' ? mode : 'disabled',
    endpointPodNames: options.some(([name]) => name === 'endpoint_pod_names'),
  }
}
