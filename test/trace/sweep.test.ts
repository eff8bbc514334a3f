import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { describe, expect, test } from 'vitest'
import { isEndProblem } from '../../src/trace/end.ts'
import type { TraceRequest } from '../../src/trace/request.ts'
import { type Sweep, sweep } from '../../src/trace/sweep.ts'
import { formatSweep, formatSweepJson } from '../../src/view/sweep.ts'
import { clusterOf, type FlannelCluster } from '../cluster/flannel-cluster.ts'

function swept(given: Partial<FlannelCluster>, request: Partial<TraceRequest>, sizes: readonly number[]): Sweep {
  const { cluster, problems } = clusterOf({ backend: '{ "Type": "vxlan" }', nodes: 2, ...given })
  expect(problems).toEqual([])
  const result = sweep(cluster, { from: 'pod/a', to: 'pod/b:80', namespace: 'default', seed: 1, ...request }, sizes)
  if (isEndProblem(result)) throw new Error(result.problem)
  return result
}
const fates = (s: Sweep): readonly string[] =>
  s.rows.map((r) => `${r.size} ${r.sent} ${r.verdict.result}${r.verdict.reason ? ` ${r.verdict.reason}` : ''}`)

const quiet = `apiVersion: kubehop.dev/v1alpha1
kind: NodeState
metadata: { name: node1-quiet }
spec: { node: node1, iptables: "*filter\\n-A OUTPUT -p icmp -j DROP\\nCOMMIT" }`

const schema = (name: string): object =>
  JSON.parse(readFileSync(join(import.meta.dirname, `../../src/view/${name}.schema.json`), 'utf8')) as object
const validate = new Ajv({ allErrors: true, strict: false }).addSchema(schema('trace')).compile(schema('sweep'))

const ping = { protocol: 'icmp', to: 'pod/b' } as const

describe('packets of several sizes', () => {
  test('a TCP connection cuts what it sends to what both ends can take', () => {
    const result = swept({}, {}, [1400, 1450, 1500])
    expect(fates(result)).toEqual(['1400 1400 delivered', '1450 1450 delivered', '1500 1450 delivered'])
    expect(result.largest).toBe(1450)
  })

  test('the sender itself is told at once where its own device is too small', () => {
    const result = swept({}, ping, [1450, 1451])
    expect(fates(result)).toEqual(['1450 1450 delivered', '1451 1451 rejected mtu-exceeded-df'])
    expect(result.rows[1]).toMatchObject({ limit: { machine: 'pod a', device: 'eth0', mtu: 1450 }, icmp: undefined })
  })

  test('without DF it is cut and put together again', () => {
    const result = swept({}, { ...ping, df: false }, [1450, 9000])
    expect(fates(result)).toEqual(['1450 1450 delivered', '9000 9000 delivered'])
    expect(result.rows[1]?.fragmentedAt).toContain('pod a eth0')
  })

  test('the node that refuses says so, with its MTU', () => {
    const result = swept({ podMtu: 1500 }, ping, [1300, 1500])
    expect(result.rows[1]).toMatchObject({
      verdict: { result: 'rejected', reason: 'mtu-exceeded-df' },
      limit: { machine: 'node1', device: 'flannel.1', mtu: 1450 },
      icmp: { from: '10.244.0.1', type: 3, code: 4, mtu: 1450, arrived: true },
    })
    expect(result.largest).toBe(1450)
  })

  test('an error that is lost leaves the sender in the dark', () => {
    const result = swept({ podMtu: 1500, more: quiet }, {}, [1300, 1500])
    expect(result.rows[1]).toMatchObject({
      verdict: { result: 'dropped', reason: 'icmp-frag-needed-lost' },
      icmp: { arrived: false },
    })
    expect(result.verdict).toMatchObject({ mixed: true, reason: 'icmp-frag-needed-lost' })
    expect(formatSweep(result)).toContain('filter OUTPUT')
  })

  test.each([
    { backend: 'vxlan', bytes: 50, largest: 1450 },
    { backend: 'udp', bytes: 28, largest: 1472 },
    { backend: 'ipip', bytes: 20, largest: 1480 },
    { backend: 'host-gw', bytes: undefined, largest: 1500 },
  ])('$backend: what the tunnel takes, and what is left', ({ backend, bytes, largest }) => {
    const result = swept({ backend: `{ "Type": "${backend}" }` }, ping, [1300, 9000])
    expect(result.overheads.map((o) => [o.machine, o.lowerDevice, o.lowerMtu, o.bytes])).toEqual(
      bytes === undefined ? [] : [['node1', 'eth0', 1500, bytes]],
    )
    expect(result.largest).toBe(largest)
  })

  test('over IPv6 the tunnel takes 70 bytes', () => {
    const result = swept({ families: 'ipv6' }, { protocol: 'icmpv6', to: 'pod/b' }, [1400, 1450])
    expect(result.overheads[0]?.bytes).toBe(70)
    expect(result.largest).toBe(1430)
  })

  test('as JSON the same facts', () => {
    const json = JSON.parse(formatSweepJson(swept({}, ping, [1450, 1500]))) as object
    expect(json).toMatchObject({
      kind: 'Sweep',
      exitCode: 3,
      largest: 1450,
      overheads: [{ form: 'vxlan', bytes: 50, lowerMtu: 1500 }],
      rows: [{ size: 1450 }, { size: 1500, limit: { device: 'eth0' } }],
    })
  })

  test.each([
    { name: 'all arrive', of: () => swept({}, {}, [1400, 1450]) },
    { name: 'refused at the source', of: () => swept({}, ping, [1450, 1500]) },
    { name: 'an error that is lost', of: () => swept({ podMtu: 1500, more: quiet }, {}, [1300, 1500]) },
    { name: 'cut', of: () => swept({}, { ...ping, df: false }, [9000]) },
  ])('the JSON is as the published schema says: $name', ({ of }) => {
    validate(JSON.parse(formatSweepJson(of())))
    expect(validate.errors).toBeNull()
  })
})
