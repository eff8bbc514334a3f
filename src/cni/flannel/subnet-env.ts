import { familyOf } from '../../net/ip.ts'
import {
  formatInterfaceAddress,
  formatPrefix,
  type InterfaceAddress,
  networkOf,
  nthAddress,
  type Prefix,
  parseInterfaceAddress,
  parsePrefix,
} from '../../net/prefix.ts'

/** /run/flannel/subnet.env: what flanneld tells the CNI plugin and docker. A family that is off has no network. */
export interface SubnetEnv {
  readonly networks: readonly Prefix[]
  /** The bridge's address with the subnet's length, not the subnet. */
  readonly subnet?: InterfaceAddress
  readonly ipv6Networks: readonly Prefix[]
  readonly ipv6Subnet?: InterfaceAddress
  readonly mtu: number
  readonly ipMasq: boolean
}

/** pkg/subnet WriteSubnetFile: `FLANNEL_SUBNET` is the first address of the subnet. */
export const bridgeAddress = (subnet: Prefix): InterfaceAddress => ({
  ip: nthAddress(subnet, 1) ?? subnet.address,
  length: subnet.length,
})

export function formatSubnetEnv(env: SubnetEnv): string {
  const family = (name: string, networks: readonly Prefix[], subnet: InterfaceAddress | undefined): string[] =>
    subnet === undefined
      ? []
      : [
          `FLANNEL_${name}NETWORK=${networks.map(formatPrefix).join(',')}`,
          `FLANNEL_${name}SUBNET=${formatInterfaceAddress(subnet)}`,
        ]
  return [
    ...family('', env.networks, env.subnet),
    ...family('IPV6_', env.ipv6Networks, env.ipv6Subnet),
    `FLANNEL_MTU=${env.mtu}`,
    `FLANNEL_IPMASQ=${env.ipMasq}`,
    '',
  ].join('\n')
}

export type SubnetEnvResult = { readonly env: SubnetEnv } | { readonly error: string }

/** flannel-io/cni-plugin loadFlannelSubnetEnv: unknown keys are ignored; what is missing is named all at once. */
export function parseSubnetEnv(text: string): SubnetEnvResult {
  const values = new Map(text.split('\n').map((line) => splitOnce(line.trim())))
  const missing = missingKeys(values)
  if (missing.length > 0) return { error: `missing ${missing.join(', ')}` }
  const subnet = subnetOf(values, 'FLANNEL_SUBNET')
  const ipv6Subnet = subnetOf(values, 'FLANNEL_IPV6_SUBNET')
  const mtu = Number(values.get('FLANNEL_MTU'))
  if (!Number.isInteger(mtu) || mtu < 0) return { error: `FLANNEL_MTU is no number: ${values.get('FLANNEL_MTU')}` }
  return {
    env: {
      networks: networksOf(values, 'FLANNEL_NETWORK'),
      ...(subnet ? { subnet } : {}),
      ipv6Networks: networksOf(values, 'FLANNEL_IPV6_NETWORK'),
      ...(ipv6Subnet ? { ipv6Subnet } : {}),
      mtu,
      ipMasq: values.get('FLANNEL_IPMASQ') === 'true',
    },
  }
}

const addressKeys = ['FLANNEL_NETWORK', 'FLANNEL_IPV6_NETWORK', 'FLANNEL_SUBNET', 'FLANNEL_IPV6_SUBNET'] as const

/** One family is enough. */
function missingKeys(values: ReadonlyMap<string, string>): readonly string[] {
  const complete = (network: string, subnet: string): boolean => values.has(network) && values.has(subnet)
  const anyFamily =
    complete('FLANNEL_NETWORK', 'FLANNEL_SUBNET') || complete('FLANNEL_IPV6_NETWORK', 'FLANNEL_IPV6_SUBNET')
  const needed = [...(anyFamily ? [] : addressKeys), 'FLANNEL_MTU', 'FLANNEL_IPMASQ']
  return needed.filter((key) => !values.has(key))
}

const networksOf = (values: ReadonlyMap<string, string>, key: string): readonly Prefix[] =>
  (values.get(key) ?? '').split(',').flatMap((text) => parsePrefix(text) ?? [])

const subnetOf = (values: ReadonlyMap<string, string>, key: string): InterfaceAddress | undefined =>
  parseInterfaceAddress(values.get(key) ?? '')

const splitOnce = (line: string): readonly [string, string] => {
  const at = line.indexOf('=')
  return at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at + 1)]
}

/** The subnet that a bridge address stands for. */
export const subnetBehind = ({ ip, length }: InterfaceAddress): Prefix => networkOf(ip, length)

/** Both families' subnets of one file, IPv4 first. */
export const subnetsOf = (env: SubnetEnv): readonly Prefix[] =>
  [env.subnet, env.ipv6Subnet].flatMap((s) => (s ? [subnetBehind(s)] : []))

/** Both families' networks of one file, IPv4 first. */
export const networksIn = (env: SubnetEnv): readonly Prefix[] =>
  [...env.networks, ...env.ipv6Networks].toSorted((a, b) =>
    familyOf(a.address) === familyOf(b.address) ? 0 : familyOf(a.address) === 'ipv4' ? -1 : 1,
  )
