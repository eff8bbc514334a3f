import type { DeviceName, Link, LinkKind } from '../../artefact/link.ts'
import type { FdbEntry } from '../../artefact/netns.ts'
import { readSysctl } from '../../artefact/sysctl.ts'
import { familyOf, type Ip } from '../../net/ip.ts'
import { type Mac, zeroMac } from '../../net/mac.ts'
import { frameLength, packetLength } from '../../packet/length.ts'
import { type Frame, type IpPacket, packetFamily, protocolNumber, type Udp } from '../../packet/packet.ts'
import { routeOutput } from '../routing.ts'
import { type Skb, skbOf } from '../skb.ts'
import { drop, type Work } from '../work.ts'
import { type Ethernet, frameOf, isMulticastIp } from './ethernet.ts'
import { isTooNested } from './nesting.ts'

type VxlanKind = Extract<LinkKind, { kind: 'vxlan' }>
const vxlanHeader = 8

/** vxlan_xmit (drivers/net/vxlan/vxlan_core.c): one outer packet for each remote that the FDB names. */
export function vxlanTransmit(work: Work, device: DeviceName, kind: VxlanKind, ethernet: Ethernet): void {
  const packet = ethernet.payload.kind === 'ip' ? ethernet.payload.skb.packet : undefined
  if (packet && isTooNested(packet)) {
    drop(work, 'loop-limit', packet, `${device}: tunnels inside tunnels`, device)
    return
  }
  const remotes = remotesFor(work, device, ethernet.dst)
  work.emit({ kind: 'vxlan-fdb', device, entry: remotes[0], mac: ethernet.dst })
  if (remotes.length === 0) {
    const detail = `${device} has no FDB entry for ${ethernet.dst} and no default destination`
    drop(work, 'fdb-missing', packet, detail, device)
    return
  }
  for (const { dst } of remotes) if (dst) encapsulate(work, device, kind, ethernet, dst)
}

function remotesFor(work: Work, device: DeviceName, mac: Mac): readonly FdbEntry[] {
  const table = work.ns.vxlanFdb.get(device)
  const learned = work.ns.learned.vxlan.get(device)?.get(mac)
  if (learned) return [{ mac, dev: device, dst: learned, flags: ['self'] }]
  return table?.get(mac) ?? table?.get(zeroMac) ?? []
}

/** vxlan_xmit_one: UDP from this host; TTL 64, DF clear whatever the inner packet says, the mark kept. */
function encapsulate(work: Work, device: DeviceName, kind: VxlanKind, ethernet: Ethernet, remote: Ip): void {
  const skb = ethernet.payload.kind === 'ip' ? ethernet.payload.skb : undefined
  const mark = skb?.mark ?? 0
  const route = routeOutput(work, { src: kind.local, dst: remote, mark }, 'tunnel')
  if (route.kind === 'error') {
    drop(work, 'no-route', skb?.packet, `no route to the VTEP ${remote}`, device)
    return
  }
  if (route.dst.device === device) {
    drop(work, 'loop-limit', skb?.packet, `the way to the VTEP ${remote} is ${device} itself`, device)
    return
  }
  const inner = frameOf(ethernet)
  const outer: IpPacket = {
    src: kind.local,
    dst: remote,
    ttl: isMulticastIp(remote) ? 1 : 64,
    tos: 0,
    id: 0,
    df: familyOf(remote) === 'ipv6',
    payload: {
      kind: 'udp',
      srcPort: sourcePort(work, inner),
      dstPort: kind.dstPort,
      data: vxlanHeader + frameLength(inner),
      vxlan: { vni: kind.vni, inner },
    },
  }
  if (skb) {
    const overhead = packetLength(outer) - packetLength(skb.packet)
    work.emit({ kind: 'encapsulate', device, form: 'vxlan', inner: skb.packet, outer, overhead, vni: kind.vni })
  }
  work.next.push({ kind: 'local-out', skb: { ...skbOf(outer), mark }, dst: route.dst, from: device })
}

/** udp_flow_src_port: the inner flow's hash, the same both ways, scaled into ip_local_port_range. */
function sourcePort(work: Work, frame: Frame): number {
  const range = readSysctl(work.ns.state.sysctls, 'net.ipv4.ip_local_port_range') ?? ''
  const [min = 32768, max = 60999] = range.split(/\s+/).map(Number)
  return min + Math.floor((flowHash(frame) / 2 ** 32) * (max - min))
}

function flowHash(frame: Frame): number {
  if (frame.payload.kind === 'arp') return hash([frame.src, frame.dst].sort().join(' '))
  const { packet } = frame.payload
  const { payload } = packet
  const ported = payload.kind === 'tcp' || payload.kind === 'udp' || payload.kind === 'sctp'
  const ports = ported ? [payload.srcPort, payload.dstPort] : [0, 0]
  const ends = [`${packet.src} ${ports[0]}`, `${packet.dst} ${ports[1]}`].sort()
  return hash(`${protocolNumber(packet)} ${ends.join(' ')}`)
}

/** FNV-1a with a final mix: any fixed hash will do, the kernel's own has a random key. */
function hash(text: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  return (h ^ (h >>> 13)) >>> 0
}

/** vxlan_rcv. False when no VXLAN device listens on the port, so that a socket may have it. */
export function vxlanReceive(work: Work, skb: Skb, udp: Udp): boolean {
  const onPort = [...work.ns.links.values()].filter((l) => listens(l, udp.dstPort, skb.packet))
  if (onPort.length === 0) return false
  const { vxlan } = udp
  const link = vxlan && onPort.find((l) => l.kind.kind === 'vxlan' && l.kind.vni === vxlan.vni)
  if (!vxlan || !link || link.kind.kind !== 'vxlan') {
    const detail = vxlan ? `no VXLAN device here has the VNI ${vxlan.vni}` : 'no VXLAN header'
    drop(work, 'vni-mismatch', skb.packet, detail)
    return true
  }
  // Its own frame came back (vxlan_set_mac).
  if (vxlan.inner.src === link.mac) return true
  if (link.kind.learning) learnVtep(work, link.name, vxlan.inner.src, skb.packet.src)
  decapsulate(work, link.name, skb, vxlan.inner, vxlan.vni)
  return true
}

function listens(link: Link, port: number, packet: IpPacket): boolean {
  const { kind } = link
  return link.up && kind.kind === 'vxlan' && kind.dstPort === port && familyOf(kind.local) === packetFamily(packet)
}

/** vxlan_snoop. */
function learnVtep(work: Work, device: DeviceName, mac: Mac, from: Ip): void {
  if (
    work.ns.vxlanFdb
      .get(device)
      ?.get(mac)
      ?.some((e) => e.dst === from)
  )
    return
  const table = work.ns.learned.vxlan.get(device) ?? new Map<Mac, Ip>()
  table.set(mac, from)
  work.ns.learned.vxlan.set(device, table)
}

/** The inner frame arrives at the device. The mark stays (skb_scrub_packet clears it between namespaces only). */
function decapsulate(work: Work, device: DeviceName, outer: Skb, inner: Frame, vni: number): void {
  const { src, dst, payload } = inner
  if (payload.kind === 'arp') return void work.next.push({ kind: 'receive', device, ethernet: { src, dst, payload } })
  const { packet } = payload
  work.emit({ kind: 'decapsulate', device, form: 'vxlan', inner: packet, outer: outer.packet, vni })
  const skb = { ...skbOf(packet), mark: outer.mark }
  work.next.push({ kind: 'receive', device, ethernet: { src, dst, payload: { kind: 'ip', skb } } })
}
