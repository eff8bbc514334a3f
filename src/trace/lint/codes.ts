/** Every finding that there is. Codes stay; `docs/lint.md` explains each. */
export const lintCodes = {
  // Services
  SERVICE_SELECTS_NOTHING: { level: 'error', title: 'the selector of a Service matches no pod' },
  SERVICE_NOT_READY: { level: 'warning', title: 'all pods of a Service are unready, finished, or without address' },
  SERVICE_NO_ENDPOINTS: { level: 'error', title: 'a Service without selector has no endpoints' },
  SERVICE_PORT_NAME: { level: 'error', title: 'a named targetPort is the port of no container' },
  SERVICE_PORT_UNDECLARED: { level: 'warning', title: 'a numeric targetPort is declared by no container' },
  // Policies
  POLICY_NOT_ENFORCED: { level: 'error', title: 'the network enforces no policy' },
  POLICY_SELECTS_NOTHING: { level: 'warning', title: 'a policy selects no pod' },
  POLICY_PEER_MATCHES_NOTHING: { level: 'warning', title: 'a peer of a policy rule matches no pod' },
  POLICY_SERVICE_PORT: { level: 'error', title: "a policy names a Service's port, where policy sees the pod's" },
  POLICY_PORT_NAME: { level: 'warning', title: 'a policy names a port that no pod behind it has' },
  POLICY_CLUSTER_IP: { level: 'error', title: 'an ipBlock holds cluster IPs, which policy never sees' },
  // Nodes
  SYSCTL_IP_FORWARD: { level: 'error', title: 'a node does not forward packets' },
  SYSCTL_BRIDGE_NF: { level: 'error', title: 'bridged packets of pods pass no iptables rule' },
  SYSCTL_CONNTRACK_MAX: { level: 'warning', title: 'the connection table of a node is small' },
  // MTU
  MTU_TUNNEL: { level: 'error', title: 'tunnel packets do not fit the wire' },
  MTU_POD: { level: 'warning', title: 'packets of pods do not fit the tunnel' },
  // Addresses and topology
  NODE_NETWORK_OVERLAP: { level: 'error', title: 'the pod or Service network overlaps the network of nodes' },
  HOST_GW_ACROSS_L3: { level: 'error', title: 'host-gw between nodes that share no segment' },
  // Ports
  HOST_PORT_CONFLICT: { level: 'error', title: 'two pods of a node want the same host port' },
  NODE_PORT_HOST_PORT: { level: 'error', title: 'a node port is also the host port of a pod' },
  // What reading the objects and starting the agents shows already
  AGENT: { level: 'warning', title: 'something that an agent would log' },
  LEADING_ZEROS: { level: 'warning', title: 'an address with leading zeros' },
  HOST_BITS: { level: 'warning', title: 'a CIDR with bits beyond its prefix' },
  POD_CIDR_OVERLAP: { level: 'error', title: 'the pod ranges of two nodes overlap' },
  POD_CIDR_OUTSIDE: { level: 'warning', title: 'a pod range outside the pod network' },
  POD_IP_OUTSIDE: { level: 'error', title: 'a pod address outside the pod network' },
  POD_IP_OUTSIDE_DEFAULT: { level: 'warning', title: 'a pod address outside the default pod network' },
  POD_IPS_DIFFER: { level: 'warning', title: 'podIP and podIPs differ' },
  POD_IP_TAKEN: { level: 'warning', title: 'two pods with one address' },
  NODE_IP_INSIDE: { level: 'warning', title: 'a node address inside the pod or Service network' },
  CLUSTER_IP_OUTSIDE: { level: 'error', title: 'a cluster IP outside the Service network' },
  CLUSTER_IP_OUTSIDE_DEFAULT: { level: 'warning', title: 'a cluster IP outside the default Service network' },
  ADDRESS_TAKEN: { level: 'error', title: 'an address that another object has' },
  NODE_PORT_OUTSIDE: { level: 'error', title: 'a node port outside its range' },
  NODE_PORT_UNUSUAL: { level: 'warning', title: 'a node port outside the usual range' },
  NODE_PORT_TAKEN: { level: 'error', title: 'two Services with one node port' },
  UNKNOWN_NODE: { level: 'warning', title: 'a node that is not there' },
  NETWORKS_OVERLAP: { level: 'error', title: 'the pod network overlaps the Service network' },
  POD_CIDRS_EXHAUSTED: { level: 'warning', title: 'no pod range is left for a node' },
  POD_ADDRESSES_EXHAUSTED: { level: 'warning', title: 'no address is left for a pod' },
  SERVICE_ADDRESSES_EXHAUSTED: { level: 'warning', title: 'no cluster IP is left' },
  NODE_PORTS_EXHAUSTED: { level: 'warning', title: 'no node port is left' },
  UNSCHEDULABLE: { level: 'warning', title: 'a pod fits no node' },
} as const satisfies Readonly<Record<string, { readonly level: 'error' | 'warning'; readonly title: string }>>

export type LintCode = keyof typeof lintCodes

export const isLintCode = (code: string): code is LintCode => Object.hasOwn(lintCodes, code)
