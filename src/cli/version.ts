/** Kept equal to package.json by a test. */
export const version = '0.1.0'

/** The upstream versions whose behaviour is rendered where the input names no other. */
export const baselines = [
  ['Kubernetes', '1.36 (kube-proxy iptables and nftables mode, kubelet), 1.30 (IPVS mode)'],
  ['flannel', 'v0.28.9'],
  ['Calico, Canal', 'v3.32.1'],
  ['CNI plugins', 'v1.9.1'],
  ['Linux', '6.18 (netfilter, bridge, vxlan)'],
  ['iptables-save', '1.8.9'],
] as const
