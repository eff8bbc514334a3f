import { describe, expect, test } from 'vitest'
import { deviceName } from '../../src/artefact/link.ts'
import { flanneld } from '../../src/cluster/flanneld.ts'
import type { UserTunnel } from '../../src/cni/result.ts'
import { ip } from '../../src/net/ip.ts'
import { prefix } from '../../src/net/prefix.ts'
import type { IpPacket, IpPayload } from '../../src/packet/packet.ts'
import { isEndProblem } from '../../src/trace/end.ts'
import { trace } from '../../src/trace/run.ts'
import type { Trace } from '../../src/trace/trace.ts'
import { formatTrace } from '../../src/view/text.ts'
import { clusterOf } from './flannel-cluster.ts'

const tunnel: UserTunnel = {
  device: deviceName('flannel0'),
  local: ip('192.168.0.100'),
  port: 8285,
  owner: 'flanneld',
  peers: [{ subnet: prefix('10.244.1.0/24'), address: ip('192.168.0.101'), port: 8285 }],
}
const process = flanneld(tunnel, () => ip('10.244.0.0'))
const udp: IpPayload = { kind: 'udp', srcPort: 4000, dstPort: 53, data: 5 }
const packet = (dst: string, more: Partial<IpPacket> = {}): IpPacket => ({
  src: ip('10.244.0.2'),
  dst: ip(dst),
  ttl: 63,
  tos: 0,
  id: 0,
  df: true,
  payload: udp,
  ...more,
})
const read = (p: IpPacket) => process.packetRead(tunnel.device, p)
const ping: IpPayload = { kind: 'icmp', message: { kind: 'echo-request', id: 1, seq: 1, data: 56 } }

describe('the packet loop of the udp backend', () => {
  test('sends a packet to the peer whose subnet holds it, one hop older, from its own port', () => {
    const [input] = read(packet('10.244.1.2')).inputs
    expect(input).toMatchObject({
      kind: 'send',
      request: {
        src: '192.168.0.100',
        dst: '192.168.0.101',
        df: true,
        ttl: 64,
        payload: { srcPort: 8285, dstPort: 8285, tunnelled: { dst: '10.244.1.2', ttl: 62 } },
      },
    })
  })

  test('writes what its socket receives into the device, one hop older', () => {
    const payload: IpPayload = { kind: 'udp', srcPort: 8285, dstPort: 8285, data: 0, tunnelled: packet('10.244.0.2') }
    const { inputs } = process.datagramReceived(packet('192.168.0.100', { payload }))
    expect(inputs).toMatchObject([{ kind: 'receive-tun', device: 'flannel0', packet: { dst: '10.244.0.2', ttl: 62 } }])
  })

  test('discards without a word what has no TTL left', () => {
    const { inputs, events } = read(packet('10.244.1.2', { ttl: 1 }))
    expect(inputs).toEqual([])
    expect(events.map((e) => e.kind)).toEqual(['passage', 'drop'])
  })

  test.each([
    { name: 'answers network unreachable for a subnet without a peer', p: packet('10.244.7.7'), told: true },
    { name: 'stays silent about ICMP', p: packet('10.244.7.7', { payload: ping }), told: false },
    {
      name: 'stays silent about a later fragment',
      p: packet('10.244.7.7', {
        payload: { kind: 'fragment', whole: packet('10.244.7.7'), offset: 8, length: 5, more: false },
      }),
      told: false,
    },
    {
      name: 'answers about a first fragment',
      p: packet('10.244.7.7', {
        payload: { kind: 'fragment', whole: packet('10.244.7.7'), offset: 0, length: 8, more: true },
      }),
      told: true,
    },
  ])('$name', ({ p, told }) => {
    const { inputs, events } = read(p)
    expect(events.some((e) => e.kind === 'drop' && e.reason === 'tunnel-peer-unknown')).toBe(true)
    const error = { src: '10.244.0.0', dst: p.src, ttl: 8, payload: { message: { type: 3, code: 0 } } }
    expect(inputs).toMatchObject(told ? [{ kind: 'receive-tun', packet: error }] : [])
  })
})

describe('a trace through the udp backend', () => {
  const { cluster } = clusterOf({ backend: '{ "Type": "udp" }', nodes: 2 })
  const traced = (to: string, more: object = {}): Trace => {
    const result = trace(cluster, { from: 'pod/a', to, namespace: 'default', seed: 1, ...more })
    if (isEndProblem(result)) throw new Error(result.problem)
    return result
  }
  const passages = ({ branches: [branch] }: Trace, leg: number): readonly string[] =>
    (branch?.legs[leg]?.hops ?? []).flatMap((h) =>
      h.steps.flatMap(({ event: e }) =>
        e.kind === 'passage' ? [`${h.node} ${e.by} to ${e.to}, ttl ${e.packet.ttl}`] : [],
      ),
    )
  const result = traced('pod/b')

  test('shows each passage between kernel and user space, there and back', () => {
    expect(result.verdict.result).toBe('delivered')
    expect(passages(result, 0)).toEqual([
      'node1 tun to process, ttl 63',
      'node1 socket to kernel, ttl 62',
      'node2 socket to process, ttl 62',
      'node2 tun to kernel, ttl 61',
    ])
    expect(passages(result, 1)).toHaveLength(4)
  })

  test('64 arrives as 60', () => {
    const forward = result.branches[0]?.legs[0]?.hops ?? []
    expect(forward[forward.length - 1]?.packetIn?.ttl).toBe(60)
  })

  test('says in words how often the packet is copied before the wire', () => {
    expect(formatTrace(result)).toContain('3 passages between kernel and user space')
  })

  test('the answer about a subnet that no node has dies as a martian: its source is an address of the node', () => {
    const { verdict } = traced('10.244.9.9:80')
    expect(verdict).toMatchObject({ result: 'dropped', reason: 'tunnel-peer-unknown', place: { node: 'node1' } })
  })

  test('a TTL that ends in user space ends in silence', () => {
    const { verdict } = traced('pod/b', { ttl: 2 })
    expect(verdict).toMatchObject({ result: 'looped', reason: 'ttl-expired', place: { device: 'flannel0' } })
  })
})
