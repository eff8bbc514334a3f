import { type FieldPath, formatPath } from './field-path.ts'
import type { ObjectRef } from './objects/meta.ts'

export type Severity = 'error' | 'warning'

/** A place in what was read. Without a line, the whole file; `-` is standard input. */
export interface Place {
  readonly file: string
  readonly line?: number
}

/** What can be wrong, with what is needed to say it. Texts that come from the input are as they were found. */
export interface ProblemArgs {
  // Files
  readonly UNREADABLE_FILE: { readonly reason: string }
  readonly NO_MANIFESTS: Record<never, never>
  readonly EMPTY_INPUT: Record<never, never>
  readonly NO_OBJECTS: Record<never, never>
  readonly BINARY_FILE: { readonly offset: number }
  readonly NOT_UTF8: { readonly offset: number }
  readonly TEMPLATE: { readonly text: string }
  readonly KUSTOMIZATION: Record<never, never>
  // Documents
  readonly YAML_SYNTAX: { readonly column: number; readonly message: string }
  readonly JSON_SYNTAX: { readonly column: number; readonly expected: string; readonly found: string }
  readonly TAB_INDENT: { readonly column: number }
  readonly DUPLICATE_KEY: { readonly key: string }
  readonly TOO_MANY_ALIASES: { readonly limit: number }
  readonly ALIAS_CYCLE: Record<never, never>
  readonly TOO_DEEP: { readonly limit: number }
  readonly NOT_AN_OBJECT: { readonly found: unknown }
  readonly UNSUPPORTED_VERSION: { readonly found: string; readonly supported: readonly string[] }
  readonly UNKNOWN_KIND: { readonly found: string; readonly nearest: string }
  // Fields
  readonly MISSING_FIELD: { readonly field: string; readonly nearest: string | undefined }
  readonly WRONG_TYPE: { readonly expected: string; readonly found: unknown }
  readonly NOT_ONE_OF: {
    readonly allowed: readonly string[]
    readonly found: unknown
    readonly nearest: string | undefined
  }
  readonly OUT_OF_RANGE: { readonly expected: string; readonly found: unknown }
  readonly UNKNOWN_FIELD: { readonly field: string; readonly nearest: string | undefined }
  readonly BAD_VALUE: { readonly expected: string; readonly found: unknown }
  /** What the API server would refuse, in its own classes (apimachinery `field.ErrorType`). */
  readonly API_REFUSES: {
    readonly type: 'Invalid' | 'Required' | 'Forbidden' | 'NotSupported' | 'Duplicate'
    readonly detail: string
    readonly found?: unknown
  }
  // Objects among each other
  readonly DUPLICATE_OBJECT: { readonly first: Place }
  readonly INVALID_NAME: { readonly found: string; readonly rule: string }
  readonly INVALID_IP: { readonly found: string }
  readonly INVALID_CIDR: { readonly found: string }
  readonly LEADING_ZEROS: { readonly found: string; readonly reads: string }
  readonly HOST_BITS: { readonly found: string; readonly reads: string }
  readonly POD_CIDR_OVERLAP: {
    readonly cidr: string
    readonly other: string
    readonly node: string
    readonly at: Place | undefined
  }
  readonly POD_CIDR_OUTSIDE: { readonly cidr: string; readonly networks: readonly string[] }
  /** One pod stands for all: `others` more are outside as well. */
  readonly POD_IP_OUTSIDE: { readonly ip: string; readonly networks: readonly string[]; readonly others: number }
  /** The pod runs in a cluster of which nobody says what its pod network is. */
  readonly POD_IP_OUTSIDE_DEFAULT: {
    readonly ip: string
    readonly networks: readonly string[]
    readonly others: number
  }
  readonly POD_IPS_DIFFER: { readonly podIP: string; readonly first: string }
  readonly POD_IP_TAKEN: { readonly ip: string; readonly by: string; readonly at: Place | undefined }
  readonly NODE_IP_INSIDE: { readonly ip: string; readonly network: string; readonly of: 'pod' | 'service' }
  readonly CLUSTER_IP_OUTSIDE: { readonly ip: string; readonly networks: readonly string[] }
  /** Nobody says what the service network is. One Service stands for all: `others` more are outside as well. */
  readonly CLUSTER_IP_OUTSIDE_DEFAULT: {
    readonly ip: string
    readonly networks: readonly string[]
    readonly others: number
  }
  readonly ADDRESS_TAKEN: { readonly ip: string; readonly by: string; readonly at: Place | undefined }
  readonly NODE_PORT_OUTSIDE: { readonly port: number; readonly from: number; readonly to: number }
  /** The API server has taken it, so its range must be another. */
  readonly NODE_PORT_UNUSUAL: { readonly port: number; readonly from: number; readonly to: number }
  readonly NODE_PORT_TAKEN: { readonly port: number; readonly by: string; readonly at: Place | undefined }
  readonly UNKNOWN_NODE: { readonly node: string; readonly nearest: string | undefined }
  // Settings
  readonly BAD_SETTING: { readonly setting: string; readonly expected: string; readonly found: string }
  readonly NETWORKS_OVERLAP: {
    readonly first: string
    readonly firstCidr: string
    readonly second: string
    readonly secondCidr: string
  }
  // Controllers
  readonly POD_CIDRS_EXHAUSTED: { readonly network: string; readonly length: number }
  readonly POD_ADDRESSES_EXHAUSTED: { readonly node: string; readonly ranges: readonly string[] }
  readonly SERVICE_ADDRESSES_EXHAUSTED: { readonly network: string }
  readonly NODE_PORTS_EXHAUSTED: { readonly from: number; readonly to: number }
  readonly UNSCHEDULABLE: { readonly message: string }
}

