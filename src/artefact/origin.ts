/**
 * Where an artefact comes from. A renderer attaches it; the kernel only carries it, so that a drop can name the object
 * and the field to change without the kernel knowing Kubernetes.
 */
export interface Origin {
  /** The agent that installs it: `kube-proxy`, `kubelet`, `flannel`, `bridge`, `portmap`, `calico`, `kernel`, `NodeState`. */
  readonly by: string
  /** What the agent was doing, in its own words: `cluster IP`, `node-b`, `podCIDR of node-a`. */
  readonly note?: string
  readonly object?: OriginObject
  /** A rule by which the agent keeps its own accounts (dispatch, scratch marks): it says nothing of why a packet passes. */
  readonly bookkeeping?: true
}

export interface OriginObject {
  readonly kind: string
  readonly namespace?: string
  readonly name: string
  /** The field that caused it: `ports[0]`, `spec.ingress[1]`. */
  readonly field?: string
  readonly file?: string
  readonly line?: number
}
