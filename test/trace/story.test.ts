import { stripVTControlCharacters } from 'node:util'
import { describe, expect, test } from 'vitest'
import { isEndProblem } from '../../src/trace/end.ts'
import { hopNames } from '../../src/trace/expectation.ts'
import { trace } from '../../src/trace/run.ts'
import type { Trace } from '../../src/trace/trace.ts'
import { formatBrief } from '../../src/view/brief.ts'
import { formatMinimal } from '../../src/view/minimal.ts'
import { formatTrace, plainText } from '../../src/view/text.ts'
import { loadScenario } from '../scenario.ts'

const { cluster } = loadScenario('small')

function traced(from: string, to: string, more: Partial<Parameters<typeof trace>[1]> = {}): Trace {
  const result = trace(cluster, { from, to, namespace: 'shop', seed: 1, ...more })
  if (isEndProblem(result)) throw new Error(result.problem)
  return result
}
const hopsOf = (t: Trace, leg: number): readonly string[] =>
  (t.branches[0]?.legs[leg]?.hops ?? []).map((h) => hopNames(h)[0]?.replace(/veth[0-9a-f]+/, 'veth') ?? '')

describe('the story of a connection from a pod through a Service to a pod on another node', () => {
  const told = traced('pod/cart', 'svc/web:80', { backend: 1 })
  const web = told.branches[0]?.reached?.name ?? ''

  test('passes every place of the real path, in order', () => {
    expect(hopsOf(told, 0)).toEqual([
      'pod shop/cart',
      'node-a veth',
      'node-a PREROUTING',
      'node-a cni0',
      'node-a route',
      'node-a FORWARD',
      'node-a POSTROUTING',
      'node-a flannel.1',
      'wire lan',
      'node-b flannel.1',
      'node-b PREROUTING',
      'node-b route',
      'node-b FORWARD',
      'node-b POSTROUTING',
      'node-b cni0',
      `pod ${web}`,
    ])
  })

  test('comes back the same way', () => {
    expect(hopsOf(told, 1)[0]).toBe(`pod ${web}`)
    expect(hopsOf(told, 1).at(-1)).toBe('pod shop/cart')
    expect(hopsOf(told, 1)).toContain('wire lan')
  })

  test('numbers hops through, wires apart', () => {
    const numbers = told.branches[0]?.legs.flatMap((l) => l.hops).flatMap((h) => h.n ?? [])
    expect(numbers).toEqual(Array.from({ length: numbers?.length ?? 0 }, (_, i) => i + 1))
  })

  test('names the rule, its object and the rewrite', () => {
    const text = formatTrace(told)
    for (const part of [
      'KUBE-SERVICES:',
      'KUBE-SVC-67NZLRHBNDSAWJRO:',
      'KUBE-SEP-',
      'dst 10.96.45.67:80 -> ',
      '(DNAT)',
      'Service shop/web ports[0]',
      'shop.yaml:',
      'vni 1',
      '192.168.50.12:8472',
      '(un-DNAT)',
    ]) {
      expect(text).toContain(part)
    }
    expect(text).toMatch(/^DELIVERED/)
    expect(text).toMatch(/\nresult delivered {2}forward=delivered reply=delivered/)
  })

  test('is one line per change in the minimal form', () => {
    const port = told.question.packet.payload.kind === 'tcp' ? told.question.packet.payload.srcPort : 0
    expect(formatMinimal(told)).toBe(
      [
        `> pod shop/cart tcp 10.244.0.2:${port} 10.96.45.67:80`,
        '= dst 10.244.1.2:8080',
        '+ vxlan 1 192.168.50.11 192.168.50.12',
        '- vxlan',
        `. deliver pod ${web}`,
        '< reply',
        '+ vxlan 1 192.168.50.12 192.168.50.11',
        '- vxlan',
        '= src 10.96.45.67:80',
        '. deliver pod shop/cart',
        '',
      ].join('\n'),
    )
  })

  test('counts the same hops in the brief form', () => {
    expect(formatBrief(told)).toMatch(/ 3 node-a PREROUTING .*DNAT/)
    expect(formatBrief(told).trimEnd().endsWith('delivered')).toBe(true)
  })
})

describe('other endings', () => {
  test('a NodePort is masqueraded to the tunnel address and translated back twice', () => {
    const told = traced('external', 'node/node-a:30080', { backend: 1 })
    expect(formatMinimal(told)).toMatch(
      /= dst 10\.244\.1\.2:8080\n= src 10\.244\.0\.0:\d+\n\+ vxlan[\s\S]*< reply[\s\S]*= dst 203\.0\.113\.10:\d+\n= src 192\.168\.50\.11:30080\n/,
    )
    expect(told.branches[0]?.reached?.source.ip).toBe('10.244.0.0')
  })

  test.each([
    { name: 'TTL 1 ends at the first node', ttl: 1, from: '10.244.0.1' },
    { name: 'TTL 2 ends at the second node', ttl: 2, from: '10.244.1.0' },
  ])('$name, and its address answers', ({ ttl, from }) => {
    const { verdict } = traced('pod/cart', 'deploy/web', { ttl })
    expect(verdict).toMatchObject({ result: 'looped', reason: 'ttl-expired', failed: 'forward' })
    expect(verdict.sentence).toContain(`ICMP 11/0 from ${from}`)
  })

  test('a node that answers with an ICMP error says which in the brief form', () => {
    expect(formatBrief(traced('pod/cart', 'svc/web:80', { ttl: 1 }))).toMatch(
      /node-a +sends icmp 11\/0 10\.244\.0\.1 > 10\.244\.0\.2 {2}\(the TTL of 1/,
    )
  })

  test('an address that no pod has is asked for in vain', () => {
    const { verdict } = traced('pod/cart', '10.244.1.77:80')
    expect(verdict).toMatchObject({ result: 'unreachable', reason: 'neigh-missing', place: { node: 'node-b' } })
  })

  test('a Service without endpoints says why it has none', () => {
    const told = traced('pod/cart', 'svc/search')
    expect(told.verdict).toMatchObject({
      result: 'rejected',
      reason: 'no-endpoints',
      place: { chain: 'KUBE-SERVICES' },
    })
    expect(told.notes.map((n) => n.message).join()).toContain('app=search matches no pod')
  })

  test('colours change nothing but colour', () => {
    const told = traced('pod/cart', 'svc/search')
    const plain = formatTrace(told)
    const stripped = stripVTControlCharacters(formatTrace(told, { ...plainText, colour: true }))
    expect(stripped).toBe(plain)
  })
})
