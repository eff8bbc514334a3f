import type { IpPacket } from '../../packet/packet.ts'

/** XMIT_RECURSION_LIMIT (include/linux/netdevice.h): a tunnel whose outer packets are routed into a tunnel must end. */
const limit = 8

export const isTooNested = (packet: IpPacket): boolean => nesting(packet) >= limit

function nesting(packet: IpPacket): number {
  const { payload } = packet
  if (payload.kind === 'fragment') return nesting(payload.whole)
  if (payload.kind === 'ipip') return 1 + nesting(payload.inner)
  if (payload.kind !== 'udp' || payload.vxlan?.inner.payload.kind !== 'ip') return 0
  return 1 + nesting(payload.vxlan.inner.payload.packet)
}
