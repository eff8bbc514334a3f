import type { Node } from '../kube/objects/node.ts'
import type { Pod } from '../kube/objects/pod.ts'
import type { ObjectReader } from '../kube/store.ts'
import { type Ip, ipAt, ipToBigInt } from '../net/ip.ts'
import { broadcastOf, lastAddress, type Prefix, prefixFamily } from '../net/prefix.ts'
import { podCidrsOf } from './pod-cidr.ts'
import { podIpsOf } from './pod-state.ts'

/** Gives a pod that is new on its node one address per family; undefined when a range of the node is full, or it has none. */
export type PodIpam = (pod: Pod, node: Node) => readonly Ip[] | undefined

/** Makes the allocator once the pods that already have addresses are known. */
export type MakePodIpam = (objects: ObjectReader) => PodIpam

/**
 * The host-local plugin's order: from the address after the gateway, which is the first of the range, upwards. Neither
 * the network address nor an IPv4 broadcast address is given out. Addresses that pods already have are passed over.
 */
export const hostLocalIpam: MakePodIpam = (objects) => {
  const taken = new Set<string>(objects.list('Pod').flatMap(podIpsOf))
  const cursors = new Map<string, bigint>()
  const isFree = (ip: Ip): boolean => !taken.has(ip)
  return (_pod, node) => {
    const found = podCidrsOf(node).map((range) => nextFree(range, cursors, isFree))
    const ips = found.filter((ip) => ip !== undefined)
    if (ips.length === 0 || ips.length < found.length) return undefined
    for (const ip of ips) taken.add(ip)
    return ips
  }
}

function nextFree(range: Prefix, cursors: Map<string, bigint>, isFree: (ip: Ip) => boolean): Ip | undefined {
  const family = prefixFamily(range)
  const end = ipToBigInt(lastAddress(range)) - (broadcastOf(range) === undefined ? 0n : 1n)
  const first = cursors.get(range.address) ?? ipToBigInt(range.address) + 2n
  for (let at = first; at <= end; at++) {
    const ip = ipAt(at, family)
    if (!isFree(ip)) continue
    cursors.set(range.address, at)
    return ip
  }
  cursors.set(range.address, end + 1n)
  return undefined
}
