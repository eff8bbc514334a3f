import { describe, expect, test } from 'vitest'
import { type Files, runWith } from './memory-io.ts'

const pod = (name: string, more = ''): string => `apiVersion: v1
kind: Pod
metadata: { name: ${name} }
spec:
  containers: [{ name: c, ports: [{ name: http, containerPort: 8080 }] }]
${more}`
const service = `apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ name: http, port: 80 }] }
`
const node = (name: string, cidr: string): string => `apiVersion: v1
kind: Node
metadata: { name: ${name} }
spec: { podCIDR: ${cidr} }
status: { addresses: [{ type: InternalIP, address: 192.168.1.${name.length + 10} }] }
`

const trace = (from: string, to: string, ...files: string[]): string[] => [
  'trace',
  from,
  to,
  ...files.flatMap((f) => ['-f', f]),
]

interface Case {
  readonly name: string
  readonly files: Files
  readonly argv: readonly string[]
  readonly says: readonly (string | RegExp)[]
}

describe('bad input is told clearly, with exit status 2 and no stack trace', () => {
  const cases: readonly Case[] = [
    {
      name: 'broken YAML, with its line',
      files: { 'a.yaml': 'a: 1\nkind: [\n' },
      argv: trace('pod/a', 'pod/b', 'a.yaml'),
      says: [/a\.yaml:[23]/],
    },
    {
      name: 'a field of the wrong type, with its path',
      files: { 'a.yaml': service.replace('port: 80', 'port: eighty') },
      argv: trace('pod/a', 'svc/web', 'a.yaml'),
      says: ['a.yaml:4', 'spec.ports[0].port', 'eighty'],
    },
    {
      name: 'an object that stands twice',
      files: { 'a.yaml': pod('x'), 'b.yaml': pod('x') },
      argv: trace('pod/x', 'pod/x', 'a.yaml', 'b.yaml'),
      says: ['b.yaml', 'a.yaml', 'x'],
    },
    {
      name: 'more replicas than a cluster holds',
      files: {
        'a.yaml': `apiVersion: apps/v1
kind: Deployment
metadata: { name: a }
spec:
  replicas: 1000000000
  selector: { matchLabels: { a: b } }
  template: { metadata: { labels: { a: b } }, spec: { containers: [{ name: c }] } }
`,
      },
      argv: trace('deploy/a', 'deploy/a', 'a.yaml'),
      says: ['a.yaml:5', 'spec.replicas', '0 to 150000'],
    },
    {
      name: 'an unknown pod, with the nearest names',
      files: { 'a.yaml': pod('frontend') },
      argv: trace('pod/fronted', 'pod/frontend', 'a.yaml'),
      says: ['no pod "fronted"', 'frontend'],
    },
    {
      name: 'an unknown pod of a namespace that exists',
      files: { 'a.yaml': pod('frontend').replace('name: frontend', 'name: frontend, namespace: shop') },
      argv: trace('pod/fronted.shop', 'pod/frontend.shop', 'a.yaml'),
      says: ['no pod "fronted" in namespace "shop"', 'frontend.shop'],
    },
    {
      name: 'an unknown port name, with those that exist',
      files: { 'a.yaml': `${pod('x')}---\n${service}` },
      argv: trace('pod/x', 'svc/web:grpc', 'a.yaml'),
      says: ['no port grpc', 'http 80/tcp'],
    },
    {
      name: 'an unknown port name of a pod',
      files: { 'a.yaml': pod('x') },
      argv: trace('pod/x', 'pod/x:grpc', 'a.yaml'),
      says: ['named "grpc"', 'http'],
    },
    {
      name: 'podCIDRs that overlap',
      files: { 'a.yaml': [node('a', '10.244.0.0/16'), node('bb', '10.244.7.0/24')].join('---\n') },
      argv: ['get', 'nodes', '-f', 'a.yaml'],
      says: ['10.244.7.0/24', '10.244.0.0/16', 'a.yaml'],
    },
    {
      name: 'a pod address outside every network',
      files: { 'a.yaml': `${pod('x')}status: { podIP: 172.31.0.9 }\n` },
      argv: ['get', 'pods', '-f', 'a.yaml'],
      says: ['a.yaml:6', 'status.podIP', '172.31.0.9', '10.244.0.0/16'],
    },
    {
      name: 'a cluster IP outside the service network',
      files: { 'a.yaml': service.replace('spec: {', 'spec: { clusterIP: 172.31.0.9,') },
      argv: ['get', 'svc', '-f', 'a.yaml', '--service-network', '10.96.0.0/12'],
      says: ['a.yaml:4', 'spec.clusterIP', '172.31.0.9', '10.96.0.0/12'],
    },
    {
      name: 'a directory without manifests',
      files: { 'd/readme.txt': 'hello' },
      argv: ['get', 'pods', '-f', 'd'],
      says: ['d', /no manifests|\.yaml/i],
    },
    {
      name: 'a binary file',
      files: { 'a.yaml': new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 0, 0, 1]) },
      argv: ['get', 'pods', '-f', 'a.yaml'],
      says: ['a.yaml', /binary|NUL/i],
    },
    { name: 'an empty standard input', files: { '-': '' }, argv: ['get', 'pods', '-f', '-'], says: [/empty|nothing/i] },
    {
      name: 'a file that does not exist',
      files: {},
      argv: ['get', 'pods', '-f', 'nowhere.yaml'],
      says: ['nowhere.yaml', 'no such file'],
    },
    { name: 'no input at all', files: {}, argv: ['get', 'pods'], says: ['-f'] },
    { name: 'an unknown command', files: {}, argv: ['trcae'], says: ['trcae'] },
    { name: 'an unknown option', files: {}, argv: ['get', 'pods', '--bogus'], says: ['bogus'] },
    { name: 'a seed that is no number', files: {}, argv: ['get', 'pods', '--seed', 'x'], says: ['--seed'] },
    {
      name: 'an unknown output form',
      files: { 'a.yaml': pod('x') },
      argv: [...trace('pod/x', 'pod/x', 'a.yaml'), '-o', 'xml'],
      says: ['-o xml', 'json'],
    },
    {
      name: 'an unknown protocol',
      files: { 'a.yaml': pod('x') },
      argv: [...trace('pod/x', 'pod/x', 'a.yaml'), '--protocol', 'gre'],
      says: ['gre'],
    },
    {
      name: 'an unknown kind of object',
      files: { 'a.yaml': pod('x') },
      argv: ['get', 'pdos', '-f', 'a.yaml'],
      says: ['pdos', 'pods'],
    },
    {
      name: 'a label selector that does not parse',
      files: { 'a.yaml': pod('x') },
      argv: ['get', 'pods', '-l', 'a in (', '-f', 'a.yaml'],
      says: ['selector'],
    },
  ]

  test.each(cases)('$name', async ({ files, argv, says }) => {
    const ran = await runWith(files, argv)
    expect(ran).toMatchObject({ status: 2, out: '' })
    for (const text of says) expect(ran.err).toMatch(text)
    expect(ran.err).not.toMatch(/\n\s+at .*:\d+:\d+/)
    expect(ran.err).not.toContain('internal error')
  })

  test('warnings of one cause are counted beyond the first, and -v prints them all', async () => {
    const deployment = `apiVersion: apps/v1
kind: Deployment
metadata: { name: a }
spec:
  replicas: 800
  selector: { matchLabels: { a: b } }
  template: { metadata: { labels: { a: b } }, spec: { containers: [{ name: c }] } }
`
    const warnings = async (...more: string[]) =>
      (await runWith({ 'a.yaml': deployment }, ['get', 'deployments', '-f', 'a.yaml', ...more])).err.trim().split('\n')
    const few = await warnings()
    expect(few).toHaveLength(9)
    const all = await warnings('-v')
    expect(few[8]).toBe(`kubehop: ${all.length - 8} more warnings like these; -v prints them all`)
    expect(all.length).toBeGreaterThan(20)
  })

  test('all problems of a load come together', async () => {
    const ran = await runWith({ 'a.yaml': service.replace('port: 80', 'port: eighty'), 'b.yaml': 'kind: [' }, [
      'get',
      'svc',
      '-f',
      'a.yaml',
      '-f',
      'b.yaml',
    ])
    expect(ran.err).toMatch(/a\.yaml/)
    expect(ran.err).toMatch(/b\.yaml/)
  })
})
