import type { DeviceName } from '../../artefact/link.ts'
import { packetLength } from '../../packet/length.ts'
import type { Frame } from '../../packet/packet.ts'
import { arpReceive } from '../arp.ts'
import { dropTooBig } from '../hooks.ts'
import { ipReceive } from '../path/receive.ts'
import { type Skb, skbOf } from '../skb.ts'
import { drop, linkOf, type Work } from '../work.ts'
import { bridgeReceive } from './bridge.ts'
import { addressedTo, type Ethernet, frameOf } from './ethernet.ts'

/** A frame from the wire: nothing but its bytes crosses. */
export function receiveFrame(work: Work, device: DeviceName, frame: Frame): void {
  const { src, dst, payload } = frame
  if (payload.kind === 'arp') {
    receive(work, device, { src, dst, payload }, false)
    return
  }
  const skb = skbOf(payload.packet)
  const link = linkOf(work, device)
  const length = packetLength(payload.packet)
  // __dev_forward_skb: what is longer than the receiver's MTU (and a VLAN tag) never arrives.
  if (link?.up && length > link.mtu + 4) {
    dropTooBig(work, skb, device, link.mtu, length)
    return
  }
  receive(work, device, { src, dst, payload: { kind: 'ip', skb } }, false)
}

/** __netif_receive_skb_core: packet sockets, then the bridge that owns the port, then the protocol. */
export function receive(work: Work, device: DeviceName, ethernet: Ethernet, prerouted: boolean): void {
  const link = linkOf(work, device)
  const packet = ethernet.payload.kind === 'ip' ? ethernet.payload.skb.packet : undefined
  if (!link?.up) {
    drop(work, 'link-down', packet, `${device} is down`, device)
    return
  }
  const addressed = addressedTo(ethernet.dst, link.mac)
  work.emit({ kind: 'receive', device, frame: frameOf(ethernet), addressed })
  const bridge = link.master === undefined ? undefined : work.ns.bridges.get(link.master)
  const { payload } = ethernet
  if (payload.kind === 'arp') {
    if (bridge) {
      bridgeReceive(work, bridge, link, ethernet)
      return
    }
    arpReceive(work, link, payload.arp, addressed)
    return
  }
  const skb: Skb = { ...payload.skb, packetType: addressed, sourceMac: ethernet.src }
  if (bridge) {
    bridgeReceive(work, bridge, link, { ...ethernet, payload: { kind: 'ip', skb } })
    return
  }
  ipReceive(work, skb, device, prerouted)
}

/** A packet on a device without Ethernet header. */
export function receiveIp(work: Work, device: DeviceName, skb: Skb): void {
  const link = linkOf(work, device)
  if (!link?.up) {
    drop(work, 'link-down', skb.packet, `${device} is down`, device)
    return
  }
  work.emit({ kind: 'receive', device, packet: skb.packet, addressed: 'host' })
  ipReceive(work, { ...skb, packetType: 'host' }, device, false)
}
