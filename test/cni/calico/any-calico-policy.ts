import fc from 'fast-check'
import type { CalicoPolicySpec, CalicoPort, CalicoRule, EntityRule } from '../../../src/kube/objects/calico.ts'
import type { KubeObject, Labels } from '../../../src/kube/objects/meta.ts'
import { parsePrefix, prefixContains } from '../../../src/net/prefix.ts'
import type { Connection } from '../../../src/policy/connection.ts'
import type { End } from '../../../src/policy/end.ts'
import { anyBlock, kubeProtocol, names, ports } from './dense-cluster.ts'

/** A selector as text, and what it says of labels, so that the text need not be read to know. */
interface Asked {
  readonly text: string
  readonly holds: (labels: Labels) => boolean
}

interface Side {
  readonly entity: EntityRule
  readonly selector?: Asked | undefined
  readonly notSelector?: Asked | undefined
  readonly namespaces?: Asked | undefined
}

interface Rule {
  readonly action: CalicoRule['action']
  readonly protocol?: string | undefined
  readonly notProtocol?: string | undefined
  readonly source: Side
  readonly destination: Side
}

/** A policy of Calico's own, and the parts that its meaning is worked out from. */
export interface MeantPolicy {
  readonly name: string
  readonly namespace: string | undefined
  readonly order: number
  readonly applies: Asked
  readonly direction: 'ingress' | 'egress'
  readonly rules: readonly Rule[]
}

const key = () => fc.constantFrom('app', 'tier')
const value = () => fc.constantFrom('a', 'b')

const term = (): fc.Arbitrary<Asked> =>
  fc.oneof(
    fc.constant<Asked>({ text: 'all()', holds: () => true }),
    fc.tuple(key(), value()).map(([k, v]): Asked => ({ text: `${k} == '${v}'`, holds: (l) => l[k] === v })),
    fc.tuple(key(), value()).map(([k, v]): Asked => ({ text: `${k} != '${v}'`, holds: (l) => l[k] !== v })),
    fc.tuple(key(), value()).map(([k, v]): Asked => ({ text: `${k} in {'${v}', 'c'}`, holds: (l) => l[k] === v })),
    fc.tuple(key(), value()).map(([k, v]): Asked => ({ text: `${k} not in {'${v}'}`, holds: (l) => l[k] !== v })),
    key().map((k): Asked => ({ text: `!has(${k})`, holds: (l) => l[k] === undefined })),
  )

const asked = (): fc.Arbitrary<Asked> =>
  fc.oneof(
    { weight: 3, arbitrary: term() },
    { weight: 1, arbitrary: fc.tuple(term(), term()).map(([a, b]) => joined('&&', a, b)) },
    { weight: 1, arbitrary: fc.tuple(term(), term()).map(([a, b]) => joined('||', a, b)) },
  )

const joined = (op: '&&' | '||', a: Asked, b: Asked): Asked => ({
  text: `(${a.text}) ${op} (${b.text})`,
  holds: (l) => (op === '&&' ? a.holds(l) && b.holds(l) : a.holds(l) || b.holds(l)),
})

const rarely = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary })
const some = <T>(arbitrary: fc.Arbitrary<T>) => fc.uniqueArray(arbitrary, { minLength: 1, maxLength: 2 })
const anyPort = (): fc.Arbitrary<CalicoPort> => fc.constantFrom<CalicoPort>(...ports, ...names, ...names, '81:8080')

const conditions = ['nets', 'notNets', 'selector', 'notSelector', 'namespaces'] as const
const portConditions = ['ports', 'notPorts', 'notPorts'] as const

/** Each condition more makes a match rarer: two at most on one side. */
function side(hasPorts: boolean): fc.Arbitrary<Side> {
  const kinds = hasPorts ? [...conditions, ...portConditions, ...portConditions] : conditions
  const all = {
    nets: some(fc.constantFrom('10.244.0.0/16', '0.0.0.0/0', '10.244.1.0/24')),
    notNets: some(anyBlock()),
    ports: some(anyPort()),
    notPorts: some(anyPort()),
    selector: asked(),
    notSelector: asked(),
    namespaces: asked(),
  }
  return fc.tuple(fc.uniqueArray(fc.constantFrom(...kinds), { maxLength: 2 }), fc.record(all)).map(([kept, values]) => {
    const has = <T>(kind: (typeof kinds)[number], value: T): T | undefined => (kept.includes(kind) ? value : undefined)
    const [selector, notSelector] = [has('selector', values.selector), has('notSelector', values.notSelector)]
    const spaces = has('namespaces', values.namespaces)
    const entity = {
      nets: has('nets', values.nets),
      notNets: has('notNets', values.notNets),
      ports: has('ports', values.ports),
      notPorts: has('notPorts', values.notPorts),
      selector: selector?.text,
      notSelector: notSelector?.text,
      namespaceSelector: spaces?.text,
    }
    return { selector, notSelector, namespaces: spaces, entity: without(entity) }
  })
}

/** Without what is not there. */
const without = <T extends object>(all: T): EntityRule =>
  Object.fromEntries(Object.entries(all).filter(([, v]) => v !== undefined))

/**
 * Ports need a protocol that has them. Where three lists each need a block of rules of their own, Felix forgets to clear its
 * scratch mark, and the third can no longer fail: such rules do not mean what they say.
 */
const rule = (): fc.Arbitrary<Rule> =>
  anyRule().filter(({ source, destination }) => {
    const lists = [source.entity.nets, destination.entity.nets, destination.entity.ports]
    return lists.filter((list) => (list ?? []).length > 1).length < 3
  })

