import type { Ip } from '../../net/ip.ts'
import { formatPrefix, type Prefix, prefixCovers } from '../../net/prefix.ts'
import { type SubnetRange, subnetsIn } from './subnet-range.ts'

/** One family's leases as the etcd manager keeps them: subnet by subnet, each with its holder's public IP. */
export class Registry {
  readonly #network: Prefix
  readonly #range: SubnetRange
  readonly #leases = new Map<string, { readonly subnet: Prefix; readonly publicIp: Ip }>()

  constructor(network: Prefix, range: SubnetRange) {
    this.#network = network
    this.#range = range
  }

  /**
   * pkg/subnet/etcd: the lease with our public IP (two hosts with one address share it); else the subnet held before,
   * where it fits and is free; else one of the first 100 free. Real flanneld draws among those, here it is the first.
   */
  acquire(publicIp: Ip, previous?: Prefix): Prefix | undefined {
    const ours = [...this.#leases.values()].find((lease) => lease.publicIp === publicIp)
    const subnet = ours?.subnet ?? (previous && this.#fits(previous) ? previous : this.#firstFree())
    if (subnet) this.#leases.set(formatPrefix(subnet), { subnet, publicIp })
    return subnet
  }

  release(subnet: Prefix): void {
    this.#leases.delete(formatPrefix(subnet))
  }

  #fits(subnet: Prefix): boolean {
    const fits = prefixCovers(this.#network, subnet) && subnet.length === this.#range.subnetLength
    return fits && !this.#leases.has(formatPrefix(subnet))
  }

  #firstFree(): Prefix | undefined {
    for (const subnet of subnetsIn(this.#network, this.#range))
      if (!this.#leases.has(formatPrefix(subnet))) return subnet
    return undefined
  }
}
