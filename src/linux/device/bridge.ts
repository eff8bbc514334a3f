import type { BridgePortSettings, DeviceName, Link } from '../../artefact/link.ts'
import { defaultPortSettings } from '../../artefact/link.ts'
import { isGroupMac, type Mac, zeroMac } from '../../net/mac.ts'
import { packetLength } from '../../packet/length.ts'
import { packetFamily } from '../../packet/packet.ts'
import { fragment } from '../fragment.ts'
import { dropTooBig } from '../hooks.ts'
import type { Bridge } from '../netns.ts'
import { drop, type Work } from '../work.ts'
import { bridgePostRouting, bridgePreRouting } from './bridge-netfilter.ts'
import { type Ethernet, frameOf } from './ethernet.ts'

const settingsOf = (port: Link): BridgePortSettings => port.port ?? defaultPortSettings
const packetOf = (e: Ethernet) => (e.payload.kind === 'ip' ? e.payload.skb.packet : undefined)

/** br_handle_frame (net/bridge/br_input.c): a frame came in by a port. */
export function bridgeReceive(work: Work, bridge: Bridge, port: Link, ethernet: Ethernet): void {
  const { link } = bridge
  if (isGroupMac(ethernet.src) || ethernet.src === zeroMac) return
  // 01:80:c2:00:00:0X is link-local control (IEEE 802.1D): never forwarded, and nobody here speaks it.
  if (ethernet.dst.startsWith('01:80:c2:00:00:0')) return
  if (!link.up) {
    drop(work, 'link-down', packetOf(ethernet), `bridge ${link.name} is down: its ports do not forward`, port.name)
    return
  }
  const passed = bridgePreRouting(work, bridge, port, ethernet)
  if (passed) bridgeFinish(work, bridge, port, passed.ethernet, passed.netfilter)
}

/** br_handle_frame_finish: learn, then to one port, to all of them, or up. `netfilter`: br_netfilter has the packet. */
export function bridgeFinish(work: Work, bridge: Bridge, port: Link, ethernet: Ethernet, netfilter: boolean): void {
  if (settingsOf(port).learning) learnMac(work, bridge, port, ethernet.src)
  const { dst } = ethernet
  if (bridge.localMacs.has(dst)) {
    passUp(work, bridge, port, ethernet, netfilter)
    return
  }
  const known = isGroupMac(dst) ? undefined : fdbLookup(work, bridge, dst)
  const up = isGroupMac(dst) || bridge.link.promiscuous === true
  const to = known ? [known] : bridge.ports
  const allowed = to.filter((p) => mayDeliver(port, p, known !== undefined))
  tellForward(work, bridge, port, allowed, known !== undefined, ethernet)
  if (!netfilter && allowed.length > 0) tellUnseen(work, ethernet)
  if (known && allowed.length === 0 && !up) refuse(work, port, known, ethernet)
  for (const target of allowed) forwardTo(work, bridge, port, target, ethernet, netfilter)
  if (up) passUp(work, bridge, port, ethernet, netfilter)
}

/** br_dev_xmit: the bridge's own IP stack sends. */
export function bridgeTransmit(work: Work, device: DeviceName, ethernet: Ethernet): void {
  const bridge = work.ns.bridges.get(device)
  if (!bridge) return
  const known = isGroupMac(ethernet.dst) ? undefined : fdbLookup(work, bridge, ethernet.dst)
  if (!known && bridge.localMacs.has(ethernet.dst)) {
    drop(work, 'fdb-missing', packetOf(ethernet), `${ethernet.dst} is an address of ${device} itself`, device)
    return
  }
  const to = (known ? [known] : bridge.ports).filter((p) => p.up && (known || settingsOf(p).flooding))
  tellForward(work, bridge, undefined, to, known !== undefined, ethernet)
  for (const port of to) pushToPort(work, port, ethernet)
}

function tellForward(
  work: Work,
  bridge: Bridge,
  from: Link | undefined,
  to: readonly Link[],
  known: boolean,
  ethernet: Ethernet,
): void {
  work.emit({
    kind: 'bridge-forward',
    bridge: bridge.link.name,
    from: from?.name,
    to: to.map((p) => p.name),
    by: known ? 'fdb' : 'flood',
    frame: frameOf(ethernet),
  })
}

