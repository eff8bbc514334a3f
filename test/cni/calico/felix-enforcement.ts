import { applyEdits } from '../../../src/artefact/iptables/apply.ts'
import { emptyRuleset } from '../../../src/artefact/iptables/rule.ts'
import { type DeviceName, deviceName } from '../../../src/artefact/link.ts'
import { nodeRules } from '../../../src/cni/calico/felix/node-rules.ts'
import { caliName } from '../../../src/cni/calico/names.ts'
import { type CalicoPlan, planCalico } from '../../../src/cni/calico/plan.ts'
import type { KubeObject } from '../../../src/kube/objects/meta.ts'
import type { Pod } from '../../../src/kube/objects/pod.ts'
import { clusterSettings } from '../../../src/kube/settings.ts'
import { ObjectStore } from '../../../src/kube/store.ts'
import { createSets } from '../../../src/linux/ipset.ts'
import type { Hook } from '../../../src/linux/netfilter/hook.ts'
import { createNetfilter, type Netfilter, runHook } from '../../../src/linux/netfilter/netfilter.ts'
import { type Skb, skbOf } from '../../../src/linux/skb.ts'
import { type Family, families, familyOf, type Ip, ip } from '../../../src/net/ip.ts'
import { type IpPacket, tcpFlag } from '../../../src/packet/packet.ts'
import type { Connection } from '../../../src/policy/connection.ts'
import type { End } from '../../../src/policy/end.ts'

const uplink = deviceName('eth0')

/** Objects with a node for every pod, so that every pod has its rules somewhere. */
export function placed(objects: readonly KubeObject[]): readonly KubeObject[] {
  const placedPods = objects.map((o) =>
    o.kind === 'Pod' && !(o as Pod).spec?.nodeName
      ? { ...o, spec: { ...(o as Pod).spec, nodeName: 'node-of-all' } }
      : o,
  )
  const known = new Set(placedPods.filter((o) => o.kind === 'Node').map((o) => o.metadata.name))
  const named = new Set(placedPods.flatMap((o) => (o.kind === 'Pod' ? [(o as Pod).spec.nodeName ?? ''] : [])))
  const missing = [...named].filter((name) => !known.has(name))
  return [...placedPods, ...missing.map((name): KubeObject => ({ apiVersion: 'v1', kind: 'Node', metadata: { name } }))]
}

/** Felix's rules of every node in emulated kernels: the verdict of all hooks that a connection's first packet meets. */
export class FelixEnforcement {
  readonly plan: CalicoPlan
  readonly #nodes = new Map<string, Netfilter>()
  #port = 20000

  constructor(objects: readonly KubeObject[]) {
    const store = new ObjectStore()
    for (const object of objects) store.create(object)
    const uplinks = new Map(
      store.list('Node').map(({ metadata, status }) => [
        metadata.name,
        {
          device: uplink,
          mtu: 1500,
          addresses: (status?.addresses ?? []).map((a) => ({
            ip: ip(a.address),
            length: a.address.includes(':') ? 64 : 24,
          })),
        },
      ]),
    )
    this.plan = planCalico(store, clusterSettings(store).settings, uplinks)
  }

