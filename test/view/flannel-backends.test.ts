import { expect, test } from 'vitest'
import { isEndProblem } from '../../src/trace/end.ts'
import { trace } from '../../src/trace/run.ts'
import { formatTrace } from '../../src/view/text.ts'
import { clusterOf } from '../cluster/flannel-cluster.ts'

function told(backend: string): string {
  const { cluster } = clusterOf({ backend: `{ "Type": "${backend}" }`, nodes: 2 })
  const result = trace(cluster, { from: 'pod/a', to: 'pod/b:80', namespace: 'default', seed: 1 })
  if (isEndProblem(result)) throw new Error(result.problem)
  const [there = ''] = formatTrace(result).split('REPLY')
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
