import { describe, expect, test } from 'vitest'
import { type IpvsService, parseIpvs } from '../../../src/artefact/ipvs.ts'
import { createIpvs } from '../../../src/linux/ipvs/table.ts'
import { ip } from '../../../src/net/ip.ts'

const servers = (...weights: readonly number[]): string =>
  weights.map((w, i) => `-a -t 10.96.0.1:80 -r 10.0.0.${i + 1}:8080 -m -w ${w}`).join('\n')
const serviceOf = (scheduler: string, ...weights: readonly number[]): IpvsService => {
  const [service] = parseIpvs(`-A -t 10.96.0.1:80 -s ${scheduler}\n${servers(...weights)}`).entries
  if (!service) throw new Error('no service')
  return service
}

function draw(scheduler: string, weights: readonly number[], times: number, start = 0): readonly string[] {
  const service = serviceOf(scheduler, ...weights)
  const [virtual] = createIpvs([service], () => start).services.values()
  const asked = { source: ip('10.0.9.1'), sourcePort: 1000, destination: ip('10.96.0.1') }
  return Array.from({ length: times }, () => {
    const chosen = virtual?.schedule?.(virtual, asked)
    if (chosen) chosen.inactive++
    return chosen?.address.split('.').at(-1) ?? 'none'
  })
}

describe('a scheduler', () => {
  test.each([
    ['rr begins with the server added last and walks back', 'rr', [1, 1, 1], '3 2 1 3'],
    ['rr passes over weight 0', 'rr', [1, 0, 1], '3 1 3 1'],
    ['wrr gives each its share', 'wrr', [3, 1], '1 1 2 1'],
    ['lc takes the least loaded', 'lc', [1, 1], '2 1 2 1'],
    ['wlc weighs the load', 'wlc', [1, 3], '2 1 2 2'],
    ['sed looks at the expected delay', 'sed', [1, 2], '2 2 2 2'],
    ['nq takes an idle one at once', 'nq', [1, 2], '2 2 2 2'],
    ['none where every weight is 0', 'rr', [0, 0], 'none none none none'],
  ])('%s', (_, scheduler, weights, expected) => {
    expect(draw(scheduler, weights, 4).join(' ')).toBe(expected)
  })

  test.each(['sh', 'dh'])('%s keeps to one server', (scheduler) => {
    expect(new Set(draw(scheduler, [1, 1, 1], 8)).size).toBe(1)
  })

  test('sh spreads sources, and answers alike for the same one', () => {
    const service = serviceOf('sh', 1, 1, 1)
    const [virtual] = createIpvs([service], () => 0).services.values()
    const from = (n: number): string | undefined =>
      virtual?.schedule?.(virtual, { source: ip(`10.0.9.${n}`), sourcePort: 1, destination: ip('10.96.0.1') })?.address
    const all = Array.from({ length: 60 }, (_, n) => from(n + 1))
    expect(new Set(all).size).toBe(3)
    expect(from(7)).toBe(from(7))
  })

  test('where a round stands before the first connection is a lot', () => {
    expect(draw('rr', [1, 1, 1], 2, 1).join(' ')).toBe('2 1')
  })

  test('a server that stays keeps its connections when another comes', () => {
    const before = createIpvs([serviceOf('rr', 1)], () => 0)
    const [old] = [...before.services.values()].flatMap((v) => v.destinations)
    if (old) old.active = 5
    const after = createIpvs([serviceOf('rr', 1, 1)], () => 0, before)
    expect([...after.services.values()].flatMap((v) => v.destinations.map((d) => d.active))).toEqual([0, 5])
  })
})
