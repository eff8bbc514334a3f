import type { Family, Ip } from '../../net/ip.ts'
import { parseIp } from '../../net/ip.ts'
import { formatPrefix, type Prefix, parsePrefix, prefixFamily } from '../../net/prefix.ts'
import { field, isObject, type JsonObject, parseJson } from '../json.ts'
import { checkSubnetRange, defaultSubnetRange } from './subnet-range.ts'

/** net-conf.json with its defaults (pkg/subnet Config). */
export interface NetConf {
  readonly enableNftables: boolean
  /** Absent: the family is off, or has no network. */
  readonly ipv4?: PodNetwork
  readonly ipv6?: PodNetwork
  readonly backend: BackendConf
}

/** One family's network, and how the etcd manager cuts it. */
export interface PodNetwork {
  readonly network: Prefix
  readonly subnetLength: number
  readonly subnetMin: Ip
  readonly subnetMax: Ip
}

export interface BackendConf {
  /** Lower case. */
  readonly type: string
  /** The whole `Backend` object. */
  readonly options: JsonObject
}

export const podNetworkOf = (conf: NetConf, family: Family): PodNetwork | undefined =>
  family === 'ipv4' ? conf.ipv4 : conf.ipv6

export type NetConfResult = { readonly conf: NetConf } | { readonly errors: readonly string[] }

/** `manager`: the checks of Subnet keys are the etcd manager's; the kube manager uses none of these keys. */
export function parseNetConf(text: string, manager: 'kube' | 'etcd' = 'kube'): NetConfResult {
  const parsed = parseJson(text)
  if ('error' in parsed) return { errors: [`net-conf.json is no JSON: ${parsed.error}`] }
  if (!isObject(parsed.value)) return { errors: ['net-conf.json holds no JSON object'] }
  const json = parsed.value
  const errors: string[] = []
  const ipv4 = flag(json, 'EnableIPv4', true, errors) ? podNetwork(json, ipv4Keys, manager, errors) : undefined
  const ipv6 = flag(json, 'EnableIPv6', false, errors) ? podNetwork(json, ipv6Keys, manager, errors) : undefined
  const enableNftables = flag(json, 'EnableNFTables', false, errors)
  const backend = backendConf(json, errors)
  if (errors.length > 0) return { errors }
  return { conf: { enableNftables, ...(ipv4 ? { ipv4 } : {}), ...(ipv6 ? { ipv6 } : {}), backend } }
}

/** With neither ConfigMap nor etcd key: vxlan over the cluster's pod networks. */
export function defaultNetConf(podNetworks: readonly Prefix[]): NetConf {
  const of = (family: Family): PodNetwork | undefined => {
    const network = podNetworks.find((p) => prefixFamily(p) === family)
    return network && { network, ...defaultSubnetRange(network, {}) }
  }
  const [ipv4, ipv6] = [of('ipv4'), of('ipv6')]
  return {
    enableNftables: false,
    ...(ipv4 ? { ipv4 } : {}),
    ...(ipv6 ? { ipv6 } : {}),
    backend: { type: 'vxlan', options: { Type: 'vxlan' } },
  }
}

interface Keys {
  readonly family: Family
  readonly network: string
  readonly length: string
  readonly min: string
  readonly max: string
}
const ipv4Keys: Keys = { family: 'ipv4', network: 'Network', length: 'SubnetLen', min: 'SubnetMin', max: 'SubnetMax' }
const ipv6Keys: Keys = {
  family: 'ipv6',
  network: 'IPv6Network',
  length: 'IPv6SubnetLen',
  min: 'IPv6SubnetMin',
  max: 'IPv6SubnetMax',
}

function podNetwork(json: JsonObject, keys: Keys, manager: 'kube' | 'etcd', errors: string[]): PodNetwork | undefined {
  const given = field(json, keys.network)
  const network = typeof given === 'string' ? parsePrefix(given) : undefined
  if (network === undefined || prefixFamily(network) !== keys.family) {
    errors.push(
      `net-conf.json: ${keys.network} must be an ${familyNames[keys.family]} CIDR block, found ${show(given)}`,
    )
    return undefined
  }
  const range = defaultSubnetRange(network, {
    length: count(json, keys.length, errors),
    min: address(json, keys.min, errors),
    max: address(json, keys.max, errors),
  })
  if (manager === 'etcd') errors.push(...checkSubnetRange(network, range).map((e) => `net-conf.json: ${e}`))
  return { network, ...range }
}

const familyNames = { ipv4: 'IPv4', ipv6: 'IPv6' } as const

/** Go's zero type: without `Backend` or `Type` the code takes udp, whatever the documentation says. */
function backendConf(json: JsonObject, errors: string[]): BackendConf {
  const given = field(json, 'Backend')
  if (given === undefined || given === null) return { type: 'udp', options: {} }
  if (!isObject(given)) {
    errors.push(`net-conf.json: Backend must be an object, found ${show(given)}`)
    return { type: 'udp', options: {} }
  }
  const type = field(given, 'Type')
  if (type !== undefined && typeof type !== 'string')
    errors.push(`net-conf.json: Backend.Type must be a string, found ${show(type)}`)
  return { type: typeof type === 'string' && type !== '' ? type.toLowerCase() : 'udp', options: given }
}

/** A boolean of `object`, or `fallback` where it is absent; anything else is told. */
export function flag(object: JsonObject, name: string, fallback: boolean, errors: string[]): boolean {
  const value = field(object, name) ?? fallback
  if (typeof value === 'boolean') return value
  errors.push(`net-conf.json: ${name} must be true or false, found ${show(value)}`)
  return fallback
}

/** A whole number of at least 0, or undefined where it is absent or 0. */
export function count(object: JsonObject, name: string, errors: string[]): number | undefined {
  const value = field(object, name) ?? 0
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value === 0 ? undefined : value
  errors.push(`net-conf.json: ${name} must be a whole number, found ${show(value)}`)
  return undefined
}

function address(object: JsonObject, name: string, errors: string[]): Ip | undefined {
  const value = field(object, name)
  if (value === undefined || value === null) return undefined
  const parsed = typeof value === 'string' ? parseIp(value) : undefined
  if (parsed === undefined) errors.push(`net-conf.json: ${name} must be an address, found ${show(value)}`)
  return parsed
}

const show = (value: unknown): string => (value === undefined ? 'nothing' : JSON.stringify(value))

/** The sentence with which flanneld exits. */
export const notContained = (network: Prefix, podCidr: Prefix, node: string): string =>
  `subnet ${JSON.stringify(formatPrefix(network))} specified in the flannel net config doesn't contain ` +
  `${JSON.stringify(formatPrefix(podCidr))} PodCIDR of the ${JSON.stringify(node)} node`
