import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Captured } from '../../src/trace/capture.ts'
import { isEndProblem } from '../../src/trace/end.ts'
import { checkExpectation } from '../../src/trace/expectation.ts'
import { trace } from '../../src/trace/run.ts'
import { decodeHint } from '../../src/view/capture-hint.ts'
import { pcapFiles } from '../../src/view/pcap.ts'
import { formatPcapng } from '../../src/view/pcapng.ts'
import { hasTool } from '../packet/checksum-oracle.ts'
import { loadScenario } from '../scenario.ts'
import { type Dissected, dissect } from './tshark.ts'

const tshark = hasTool('tshark')
const without = tshark ? '' : ' (tshark is not installed)'
const root = join(import.meta.dirname, '../../scenarios')
const scenarios = readdirSync(root).filter((name) => statSync(join(root, name)).isDirectory())

/** All that the connections of a scenario's Expectations show, one after the other. */
function capturesOf(scenario: string): readonly (readonly Captured[])[] {
  const { cluster } = loadScenario(scenario)
  return cluster.objects.list('Expectation').flatMap((e) =>
    e.spec.expect.flatMap((expected) => {
      const options = { namespace: e.metadata.namespace ?? 'default', seed: 1 }
      return checkExpectation(cluster, expected, options).trace?.branches.map((b) => b.captured) ?? []
    }),
  )
}

function captureOf(scenario: string, from: string, to: string): readonly Captured[] {
  const result = trace(loadScenario(scenario).cluster, { from, to, namespace: 'shop', seed: 1 })
  if (isEndProblem(result)) throw new Error(result.problem)
  return result.branches[0]?.captured ?? []
}

const acrossNodes = captureOf('small', 'pod/cart', 'svc/web:80')

describe.skipIf(!tshark)(`captures read by tshark${without}`, () => {
  test.each(scenarios)('every packet of scenario %s is dissected without a warning', (name) => {
    const captured = capturesOf(name).flat()
    const packets = dissect(formatPcapng(captured))
    expect(packets).toHaveLength(captured.length)
    expect(captured.length).toBeGreaterThan(0)
    expect(packets.filter((p) => p.complaints !== '')).toEqual([])
  })

  test('one interface per device, packets in the order of the journey', () => {
    const packets = dissect(formatPcapng(acrossNodes))
    expect(packets.map((p) => p.device)).toEqual(acrossNodes.map((c) => `${c.netns}/${c.device}`))
    const times = packets.map((p) => p.time)
    expect([...times].sort()).toEqual(times)
    expect(new Set(times).size).toBe(times.length)
  })

  test('VXLAN is decoded on the wire, and the inner frame alone at the tunnel device', () => {
    const protocols = protocolsAt(dissect(formatPcapng(acrossNodes)))
    expect(protocols('node-a/eth0')).toContain('eth:ethertype:ip:udp:vxlan:eth:ethertype:ip:tcp')
    expect(protocols('node-a/flannel.1')).toEqual(['eth:ethertype:ip:tcp'])
  })

  test('IPIP is decoded on the wire, and bare IP at a tunnel device without Ethernet', () => {
    const packets = dissect(formatPcapng(capturesOf('calico-ipip-blocked').flat()))
    expect(packets.map((p) => p.protocols)).toContain('eth:ethertype:ip:ip:tcp')
    const atTunnels = packets.filter((p) => p.device.endsWith('/tunl0'))
    expect([...new Set(atTunnels.map((p) => p.protocols))]).toEqual(['raw:ip:tcp'])
  })

  test('one file per device holds what that device of the whole capture saw', () => {
    const whole = dissect(formatPcapng(acrossNodes))
    const some = ['shop.cart.eth0.pcap', 'node-a.flannel.1.pcap', 'switch_lan.node-a.pcap']
    for (const { name, packets, bytes } of pcapFiles(acrossNodes).filter((f) => some.includes(f.name))) {
      const alone = dissect(bytes)
      const device = name.replace(/\.pcap$/, '')
      const there = whole.filter((p) => p.device.replaceAll('/', '.').replaceAll(' ', '_') === device)
      expect(alone).toHaveLength(packets)
      expect(alone.map((p) => [p.time, p.protocols, p.complaints])).toEqual(there.map((p) => [p.time, p.protocols, '']))
    }
  })
})

const protocolsAt =
  (packets: readonly Dissected[]) =>
  (device: string): readonly string[] => [
    ...new Set(packets.filter((p) => p.device === device).map((p) => p.protocols)),
  ]

describe('captures', () => {
  test('are of the devices on the way, and of no other namespace', () => {
    const names = pcapFiles(acrossNodes).map((f) => f.name)
    expect(names).toEqual(expect.arrayContaining(['shop.cart.eth0.pcap', 'node-a.flannel.1.pcap', 'node-b.eth0.pcap']))
    expect(names.filter((n) => n.startsWith('node-c'))).toEqual([])
  })

  test('names that look alike as files get numbers', () => {
    const [first] = acrossNodes
    if (!first) throw new Error('nothing was captured')
    const alike = ['a/b', 'a.b', 'A/b'].map((netns) => ({ ...first, netns: netns as typeof first.netns }))
    expect(pcapFiles(alike).map((f) => f.name)).toEqual(['a.b.eth0.pcap', 'a.b.eth0-2.pcap', 'A.b.eth0-3.pcap'])
  })

  test('a tunnel on a port that tools do not know is told of', () => {
    expect(decodeHint(acrossNodes)).toContain('-d udp.port==8472,vxlan')
    expect(decodeHint(acrossNodes.filter((c) => c.device === 'cni0'))).toBeUndefined()
  })
})
