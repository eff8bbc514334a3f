import fc from 'fast-check'
import type { KubeObject } from '../../../src/kube/objects/meta.ts'
import type { NetworkPolicy, PolicyPeer, PolicyPort } from '../../../src/kube/objects/network-policy.ts'
import type { KubeProtocol, Pod } from '../../../src/kube/objects/pod.ts'
import { anyLabels, anySelector, type Probe } from '../../policy/any-cluster.ts'

/** Few namespaces, pods, ports and blocks, so that most connections meet a rule and hang on each of its parts. */
const namespaces = ['x', 'y']
export const ports = [80, 81, 8080]
export const names = ['web', 'dns']
const protocols: readonly KubeProtocol[] = ['TCP', 'TCP', 'UDP', 'SCTP']
export const kubeProtocol = () => fc.constantFrom(...protocols)
const podIp = (node: string, i: number): string => `10.244.${node === 'n1' ? 1 : 2}.${i + 2}`

/** Four pods with the same names for other ports, one in eight in the host's network. */
export const densePods = (): fc.Arbitrary<readonly Pod[]> =>
  fc
    .array(
      fc.record({
        namespace: fc.constantFrom(...namespaces),
        labels: anyLabels(),
        node: fc.constantFrom('n1', 'n2'),
        ports: fc.tuple(...names.map((name) => namedPort(name))),
        host: fc.nat(7),
      }),
      { minLength: 4, maxLength: 4 },
    )
    .map((specs) =>
      specs.map(({ namespace, labels, node, ports: declared, host }, i): Pod => {
        const hostNetwork = host === 0
        const ip = hostNetwork ? `172.18.0.${node === 'n1' ? 1 : 2}` : podIp(node, i)
        return {
          ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: `p${i}`, namespace, labels } },
          spec: { nodeName: node, hostNetwork, containers: [{ name: 'c', ports: declared }] },
          status: { phase: 'Running', podIP: ip, podIPs: [{ ip }] },
        }
      }),
    )

const namedPort = (name: string) =>
  fc.record({ name: fc.constant(name), containerPort: fc.constantFrom(...ports), protocol: kubeProtocol() })

/** Single pods, one node's pods, all pods, nodes, and some of the outside. */
export const anyBlock = () =>
  fc.constantFrom(
    ...[0, 1, 2, 3].flatMap((i) => [`${podIp('n1', i)}/32`, `${podIp('n2', i)}/32`]),
    ...['10.244.1.0/24', '10.244.2.0/24', '172.18.0.1/32', '203.0.113.0/25'],
  )

const wide = () => fc.constantFrom('0.0.0.0/0', '10.244.0.0/16')

const anyPeer = (): fc.Arbitrary<PolicyPeer> =>
  fc.oneof(
    fc.record({
      ipBlock: fc.record({ cidr: wide(), except: fc.uniqueArray(anyBlock(), { minLength: 1, maxLength: 3 }) }),
    }),
    fc.record({ podSelector: anySelector() }),
    fc.record({ namespaceSelector: anySelector() }),
    fc.record({ podSelector: anySelector(), namespaceSelector: anySelector() }),
  )

const anyPort = (): fc.Arbitrary<PolicyPort> =>
  fc.oneof(
    fc.record({ protocol: kubeProtocol(), port: fc.constantFrom(...ports) }),
    fc.record({ protocol: kubeProtocol(), port: fc.constantFrom(...names) }),
    fc.record({ protocol: kubeProtocol(), port: fc.constant(80), endPort: fc.constantFrom(81, 8080) }),
    fc.record({ protocol: kubeProtocol() }),
  )

/** One peer and one port as a rule: what either says is then not said again by another. */
const rule = () =>
  fc.record({ peers: oneOrFew(anyPeer()), ports: fc.oneof(fc.constant([]), oneOrFew(anyPort()), oneOrFew(anyPort())) })

const oneOrFew = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T[]> =>
  fc.oneof(
    { weight: 3, arbitrary: fc.tuple(arbitrary) },
    { weight: 1, arbitrary: fc.array(arbitrary, { minLength: 2, maxLength: 2 }) },
  )

/** Mostly between pods, few to a cluster: what counts is how many rules are tried. */
export const denseProbes = (): fc.Arbitrary<readonly Probe[]> => {
  const end = fc.oneof({ weight: 4, arbitrary: fc.nat(3) }, { weight: 1, arbitrary: fc.nat(30) })
  const protocol = fc.constantFrom('tcp' as const, 'tcp' as const, 'udp' as const, 'sctp' as const)
  const port = fc.constantFrom(...ports, 22)
  return fc.array(fc.record({ from: end, to: end, protocol, port }), { minLength: 12, maxLength: 12 })
}

/** One direction, few rules, mostly about every pod of its namespace. */
const densePolicy = (name: string): fc.Arbitrary<NetworkPolicy> =>
  fc
    .record({
      namespace: fc.constantFrom(...namespaces),
      podSelector: fc.oneof({ weight: 3, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: anySelector() }),
      egress: fc.boolean(),
      rules: oneOrFew(rule()),
    })
    .map(({ namespace, podSelector, egress, rules }) => ({
      ...{ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name, namespace } },
      spec: egress
        ? { podSelector, policyTypes: ['Egress'], egress: rules.map((r) => ({ to: r.peers, ports: r.ports })) }
        : { podSelector, policyTypes: ['Ingress'], ingress: rules.map((r) => ({ from: r.peers, ports: r.ports })) },
    }))

export const densePolicies = (): fc.Arbitrary<readonly KubeObject[]> =>
  fc.tuple(densePolicy('np0'), fc.option(densePolicy('np1'))).map((all) => all.filter((p) => p !== null))
