import { expect } from 'vitest'
import type { Cluster } from '../../src/cluster/cluster.ts'
import type { Visit } from '../../src/cluster/loop.ts'
import type { NetnsId } from '../../src/cluster/machine.ts'
import type { ClusterEvent } from '../../src/cluster/process.ts'
import { frameLength } from '../../src/packet/length.ts'
import type { Frame, IpPacket } from '../../src/packet/packet.ts'
import { pathTo } from '../../src/trace/path.ts'
import { inPod, type LabConfig, labCluster, onNode, sendUdp } from './flannel-lab.ts'

type Row = Readonly<Record<string, string | number | boolean | undefined>>

type NodeConfig = NonNullable<LabConfig['nodes']>[number]

interface HopsCase {
  readonly config: Omit<LabConfig, 'nodes'> & { readonly nodes: readonly (NodeConfig & { readonly mac: string })[] }
  readonly expect: readonly Row[]
}

/** Every hook, tunnel and frame that a packet from pod a to pod b passes, in order. */
export function hops({ config, expect: rows }: HopsCase): void {
  const cluster = labCluster(config)
  const target = config.pods?.find((p) => p.name === 'b')?.ip ?? ''
  const { visits, delivered } = sendUdp(cluster, inPod('a'), target)
  expect(delivered).toBe(true)
  const last = visits.find((v) => v.netns === inPod('b') && v.events.some((e) => e.kind === 'socket-receive'))
  const actual = last ? pathTo(last, visits).flatMap((v) => rowsOf(v, cluster)) : []
  const macs = macsOf(cluster, config)
  // A golden file follows a frame on the wire only where it says so.
  const told = actual.filter((r) => r.hook !== 'frame' || rows.some((x) => x.hook === 'frame'))
  expect(told.map((r) => `${r.at} ${r.hook}`)).toEqual(rows.map((r) => `${r.at} ${r.hook}`))
  rows.forEach((row, i) => {
    const { action: _, process: __, ...wanted } = row
    expect(told[i], JSON.stringify(row)).toEqual(expect.objectContaining(withMacs(wanted, macs)))
  })
}

/** Cards have other addresses than in the laboratory; the golden names stand for them. */
function macsOf(cluster: Cluster, config: HopsCase['config']): ReadonlyMap<string, string> {
  const { machines } = cluster.network()
  const mac = (node: string, device: string) =>
    machines
      .get(onNode(node))
      ?.state()
      .links.find((l) => l.name === device)?.mac ?? 'none'
  return new Map(
    config.nodes.flatMap((n) => [
      [n.mac, mac(n.name, 'eth0')] as const,
      [`cni0 of ${n.name}`, mac(n.name, 'cni0')] as const,
    ]),
  )
}

const withMacs = (row: Row, macs: ReadonlyMap<string, string>): Row =>
  Object.fromEntries(Object.entries(row).map(([k, v]) => [k, typeof v === 'string' ? (macs.get(v) ?? v) : v] as const))

function rowsOf({ netns, events }: Visit, cluster: Cluster): readonly Row[] {
  const machine = cluster.network().machines.get(netns)
  switch (machine?.kind) {
    case 'pod':
      return podRows(netns, events)
    case 'node':
      return events.flatMap((event, i): readonly Row[] => {
        const row = nodeRow(machine.name, event, events.slice(0, i))
        return row ? [row] : []
      })
    case 'switch':
      return events.flatMap((e) =>
        e.kind === 'receive' && e.frame?.payload.kind === 'ip' ? [frameRow(e.frame, e.frame.payload.packet)] : [],
      )
    default:
      return []
  }
}

const header = ({ src, dst, ttl, tos, df, payload }: IpPacket): Row => ({
  src,
  dst,
  ttl,
  tos,
  df,
  proto: payload.kind,
  ...(payload.kind === 'udp' ? { sport: payload.srcPort, dport: payload.dstPort } : {}),
})

function podRows(netns: NetnsId, events: readonly ClusterEvent[]): readonly Row[] {
  const at = `pod ${netns.split('/').pop()}`
  const sent = events.findLast((e) => e.kind === 'transmit' && e.frame?.payload.kind === 'ip')
  if (sent?.kind === 'transmit' && sent.frame?.payload.kind === 'ip')
    return [{ at, hook: 'send', out: sent.device, ethDst: sent.frame.dst, ...header(sent.frame.payload.packet) }]
  const got = events.find((e) => e.kind === 'socket-receive')
  const by = events.find((e) => e.kind === 'receive')
  return got?.kind === 'socket-receive'
    ? [{ at, hook: 'receive', in: by?.kind === 'receive' ? by.device : '', ...header(got.packet) }]
    : []
}

function nodeRow(at: string, event: ClusterEvent, before: readonly ClusterEvent[]): Row | undefined {
  switch (event.kind) {
    case 'stage': {
      // The first stage of a hook stands for the hook.
      const last = before.findLast((e) => e.kind === 'stage' || e.kind === 'verdict' || e.kind === 'route')
      if (last?.kind === 'stage' && last.hook === event.hook) return undefined
      return { at, hook: event.hook, in: event.in, out: event.out, ...header(event.packet) }
    }
    case 'encapsulate': {
      const { payload } = event.outer
      const inner = payload.kind === 'udp' ? payload.vxlan?.inner : undefined
      return {
        at,
        hook: 'encapsulate',
        dev: event.device,
        innerEthSrc: inner?.src,
        innerEthDst: inner?.dst,
        vni: event.vni,
        overhead: event.overhead,
      }
    }
    case 'decapsulate':
      return { at, hook: 'decapsulate', dev: event.device }
    case 'passage':
      return event.to === 'kernel'
        ? { at, hook: 'userspace', [event.by === 'tun' ? 'write' : 'read']: event.device, ttl: event.packet.ttl }
        : undefined
    default:
      return undefined
  }
}

function frameRow(frame: Frame, packet: IpPacket): Row {
  const { payload } = packet
  const inner = payload.kind === 'udp' && payload.vxlan ? payload.vxlan.inner : frame
  const more = frameLength(frame) - (frameLength(inner) - 14)
  return {
    at: 'wire',
    hook: 'frame',
    ethSrc: frame.src,
    ethDst: frame.dst,
    frameBytes: `inner IP length + ${more}`,
    ...header(packet),
  }
}