  #netfilter(node: string): Netfilter {
    const known = this.#nodes.get(node)
    if (known) return known
    const self = this.plan.nodes.get(node)
    if (!self) throw new Error(`no node ${node}`)
    const rules = families.map((family) => [family, nodeRules(this.plan, self, family)] as const)
    const rulesets = Object.fromEntries(
      rules.map(([family, { edits }]) => [family, applyEdits(emptyRuleset(family), edits)]),
    ) as Record<Family, ReturnType<typeof emptyRuleset>>
    const made = createNetfilter(rulesets, [], { now: () => 0 })
    made.sets = createSets(rules.flatMap(([, { ipsets }]) => ipsets))
    this.#nodes.set(node, made)
    return made
  }

  /** Whether the first packet passes; undefined where an end has no address. */
  allows({ from, to, protocol, port = 0 }: Connection): boolean | undefined {
    const [src, dst] = [addressOf(from), addressOf(to)]
    if (!src || !dst || familyOf(src) !== familyOf(dst)) return undefined
    if (isSamePod(from, to)) return true
    const packet = packetOf(src, dst, protocol, port, this.#port++)
    const [near, far] = [nodeOf(from), nodeOf(to)]
    const [fromPod, toPod] = [interfaceOf(from), interfaceOf(to)]
    if (fromPod && near) {
      const out = far === near ? toPod : uplink
      const passed =
        to.kind === 'node' && far === near
          ? this.#input(near, packet, fromPod)
          : this.#forward(near, packet, fromPod, out)
      if (!passed) return false
      if (far === near) return true
    } else if (from.kind === 'node' && near === far && near && toPod) {
      return this.#run(near, 'output', { ...skbOf(packet), outDevice: toPod })
    }
    if (!far || !toPod) return true
    return this.#forward(far, packet, uplink, toPod)
  }

  #forward(node: string, packet: IpPacket, from: DeviceName, to: DeviceName | undefined): boolean {
    const received = { ...skbOf(packet), inDevice: from }
    const result = this.#hook(node, 'prerouting', received)
    if (result.verdict !== 'accept') return false
    return this.#run(node, 'forward', { ...result.skb, outDevice: to ?? uplink })
  }

  #input(node: string, packet: IpPacket, from: DeviceName): boolean {
    const result = this.#hook(node, 'prerouting', { ...skbOf(packet), inDevice: from })
    return result.verdict === 'accept' && this.#run(node, 'input', result.skb)
  }

  #run(node: string, hook: Hook, skb: Skb): boolean {
    const { verdict } = this.#hook(node, hook, skb)
    if (verdict === 'undecided') throw new Error(`${node} ${hook}: undecided`)
    return verdict === 'accept'
  }

  #hook(node: string, hook: Hook, skb: Skb) {
    return runHook(this.#netfilter(node), hook, skb, {
      emit: () => {},
      chance: { probably: () => false, pick: () => 0, noise: () => 0 },
      clock: { now: () => 0 },
      everyRule: false,
      bridged: false,
      nexthop: skb.packet.dst,
      addressType: () => 'UNICAST',
      sourceAddress: () => undefined,
      reversePath: () => true,
      sysctl: () => undefined,
    })
  }
}

const addressOf = (end: End): Ip | undefined => end.ip

const isSamePod = (a: End, b: End): boolean =>
  a.kind === 'pod' && b.kind === 'pod' && a.pod.namespace === b.pod.namespace && a.pod.name === b.pod.name

function nodeOf(end: End): string | undefined {
  switch (end.kind) {
    case 'pod':
      return end.pod.node
    case 'node':
      return end.node.name
    case 'address':
      return undefined
  }
}

const interfaceOf = (end: End): DeviceName | undefined =>
  end.kind === 'pod' ? caliName(end.pod.namespace, end.pod.name) : undefined

function packetOf(src: Ip, dst: Ip, protocol: Connection['protocol'], dstPort: number, srcPort: number): IpPacket {
  const header = { src, dst, ttl: 64, tos: 0, id: 0, df: true }
  switch (protocol) {
    case 'tcp':
      return {
        ...header,
        payload: { kind: 'tcp', srcPort, dstPort, flags: tcpFlag.syn, seq: 0, ack: 0, options: 20, data: 0 },
      }
    case 'udp':
      return { ...header, payload: { kind: 'udp', srcPort, dstPort, data: 4 } }
    case 'sctp':
      return { ...header, payload: { kind: 'sctp', srcPort, dstPort, chunk: 'init', data: 0 } }
    case 'icmp':
    case 'icmpv6':
      return {
        ...header,
        payload: { kind: 'icmp', message: { kind: 'echo-request', id: srcPort, seq: 1, data: 8 } },
      }
  }
}
