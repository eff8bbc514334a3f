import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { expect, test } from 'vitest'
import { isEndProblem } from '../../src/trace/end.ts'
import { trace } from '../../src/trace/run.ts'
import type { Trace } from '../../src/trace/trace.ts'
import { formatBrief } from '../../src/view/brief.ts'
import { formatJson } from '../../src/view/json.ts'
import { formatMinimal } from '../../src/view/minimal.ts'
import { formatTrace } from '../../src/view/text.ts'
import { clusterOf } from '../cluster/flannel-cluster.ts'

function traced(backend: string): Trace {
  const { cluster } = clusterOf({ backend: `{ "Type": "${backend}" }`, nodes: 2 })
  const result = trace(cluster, { from: 'pod/a', to: 'pod/b:80', namespace: 'default', seed: 1 })
  if (isEndProblem(result)) throw new Error(result.problem)
  return result
}

function told(backend: string): string {
  const [there = ''] = formatTrace(traced(backend)).split('REPLY')
  return there
}
const tunnelWords = /\bencap\b|\bdecap\b|\bfdb\b|\bneigh\b|kernel ->|-> kernel/

test.each([
  {
    backend: 'vxlan',
    name: 'the neighbour and FDB look-ups and the 50 bytes',
    says: [
      /neigh +10\.244\.1\.0 dev flannel\.1 -> \S+ +permanent/,
      /fdb +\S+ -> 192\.168\.0\.12/,
      /60 \+ 50 = 110 bytes/,
    ],
    silent: /kernel ->/,
  },
  {
    backend: 'udp',
    name: 'the passages between kernel and user space, and the 28 bytes',
    says: [
      /kernel -> flanneld +from flannel0/,
      /flanneld -> kernel +to socket/,
      /flanneld -> kernel +to flannel0/,
      /60 \+ 28 = 88/,
    ],
    silent: /\bfdb\b|\bneigh\b|\bencap\b/,
  },
  {
    backend: 'ipip',
    name: '20 bytes and no look-up',
    says: [/ipip 192\.168\.0\.11 -> 192\.168\.0\.12 +60 \+ 20/],
    silent: /\bfdb\b|kernel ->/,
  },
  {
    backend: 'host-gw',
    name: 'nothing but routes',
    says: [/10\.244\.1\.0\/24 via 192\.168\.0\.12 dev eth0/],
    silent: tunnelWords,
  },
])('what $backend shows: $name, on one screen', ({ backend, says, silent }) => {
  const text = told(backend)
  for (const pattern of says) expect(text).toMatch(pattern)
  expect(text).not.toMatch(silent)
  expect(text.split('\n').length).toBeLessThan(50)
})

const schema = JSON.parse(readFileSync(join(import.meta.dirname, '../../src/view/trace.schema.json'), 'utf8')) as object
const validate = new Ajv({ allErrors: true, strict: false }).compile(schema)

test.each(['vxlan', 'udp', 'ipip', 'host-gw'])(
  'the JSON of a trace by %s is as the published schema says',
  (backend) => {
    validate(JSON.parse(formatJson(traced(backend))))
    expect(validate.errors).toBeNull()
  },
)

test('passages in a few words', () => {
  const result = traced('udp')
  const minimal = formatMinimal(result).split('< reply')[0]?.trim().split('\n').slice(1)
  expect(minimal).toEqual([
    '^ flanneld flannel0',
    'v flanneld 192.168.0.12:8285',
    '^ flanneld 192.168.0.11:8285',
    'v flanneld flannel0',
    '. deliver pod default/b',
  ])
  expect(formatBrief(result)).toMatch(/node1 flannel0 \(tun\) +kernel -> flanneld +from flannel0 +ttl 63/)
})
