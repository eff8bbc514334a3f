import type { CalicoPort, CalicoRule, EntityRule } from '../../../kube/objects/calico.ts'
import type { NetworkPolicy, PolicyPeer, PolicyPort } from '../../../kube/objects/network-policy.ts'
import { calicoSelector } from './convert-selector.ts'
import type { CalicoPolicy, RulePath } from './policy.ts'

/** Order of every policy that comes from Kubernetes. */
export const kubernetesOrder = 1000

export interface Converted {
  readonly policy: CalicoPolicy
  /** Rules that were left out, in words. */
  readonly errors: readonly string[]
}

/**
 * networking.k8s.io NetworkPolicy as a policy of tier `default` (libcalico-go conversion.go, K8sNetworkPolicyToCalico): one
 * Allow rule per peer and protocol. A rule that holds a port which cannot be is left out whole.
 */
export function convertNetworkPolicy(source: NetworkPolicy): Converted {
  const { name, namespace = 'default' } = source.metadata
  const { podSelector, policyTypes, ingress = [], egress = [] } = source.spec
  const errors: string[] = []
  const rules = {
    ingress: ingress.flatMap(({ from, ports }, i) => oneRule('ingress', from, ports, i, errors)),
    egress: egress.flatMap(({ to, ports }, i) => oneRule('egress', to, ports, i, errors)),
  }
  const types = typesOf(policyTypes, egress.length > 0)
  const policy: CalicoPolicy = {
    kind: 'KubernetesNetworkPolicy',
    name,
    namespace,
    tier: 'default',
    order: kubernetesOrder,
    spec: {
      tier: 'default',
      order: kubernetesOrder,
      selector: calicoSelector(podSelector, 'podSelector'),
      types,
      ingress: rules.ingress.map((r) => r.rule),
      egress: rules.egress.map((r) => r.rule),
    },
    types,
    source,
    paths: { ingress: rules.ingress.map((r) => r.path), egress: rules.egress.map((r) => r.path) },
  }
  return { policy, errors }
}

/** Always in this order. Missing: ingress always, egress where there are rules for it. */
function typesOf(given: readonly ('Ingress' | 'Egress')[] | undefined, egress: boolean): ('Ingress' | 'Egress')[] {
  const has = (type: 'Ingress' | 'Egress', missing: boolean): boolean =>
    given === undefined || given.length === 0 ? missing : given.includes(type)
  return [
    ...(has('Ingress', true) ? (['Ingress'] as const) : []),
    ...(has('Egress', egress) ? (['Egress'] as const) : []),
  ]
}

interface ConvertedRule {
  readonly rule: CalicoRule
  readonly path: RulePath
}

function oneRule(
  direction: 'ingress' | 'egress',
  peers: readonly PolicyPeer[] | undefined,
  ports: readonly PolicyPort[] | undefined,
  index: number,
  errors: string[],
): readonly ConvertedRule[] {
  const path: RulePath = ['spec', direction, index]
  const grouped = portsByProtocol(ports ?? [])
  if ('error' in grouped) {
    errors.push(`${direction} rule ${index + 1}: ${grouped.error}`)
    return []
  }
  const entities = (peers ?? []).length > 0 ? (peers ?? []).map(entityOf) : [{}]
  return grouped.protocols.flatMap(({ protocol, ports: list }) =>
    entities.map((peer): ConvertedRule => {
      const own = list.length > 0 ? { ports: list } : {}
      return {
        path,
        rule: {
          action: 'Allow',
          ...(protocol === undefined ? {} : { protocol }),
          source: direction === 'ingress' ? peer : {},
          destination: direction === 'ingress' ? own : { ...peer, ...own },
        },
      }
    }),
  )
}

interface ProtocolPorts {
  readonly protocol: string | undefined
  /** Empty: all of the protocol. */
  readonly ports: readonly CalicoPort[]
}

/** By protocol in alphabetical order; one entry without a port stands for all of its protocol. */
function portsByProtocol(
  ports: readonly PolicyPort[],
): { readonly protocols: readonly ProtocolPorts[] } | { readonly error: string } {
  if (ports.length === 0) return { protocols: [{ protocol: undefined, ports: [] }] }
  const byProtocol = new Map<string, CalicoPort[] | 'all'>()
  for (const { protocol = 'TCP', port, endPort } of ports) {
    const found = byProtocol.get(protocol) ?? []
    const text = calicoPort(port, endPort)
    if (typeof text === 'object') return text
    if (text === undefined) byProtocol.set(protocol, 'all')
    else byProtocol.set(protocol, found === 'all' ? 'all' : [...found, text])
  }
  const protocols = [...byProtocol.keys()].sort().map((protocol) => {
    const list = byProtocol.get(protocol) ?? []
    return { protocol, ports: list === 'all' ? [] : list }
  })
  return { protocols }
}

function calicoPort(
  port: number | string | undefined,
  endPort: number | undefined,
): CalicoPort | undefined | { readonly error: string } {
  if (port === undefined) return undefined
  if (typeof port === 'number') {
    if (port < 0 || port > 65535) return { error: `invalid port ${port}` }
    return endPort === undefined || endPort === port ? port : `${port}:${endPort}`
  }
  return /^[a-zA-Z0-9_.-]{1,128}$/.test(port) ? port : { error: `invalid name for named port (${port})` }
}

function entityOf({ podSelector, namespaceSelector, ipBlock }: PolicyPeer): EntityRule {
  if (ipBlock) {
    const { cidr, except = [] } = ipBlock
    return { nets: [cidr], ...(except.length > 0 ? { notNets: except } : {}) }
  }
  const namespaces = calicoSelector(namespaceSelector, 'namespaceSelector')
  return {
    selector: calicoSelector(podSelector, 'podSelector'),
    ...(namespaces === '' ? {} : { namespaceSelector: namespaces }),
  }
}
