import { expect, test } from 'vitest'
import { hashName } from '../../src/proxy/hash.ts'

test.each([
  ['default/kubernetes:httpstcp', 'NPX46M4PTMTKRN6Y'],
  ['kube-system/kube-dns:dnsudp', 'TCOU7JCQXEZGVUNU'],
  ['ns1/svc1:p80tcp10.180.0.1:80', 'SXIVWICOYRO3J4NJ'],
])('%s is %s, as on real nodes', (text, name) => {
  expect(hashName(text, 16)).toBe(name)
})

test('a shorter name is the beginning of a longer one', () => {
  expect(hashName('default/kubernetes/tcp/https', 8)).toBe('2QRHZV4L')
})