const anyRule = (): fc.Arbitrary<Rule> =>
  fc.boolean().chain((hasPorts) =>
    fc.record({
      action: fc.constantFrom('Allow' as const, 'Allow' as const, 'Deny' as const, 'Pass' as const, 'Log' as const),
      protocol: hasPorts ? kubeProtocol() : fc.constant(undefined),
      notProtocol: hasPorts ? fc.constant(undefined) : rarely(kubeProtocol()),
      source: side(false),
      destination: side(hasPorts),
    }),
  )

const anyPolicy = (index: number): fc.Arbitrary<MeantPolicy> =>
  fc.record({
    name: fc.constant(`c${index}`),
    namespace: fc.constantFrom('x', 'y', undefined),
    order: fc.constant(index),
    applies: fc.oneof({ weight: 2, arbitrary: fc.constant<Asked>({ text: 'all()', holds: () => true }) }, asked()),
    direction: fc.constantFrom('ingress' as const, 'egress' as const),
    rules: fc.array(rule(), { minLength: 1, maxLength: 2 }),
  })

export const calicoPolicies = (): fc.Arbitrary<readonly MeantPolicy[]> =>
  fc.tuple(anyPolicy(0), rarely(anyPolicy(1))).map((all) => all.filter((p) => p !== undefined))

export function policyObject({ name, namespace, order, applies, direction, rules }: MeantPolicy): KubeObject {
  const spec: CalicoPolicySpec = {
    order,
    selector: applies.text,
    types: [direction === 'ingress' ? 'Ingress' : 'Egress'],
    [direction]: rules.map(({ action, protocol, notProtocol, source, destination }) => ({
      action,
      ...(protocol === undefined ? {} : { protocol }),
      ...(notProtocol === undefined ? {} : { notProtocol }),
      source: source.entity,
      destination: destination.entity,
    })),
  }
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: namespace === undefined ? 'GlobalNetworkPolicy' : 'NetworkPolicy',
    metadata: { name: `default.${name}`, ...(namespace === undefined ? {} : { namespace }) },
    spec,
  } as KubeObject
}

/** What Calico's documentation promises of the policies of one tier: the first rule that matches decides; else denied. */
export function isMeantToPass(policies: readonly MeantPolicy[], connection: Connection): boolean {
  const { from, to } = connection
  const isOwnNode = from.kind === 'node' && to.kind === 'pod' && from.node.name === to.pod.node
  const egress = from.kind !== 'pod' || directionPasses(policies, 'egress', from, connection)
  return egress && (to.kind !== 'pod' || isOwnNode || directionPasses(policies, 'ingress', to, connection))
}

type PodEnd = Extract<End, { kind: 'pod' }>

function directionPasses(
  policies: readonly MeantPolicy[],
  direction: MeantPolicy['direction'],
  { pod }: PodEnd,
  connection: Connection,
): boolean {
  const own = policies.filter(
    (p) => p.direction === direction && (p.namespace ?? pod.namespace) === pod.namespace && p.applies.holds(pod.labels),
  )
  if (own.length === 0) return true
  // What is passed on goes to the profile of the namespace, which allows it.
  for (const { namespace, rules } of own)
    for (const r of rules) if (r.action !== 'Log' && matches(r, namespace, connection)) return r.action !== 'Deny'
  return false
}

function matches(r: Rule, namespace: string | undefined, { from, to, protocol, port = 0 }: Connection): boolean {
  const is = (name: string | undefined): boolean => name?.toLowerCase() === protocol
  if (r.protocol !== undefined && !is(r.protocol)) return false
  if (r.notProtocol !== undefined && is(r.notProtocol)) return false
  return isSide(r.source, from, namespace, protocol, 0) && isSide(r.destination, to, namespace, protocol, port)
}

function isSide(asked: Side, end: End, namespace: string | undefined, protocol: string, port: number): boolean {
  const { nets, notNets = [], ports: wanted, notPorts = [] } = asked.entity
  const pod = end.kind === 'pod' ? end.pod : undefined
  const isIn = (text: string): boolean => {
    const prefix = parsePrefix(text)
    return prefix !== undefined && end.ip !== undefined && prefixContains(prefix, end.ip)
  }
  const isPort = (p: CalicoPort): boolean => {
    if (typeof p === 'number') return p === port
    const [low, high] = p.split(':').map(Number)
    if (high !== undefined) return port >= (low ?? 0) && port <= high
    return pod?.ports.some((d) => d.name === p && d.protocol === protocol && d.port === port) ?? false
  }
  if (nets && !nets.some(isIn)) return false
  if (notNets.some(isIn) || notPorts.some(isPort)) return false
  if (wanted && !wanted.some(isPort)) return false
  if (asked.notSelector && pod && asked.notSelector.holds(pod.labels)) return false
  return isSelected(asked, pod, namespace)
}

/** A selector means endpoints only, and in a policy of a namespace those of that namespace. */
function isSelected(
  { selector, notSelector, namespaces }: Side,
  pod: PodEnd['pod'] | undefined,
  namespace: string | undefined,
): boolean {
  if (namespaces && !(pod && namespaces.holds(pod.namespaceLabels))) return false
  if (selector && !(pod && selector.holds(pod.labels))) return false
  const confined = namespace !== undefined && !namespaces && (selector ?? notSelector)
  return !confined || pod?.namespace === namespace
}
