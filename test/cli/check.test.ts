import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { describe, expect, test } from 'vitest'
import { browser, openPage, withoutBrowser } from '../view/browser.ts'
import { runWith } from './memory-io.ts'

const folder = join(import.meta.dirname, '../../scenarios/small')
const read = (f: string): string => readFileSync(join(folder, f), 'utf8')
const hostile = `a <b> & "c", 100%: d\ne`
const wishes = `apiVersion: kubehop.dev/v1alpha1
kind: Expectation
metadata: { name: wishes, namespace: shop }
spec:
  expect:
    - { name: holds, from: pod/cart, to: "svc/web:80", verdict: delivered }
    - { name: ${JSON.stringify(hostile)}, from: pod/cart, to: "svc/web:80", verdict: dropped }
    - { name: nobody, from: pod/nobody, to: "svc/web:80", verdict: delivered }
`
const files = { 'in/cluster.yaml': read('cluster.yaml'), 'in/shop.yaml': read('shop.yaml'), 'in/wishes.yaml': wishes }
const check = (...argv: readonly string[]): ReturnType<typeof runWith> => runWith(files, ['check', 'in', ...argv])

const schema = (name: string): object =>
  JSON.parse(readFileSync(join(import.meta.dirname, `../../src/view/${name}.schema.json`), 'utf8')) as object
const validate = new Ajv({ allErrors: true, strict: false }).addSchema(schema('trace')).compile(schema('check'))

describe('kubehop check', () => {
  test('text: what holds, what differs, and how many', async () => {
    const { status, out } = await check()
    expect(status).toBe(1)
    expect(out).toContain('✔ holds\n')
    expect(out).toContain('    verdict: expected dropped, got delivered\n')
    expect(out).toMatch(/1 hold, 2 fail\n$/)
  })

  test('-o json: each with place, differences and the verdict of the trace', async () => {
    const { status, out } = await check('-o', 'json')
    const { total, failed, results } = JSON.parse(out)
    expect([status, total, failed]).toEqual([1, 3, 2])
    expect(validate(JSON.parse(out)), JSON.stringify(validate.errors)).toBe(true)
    expect(validate({ ...JSON.parse(out), more: 1 })).toBe(false)
    expect(results[1]).toMatchObject({
      file: 'in/wishes.yaml',
      line: 7,
      holds: false,
      differences: ['verdict: expected dropped, got delivered'],
      verdict: { result: 'delivered' },
    })
    expect(results[2]).toMatchObject({ holds: false, verdict: null, differences: [expect.stringContaining('nobody')] })
  })

  test('-o junit: a suite per document, a case per connection, text escaped', async () => {
    const { status, out } = await check('-o', 'junit')
    expect(status).toBe(1)
    expect(out).toContain('<testsuites name="kubehop" tests="3" failures="2" errors="0" time="0">')
    expect(out).toContain('<testcase name="holds" classname="shop/wishes" file="in/wishes.yaml" line="6" time="0"/>')
    expect(out).toContain('name="a &lt;b&gt; &amp; &quot;c&quot;, 100%: d&#10;e"')
    expect(out.match(/<failure /g)).toHaveLength(2)
  })

  test('-o github: an annotation at the line of each that fails', async () => {
    const { out } = await check('-o', 'github')
    const [first] = out.split('\n')
    expect(first).toBe(
      '::error file=in/wishes.yaml,line=7,title=a <b> & "c"%2C 100%25%3A d%0Ae::pod/cart -> svc/web:80%0Averdict: expected dropped, got delivered',
    )
    expect(out.split('\n').filter((l) => l.startsWith('::error'))).toHaveLength(2)
  })

  test('another output ends in status 2', async () => {
    expect(await check('-o', 'tap')).toMatchObject({
      status: 2,
      err: expect.stringContaining('text, json, junit, github'),
    })
  })

  test.skipIf(browser === undefined)(
    `JUnit text is well-formed XML${withoutBrowser}`,
    { timeout: 60_000 },
    async () => {
      const { out } = await check('-o', 'junit')
      expect(openPage(out, 'junit.xml').dom).not.toMatch(/parsererror|error on line/i)
    },
  )
})
