import { type Ip, ipAt, ipToBigInt, widthOf } from '../../net/ip.ts'
import {
  lastAddress,
  networkOf,
  nthSubnet,
  type Prefix,
  prefixContains,
  prefixFamily,
  prefixSize,
} from '../../net/prefix.ts'

/** How the etcd manager cuts a network into subnets of `subnetLength` bits, from `subnetMin` to `subnetMax`. */
export interface SubnetRange {
  readonly subnetLength: number
  readonly subnetMin: Ip
  readonly subnetMax: Ip
}

interface GivenRange {
  readonly length?: number | undefined
  readonly min?: Ip | undefined
  readonly max?: Ip | undefined
}

/** 24 (64 for IPv6), or two bits more than a network that is longer than /22 (/62); the second to the last subnet. */
export function defaultSubnetRange(network: Prefix, given: GivenRange): SubnetRange {
  const usual = prefixFamily(network) === 'ipv4' ? 24 : 64
  const subnetLength = given.length ?? (network.length > usual - 2 ? network.length + 2 : usual)
  return {
    subnetLength,
    subnetMin: given.min ?? nthSubnet(network, subnetLength, 1)?.address ?? network.address,
    subnetMax: given.max ?? networkOf(lastAddress(network), subnetLength).address,
  }
}

/** pkg/subnet CheckNetworkConfig. */
export function checkSubnetRange(network: Prefix, range: SubnetRange): readonly string[] {
  const width = widthOf(prefixFamily(network))
  const { subnetLength, subnetMin, subnetMax } = range
  const inside = (ip: Ip): boolean => prefixContains(network, ip)
  const aligned = (ip: Ip): boolean => networkOf(ip, Math.min(subnetLength, width)).address === ip
  const rules: readonly (readonly [holds: boolean, sentence: string])[] = [
    [network.length <= width - 4, `the network must be no longer than /${width - 4}, found /${network.length}`],
    [subnetLength <= width - 2, `SubnetLen must be at most ${width - 2}, found ${subnetLength}`],
    [subnetLength >= network.length + 2, `SubnetLen must be at least ${network.length + 2}, found ${subnetLength}`],
    [inside(subnetMin), `SubnetMin is not in the network: ${subnetMin}`],
    [inside(subnetMax), `SubnetMax is not in the network: ${subnetMax}`],
    [aligned(subnetMin), `SubnetMin is not on a SubnetLen boundary: ${subnetMin}`],
    [aligned(subnetMax), `SubnetMax is not on a SubnetLen boundary: ${subnetMax}`],
  ]
  return rules.flatMap(([holds, sentence]) => (holds ? [] : [sentence]))
}

/** Every subnet of the range, lowest first. */
export function* subnetsIn(network: Prefix, range: SubnetRange): Generator<Prefix> {
  const step = prefixSize({ address: network.address, length: range.subnetLength })
  const last = ipToBigInt(range.subnetMax)
  for (let n = ipToBigInt(range.subnetMin); n <= last; n += step)
    yield { address: ipAt(n, prefixFamily(network)), length: range.subnetLength }
}