/** Why no hook saw an IP packet that went from port to port. */
function tellUnseen(work: Work, ethernet: Ethernet): void {
  const packet = packetOf(ethernet)
  if (!packet) return
  const name = packetFamily(packet) === 'ipv4' ? 'iptables' : 'ip6tables'
  const effect = `bridged past ${name}, conntrack and NAT`
  work.emit({ kind: 'sysctl', key: `net.bridge.bridge-nf-call-${name}`, value: '0', effect })
}

/** br_fdb_update: entries of agents move too when the address shows up elsewhere; the bridge's own never do. */
function learnMac(work: Work, bridge: Bridge, port: Link, mac: Mac): void {
  if (bridge.localMacs.has(mac) || fdbLookup(work, bridge, mac)?.name === port.name) return
  const name = bridge.link.name
  const learned = work.ns.learned.bridge.get(name) ?? new Map<Mac, DeviceName>()
  learned.set(mac, port.name)
  work.ns.learned.bridge.set(name, learned)
  work.emit({ kind: 'bridge-learn', bridge: name, port: port.name, mac })
}

function fdbLookup(work: Work, bridge: Bridge, mac: Mac): Link | undefined {
  const port = work.ns.learned.bridge.get(bridge.link.name)?.get(mac) ?? bridge.fdb.get(mac)
  return bridge.ports.find((p) => p.name === port)
}

/** should_deliver (net/bridge/br_forward.c), and the flood flag of the port. */
function mayDeliver(from: Link, to: Link, known: boolean): boolean {
  if (!to.up || (from.name === to.name && !settingsOf(to).hairpin)) return false
  if (settingsOf(from).isolated && settingsOf(to).isolated) return false
  return known || settingsOf(to).flooding
}

function refuse(work: Work, from: Link, to: Link, ethernet: Ethernet): void {
  const packet = packetOf(ethernet)
  if (!to.up) {
    drop(work, 'link-down', packet, `port ${to.name} is down`, to.name)
    return
  }
  if (from.name === to.name) {
    const detail = `${ethernet.dst} is behind ${to.name}, where the frame came from, and hairpin is off there`
    drop(work, 'bridge-hairpin-off', packet, detail, to.name)
    return
  }
  drop(work, 'bridge-port-isolated', packet, `${from.name} and ${to.name} are isolated ports`, to.name)
}

function forwardTo(work: Work, bridge: Bridge, from: Link, to: Link, ethernet: Ethernet, netfilter: boolean): void {
  if (!netfilter) {
    pushToPort(work, to, ethernet)
    return
  }
  const passed = bridgePostRouting(work, bridge, from, to, ethernet)
  if (passed?.payload.kind !== 'ip') return
  const { skb } = passed.payload
  if (packetLength(skb.packet) <= to.mtu || skb.fragMaxSize === undefined) {
    pushToPort(work, to, passed)
    return
  }
  // br_nf_dev_queue_xmit: what PREROUTING put together is cut again, here without an ICMP error.
  const mtu = Math.min(skb.fragMaxSize, to.mtu)
  for (const packet of fragment(skb.packet, mtu, work.ns.options.chance)) {
    pushToPort(work, to, { ...passed, payload: { kind: 'ip', skb: { ...skb, packet } } })
  }
}

/** br_dev_queue_push_xmit: a frame that the port cannot carry disappears (is_skb_forwardable leaves room for a tag). */
function pushToPort(work: Work, port: Link, ethernet: Ethernet): void {
  const { payload } = ethernet
  const length = payload.kind === 'ip' ? packetLength(payload.skb.packet) : 0
  if (payload.kind === 'ip' && length > port.mtu + 4) {
    dropTooBig(work, payload.skb, port.name, port.mtu, length)
    return
  }
  work.next.push({ kind: 'transmit', device: port.name, ethernet })
}

/** br_pass_frame_up. */
function passUp(work: Work, bridge: Bridge, port: Link, ethernet: Ethernet, netfilter: boolean): void {
  const { name } = bridge.link
  work.emit({ kind: 'bridge-local', bridge: name, port: port.name, frame: frameOf(ethernet) })
  work.next.push({ kind: 'receive', device: name, ethernet, prerouted: netfilter })
}