export type ProblemCode = keyof ProblemArgs

export interface ProblemOf<Code extends ProblemCode> {
  readonly code: Code
  readonly severity: Severity
  readonly at: Place
  readonly object: ObjectRef | undefined
  readonly path: FieldPath
  readonly args: ProblemArgs[Code]
}

export type Problem = { readonly [Code in ProblemCode]: ProblemOf<Code> }[ProblemCode]

const warnings: ReadonlySet<ProblemCode> = new Set<ProblemCode>([
  'KUSTOMIZATION',
  'UNKNOWN_KIND',
  'NO_OBJECTS',
  'LEADING_ZEROS',
  'HOST_BITS',
  'POD_CIDR_OUTSIDE',
  'POD_IP_OUTSIDE_DEFAULT',
  'POD_IPS_DIFFER',
  'POD_IP_TAKEN',
  'NODE_IP_INSIDE',
  'CLUSTER_IP_OUTSIDE_DEFAULT',
  'NODE_PORT_UNUSUAL',
  'UNKNOWN_NODE',
  'POD_CIDRS_EXHAUSTED',
  'POD_ADDRESSES_EXHAUSTED',
  'SERVICE_ADDRESSES_EXHAUSTED',
  'NODE_PORTS_EXHAUSTED',
  'UNSCHEDULABLE',
])

export interface Subject {
  readonly at: Place
  readonly object?: ObjectRef | undefined
  readonly path?: FieldPath
}

export function problem<Code extends ProblemCode>(code: Code, subject: Subject, args: ProblemArgs[Code]): Problem {
  const { at, object, path = [] } = subject
  return { code, severity: warnings.has(code) ? 'warning' : 'error', at, object, path, args } as Problem
}

export const isError = (p: Problem): boolean => p.severity === 'error'

/** `web.yaml:14: Service default/web: spec.ports[0].targetPort: expected an integer or a string, found true` */
export function formatProblem(p: Problem): string {
  const parts = [formatPlace(p.at)]
  if (p.object) parts.push(formatRef(p.object))
  if (p.path.length > 0) parts.push(formatPath(p.path))
  parts.push(p.severity === 'warning' ? `warning: ${sentence(p)}` : sentence(p))
  return parts.join(': ')
}

export function formatPlace({ file, line }: Place): string {
  const name = file === '-' ? 'standard input' : file
  return line === undefined ? name : `${name}:${line}`
}

export const formatRef = ({ kind, namespace, name }: ObjectRef): string =>
  `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`

