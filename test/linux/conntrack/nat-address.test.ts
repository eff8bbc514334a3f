import { expect, test } from 'vitest'
import { addressInRange } from '../../../src/linux/conntrack/nat-address.ts'
import { ip } from '../../../src/net/ip.ts'

// The last column is what Linux 6.18 on x86-64 chose (DNAT in nat OUTPUT, read from `conntrack -L`).
test.each([
  ['10.0.1.1', '10.0.0.2', '10.0.0.10', '10.0.0.13', false, '10.0.0.12'],
  ['10.0.1.2', '10.0.0.2', '10.0.0.10', '10.0.0.13', false, '10.0.0.12'],
  ['10.0.1.1', '10.0.0.3', '10.0.0.10', '10.0.0.23', true, '10.0.0.19'],
  ['10.0.1.2', '10.0.0.3', '10.0.0.10', '10.0.0.23', true, '10.0.0.23'],
  ['10.0.1.1', '10.7.0.4', '10.1.0.250', '10.2.3.9', false, '10.1.117.96'],
  ['10.0.1.2', '10.7.0.4', '10.1.0.250', '10.2.3.9', false, '10.1.148.180'],
  ['fd00:1::1', 'fd96::a', 'fd00:2::10', 'fd00:2::1:20', false, 'fd00:2::b896'],
  ['fd00:1::2', 'fd96::a', 'fd00:2::10', 'fd00:2::1:20', false, 'fd00:2::3294'],
])('%s to %s takes of %s-%s (persistent %s) %s', (src, dst, from, to, persistent, expected) => {
  const tuple = { protocol: 17, src: ip(src), dst: ip(dst), srcPort: 4000, dstPort: 80 }
  expect(addressInRange({ from: ip(from), to: ip(to) }, tuple, 'dst', persistent)).toBe(expected)
})
