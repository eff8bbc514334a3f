import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { describe, expect, test } from 'vitest'
import { lintCodes } from '../../src/trace/lint/codes.ts'
import { runWith } from './memory-io.ts'

const scenario = (name: string, ...files: readonly string[]): Record<string, Uint8Array> =>
  Object.fromEntries(
    files.map((f) => [`in/${f}`, readFileSync(join(import.meta.dirname, '../../scenarios', name, f))] as const),
  )
const broken = scenario('no-endpoints', 'cluster.yaml', 'kube-flannel-cfg.yaml', 'shop.yaml')
const sound = scenario('vxlan-port-blocked', 'cluster.yaml', 'shop.yaml')

const schema = JSON.parse(readFileSync(join(import.meta.dirname, '../../src/view/lint.schema.json'), 'utf8')) as object
const validate = new Ajv({ allErrors: true, strict: false }).compile(schema)

describe('kubehop lint', () => {
  test('findings end in status 1, each with place, code and fix', async () => {
    const { status, out } = await runWith(broken, ['lint', 'in'])
    expect(status).toBe(1)
    expect(out).toMatch(
      /^in\/shop\.yaml:\d+: Service shop\/catalog spec\.selector\n {4}error SERVICE_SELECTS_NOTHING {2}/m,
    )
    expect(out).toMatch(/^ {4}fix use grpc$/m)
    expect(out).toMatch(/\n2 errors, 1 warning\n$/)
  })

  test('nothing found ends in status 0', async () => {
    expect(await runWith(sound, ['lint', '-f', 'in'])).toEqual({ status: 0, out: 'no findings\n', err: '' })
  })

  test('-q tells errors only, and warnings alone are then no failure', async () => {
    const { out } = await runWith(broken, ['lint', 'in', '-q'])
    expect(out).not.toContain('warning SERVICE')
  })

  test.each([
    ['broken YAML', { 'in/a.yaml': 'kind: [' }, ['lint', 'in'], 'YAML'],
    ['an unknown output', broken, ['lint', 'in', '-o', 'xml'], 'expected one of text, json, sarif'],
    ['no input', {}, ['lint'], 'no input'],
  ])('%s ends in status 2', async (_, files, argv, says) => {
    const { status, out, err } = await runWith(files as Record<string, string>, argv)
    expect([status, out]).toEqual([2, ''])
    expect(err).toContain(says)
  })

  test('conflicts between objects are findings, not bad input', async () => {
    const service = (name: string): string =>
      `apiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { type: NodePort, selector: { a: b }, ports: [{ port: 1, nodePort: 30001 }] }\n`
    const { status, out } = await runWith({ 'a.yaml': `${service('x')}---\n${service('y')}` }, ['lint', 'a.yaml'])
    expect(status).toBe(1)
    expect(out).toContain('error NODE_PORT_TAKEN')
  })

  test('-o json has a finding per entry, with null for what is not known', async () => {
    const { status, out } = await runWith(broken, ['lint', 'in', '-o', 'json'])
    const { kind, findings } = JSON.parse(out)
    expect([status, kind]).toEqual([1, 'Lint'])
    expect(validate(JSON.parse(out)), JSON.stringify(validate.errors)).toBe(true)
    expect(validate({ ...JSON.parse(out), more: 1 })).toBe(false)
    expect(findings[0]).toMatchObject({
      code: 'SERVICE_SELECTS_NOTHING',
      level: 'error',
      object: { kind: 'Service', namespace: 'shop', name: 'catalog' },
      field: 'spec.selector',
      file: 'in/shop.yaml',
      line: expect.any(Number),
    })
  })

  test('-o sarif is SARIF 2.1.0: rules by index, a level, and where each result is', async () => {
    const { out } = await runWith(broken, ['lint', 'in', '-o', 'sarif'])
    const { version, runs } = JSON.parse(out)
    const [run] = runs
    const { rules } = run.tool.driver
    expect([version, runs.length, run.results.length]).toEqual(['2.1.0', 1, 3])
    for (const result of run.results) {
      expect(rules[result.ruleIndex].id).toBe(result.ruleId)
      expect(Object.keys(lintCodes)).toContain(result.ruleId)
      expect(['error', 'warning']).toContain(result.level)
      const { physicalLocation } = result.locations[0]
      expect(physicalLocation.artifactLocation.uri).toBe('in/shop.yaml')
      expect(physicalLocation.region.startLine).toBeGreaterThan(0)
    }
  })
})
