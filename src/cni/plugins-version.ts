import { compareVersions, parseVersion, type Version, version } from './version.ts'

/** What the reference describes: containernetworking/plugins v1.9.1. */
export const newestPlugins = version('v1.9.1')

/** Release of the `kubernetes-cni` package that kubeadm installed with a Kubernetes release, newest first. */
const shippedWith: readonly (readonly [kubernetes: string, plugins: string])[] = [
  ['1.31', 'v1.5.1'],
  ['1.28', 'v1.2.0'],
  ['1.25', 'v1.1.1'],
  ['1.20', 'v0.8.7'],
  ['1.18', 'v0.8.6'],
  ['1.14', 'v0.7.5'],
  ['1.9', 'v0.6.0'],
]

/** The CNI plugins' version is in no object: the one that came with `kubeVersion` (`1.34`), the newest where unknown. */
export function pluginsVersionFor(kubeVersion: string): Version {
  const kube = parseVersion(kubeVersion)
  if (kube === undefined || compareVersions(kube, version('1.33')) >= 0) return newestPlugins
  const shipped = shippedWith.find(([since]) => compareVersions(kube, version(since)) >= 0)
  return version(shipped?.[1] ?? 'v0.6.0')
}
