import type { DeviceName } from '../../artefact/link.ts'
import type { Ip } from '../../net/ip.ts'
import type { Skb } from '../skb.ts'
import { drop, linkOf, type Work } from '../work.ts'
import { bridgeTransmit } from './bridge.ts'
import { type Ethernet, frameOf } from './ethernet.ts'
import { ipipTransmit } from './ipip.ts'
import { loopbackTransmit } from './loopback.ts'
import { vxlanTransmit } from './vxlan.ts'

/** dev_hard_start_xmit: a packet socket sees the frame, then the device takes it. */
export function transmit(work: Work, device: DeviceName, ethernet: Ethernet): void {
  const link = linkOf(work, device)
  const packet = ethernet.payload.kind === 'ip' ? ethernet.payload.skb.packet : undefined
  if (!link?.up) {
    drop(work, 'link-down', packet, `${device} is down`, device)
    return
  }
  const frame = frameOf(ethernet)
  work.emit({ kind: 'transmit', device, frame })
  switch (link.kind.kind) {
    case 'veth':
    case 'physical':
      work.outputs.push({ kind: 'transmit', device, frame })
      return
    case 'bridge':
      bridgeTransmit(work, link.name, ethernet)
      return
    case 'vxlan':
      vxlanTransmit(work, link.name, link.kind, ethernet)
      return
    case 'loopback':
      loopbackTransmit(work, link.name, ethernet)
      return
    case 'dummy':
      // Swallows what it is given: nothing is at its other end.
      return
    case 'ipip':
    case 'tun':
      return
  }
}

/** The same for devices that take bare IP packets. */
export function transmitIp(work: Work, device: DeviceName, skb: Skb, nexthop: Ip): void {
  const link = linkOf(work, device)
  if (!link?.up) {
    drop(work, 'link-down', skb.packet, `${device} is down`, device)
    return
  }
  work.emit({ kind: 'transmit', device, packet: skb.packet })
  if (link.kind.kind === 'ipip') ipipTransmit(work, link, link.kind, skb, nexthop)
  else work.outputs.push({ kind: 'tun', device, packet: skb.packet })
}
