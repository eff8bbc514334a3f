import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isEndProblem, parseEnd } from '../../src/trace/end.ts'

describe('an end of a connection as a person writes it', () => {
  test.each([
    { text: 'pod/cart.shop', is: { kind: 'pod', name: 'cart.shop' } },
    { text: 'po/cart:8080', is: { kind: 'pod', name: 'cart', port: '8080' } },
    { text: 'svc/web.shop:http', is: { kind: 'service', name: 'web.shop', port: 'http' } },
    { text: 'deploy/web', is: { kind: 'workload', workload: 'Deployment', name: 'web' } },
    { text: 'sts/db:5432', is: { kind: 'workload', workload: 'StatefulSet', name: 'db', port: '5432' } },
    { text: 'node/node-a:30080', is: { kind: 'node', name: 'node-a', port: '30080' } },
    { text: 'external:443', is: { kind: 'external', name: 'external', port: '443' } },
    { text: '10.0.0.1:53', is: { kind: 'address', name: '10.0.0.1', port: '53' } },
    { text: 'fd00::1', is: { kind: 'address', name: 'fd00::1' } },
    { text: '[fd00:0::1]:443', is: { kind: 'address', name: 'fd00::1', port: '443' } },
    { text: 'web.shop.svc.cluster.local:80', is: { kind: 'name', name: 'web.shop.svc.cluster.local', port: '80' } },
  ])('$text', ({ text, is }) => {
    expect(parseEnd(text)).toEqual(is)
  })

  test.each([
    { text: '', says: 'empty' },
    { text: 'pods/', says: 'a name must follow' },
    { text: 'thing/web', says: 'no kind of end is called "thing"' },
    { text: '10.0.0.300', says: 'no IP address' },
    { text: 'svc/web:', says: 'must follow the colon' },
    { text: 'a b', says: 'neither' },
  ])('"$text" is refused: $says', ({ text, says }) => {
    expect(parseEnd(text)).toMatchObject({ problem: expect.stringContaining(says) })
  })

  test('any text is an end or a problem, never an exception', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const end = parseEnd(text)
        expect(isEndProblem(end) ? end.problem.length : end.name.length).toBeGreaterThan(0)
      }),
    )
  })
})