/** What is wrong and what would be right, without where it is. */
export function sentence(p: Problem): string {
  switch (p.code) {
    case 'UNREADABLE_FILE':
      return `cannot be read: ${p.args.reason}`
    case 'NO_MANIFESTS':
      return 'no manifests in this directory (*.yaml, *.yml, *.json, subdirectories included)'
    case 'EMPTY_INPUT':
      return 'nothing came in; pipe manifests into it, or name files with -f'
    case 'NO_OBJECTS':
      return 'no objects in this file, only comments or empty documents'
    case 'BINARY_FILE':
      return `this is a binary file (byte 0 at offset ${p.args.offset}), not YAML or JSON text`
    case 'NOT_UTF8':
      return `this is no UTF-8 text (offset ${p.args.offset}); save it as UTF-8`
    case 'TEMPLATE':
      return `this is a template (${show(p.args.text)}), not a manifest; render it first, for instance with "helm template"`
    case 'KUSTOMIZATION':
      return 'a kustomization is not applied; give the output of "kubectl kustomize" instead'
    case 'YAML_SYNTAX':
      return `YAML: ${p.args.message} (column ${p.args.column})`
    case 'JSON_SYNTAX':
      return `JSON: expected ${p.args.expected}, found ${p.args.found} (column ${p.args.column})`
    case 'TAB_INDENT':
      return `YAML: a tab where YAML allows only spaces (column ${p.args.column}); replace it by spaces`
    case 'DUPLICATE_KEY':
      return `the key ${show(p.args.key)} is given twice; keep one of them`
    case 'TOO_MANY_ALIASES':
      return `the aliases of this document expand to more than ${p.args.limit} values; write it without aliases`
    case 'ALIAS_CYCLE':
      return 'an alias refers to the value that it stands in, which would never end; write that value out'
    case 'TOO_DEEP':
      return `nested more than ${p.args.limit} levels deep`
    case 'NOT_AN_OBJECT':
      return `expected a Kubernetes object with apiVersion and kind, found ${show(p.args.found)}`
    case 'UNSUPPORTED_VERSION':
      return `version ${p.args.found} of this kind is not known; use ${p.args.supported.join(' or ')}`
    case 'UNKNOWN_KIND':
      return `the kind ${show(p.args.found)} is not known and is ignored${didYouMean(p.args.nearest)}`
    case 'MISSING_FIELD':
      return `${p.args.field} is missing${p.args.nearest === undefined ? '' : `; did you mean it by ${show(p.args.nearest)}?`}`
    case 'WRONG_TYPE':
      return `expected ${p.args.expected}, found ${show(p.args.found)}${quotesHint(p.args.expected, p.args.found)}`
    case 'OUT_OF_RANGE':
    case 'BAD_VALUE':
      return `expected ${p.args.expected}, found ${show(p.args.found)}`
    case 'NOT_ONE_OF':
      return `expected ${alternatives(p.args.allowed)}, found ${show(p.args.found)}${didYouMean(p.args.nearest)}`
    case 'UNKNOWN_FIELD':
      return `there is no field ${show(p.args.field)} here${didYouMean(p.args.nearest)}`
    case 'API_REFUSES':
      return 'found' in p.args ? `${p.args.detail}, found ${show(p.args.found)}` : p.args.detail
    case 'DUPLICATE_OBJECT':
      return `given twice, first at ${formatPlace(p.args.first)}; keep one of them`
    case 'INVALID_NAME':
      return `${show(p.args.found)} is no valid name: expected ${p.args.rule}`
    case 'INVALID_IP':
      return `expected an IPv4 or IPv6 address such as 10.9.8.7 or 2001:db8::7, found ${show(p.args.found)}`
    case 'INVALID_CIDR':
      return `expected a CIDR block such as 10.9.8.0/24 or 2001:db8::/64, found ${show(p.args.found)}`
    case 'LEADING_ZEROS':
      return `${show(p.args.found)} has leading zeros, which newer API servers refuse; it is read as ${p.args.reads}`
    case 'HOST_BITS':
      return `${show(p.args.found)} has bits set beyond its prefix length; it is read as ${p.args.reads}`
    case 'POD_CIDR_OVERLAP':
      return `${p.args.cidr} overlaps ${p.args.other} of Node ${p.args.node}${seenAt(p.args.at)}; give each node its own block`
    case 'POD_CIDR_OUTSIDE':
      return `${p.args.cidr} is outside the pod network ${p.args.networks.join(', ')}`
    case 'POD_IP_OUTSIDE':
    case 'POD_IP_OUTSIDE_DEFAULT':
      return `${p.args.ip} is outside every pod network (${p.args.networks.join(', ')})${andOthers(p.args.others, 'pod')}; say which one the cluster uses with --pod-network, or leave the address out to have one assigned`
    case 'NODE_IP_INSIDE':
      return `${p.args.ip} lies in the ${p.args.of} network ${p.args.network}; traffic to this node may go astray`
    case 'CLUSTER_IP_OUTSIDE':
      return `${p.args.ip} is outside the service network ${p.args.networks.join(', ')}; leave it out to have one assigned`
    case 'CLUSTER_IP_OUTSIDE_DEFAULT':
      return `${p.args.ip} is outside the default service network ${p.args.networks.join(', ')}${andOthers(p.args.others, 'Service')}; say which one the cluster uses with --service-network`
    case 'POD_IPS_DIFFER':
      return `podIP is ${p.args.podIP}, but podIPs begins with ${p.args.first}; podIPs counts: make both the same`
    case 'ADDRESS_TAKEN':
    case 'POD_IP_TAKEN':
      return `${p.args.ip} is the address of ${p.args.by}${seenAt(p.args.at)}`
    case 'NODE_PORT_OUTSIDE':
    case 'NODE_PORT_UNUSUAL':
      return `${p.args.port} is outside the node port range ${p.args.from}-${p.args.to}`
    case 'NODE_PORT_TAKEN':
      return `${p.args.port} is the node port of ${p.args.by}${seenAt(p.args.at)}`
    case 'UNKNOWN_NODE':
      return `there is no Node ${show(p.args.node)}${didYouMean(p.args.nearest)}`
    case 'BAD_SETTING':
      return `${p.args.setting}: expected ${p.args.expected}, found ${show(p.args.found)}`
    case 'NETWORKS_OVERLAP':
      return `the ${p.args.first} network ${p.args.firstCidr} overlaps the ${p.args.second} network ${p.args.secondCidr}`
    case 'POD_CIDRS_EXHAUSTED':
      return `no free /${p.args.length} is left in the pod network ${p.args.network}; use a larger network or a longer node mask`
    case 'POD_ADDRESSES_EXHAUSTED':
      return p.args.ranges.length === 0
        ? `Node ${p.args.node} has no pod range to take an address from; set its spec.podCIDR`
        : `no free address is left in ${p.args.ranges.join(', ')} of Node ${p.args.node}`
    case 'SERVICE_ADDRESSES_EXHAUSTED':
      return `no free address is left in the service network ${p.args.network}; use a larger one`
    case 'NODE_PORTS_EXHAUSTED':
      return `no free node port is left in ${p.args.from}-${p.args.to}`
    case 'UNSCHEDULABLE':
      return p.args.message
  }
}

const didYouMean = (nearest: string | undefined): string =>
  nearest === undefined ? '' : `; did you mean ${show(nearest)}?`

const quotesHint = (expected: string, found: unknown): string =>
  expected === 'a string' && (typeof found === 'boolean' || typeof found === 'number') ? '; put it in quotes' : ''

const andOthers = (others: number, noun: string): string => {
  if (others === 0) return ''
  return `, and ${others === 1 ? `one other ${noun} is` : `${others} other ${noun}s are`} too`
}

const seenAt = (place: Place | undefined): string => (place ? ` (${formatPlace(place)})` : '')

function alternatives(values: readonly string[]): string {
  const [last = '', ...others] = values.toReversed()
  return others.length === 0 ? last : `${others.reverse().join(', ')} or ${last}`
}

/** A value from the input on one short line. */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  if (typeof value === 'object' && value !== null) return 'an object'
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value))
  return text.length <= 80 ? text : `${text.slice(0, 77)}..."`
}
