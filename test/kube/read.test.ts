import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { loadManifests } from '../../src/kube/load.ts'
import { formatProblem } from '../../src/kube/problem.ts'
import { readManifests } from '../../src/kube/read.ts'

const problemsOf = (text: string | Uint8Array, path = 'web.yaml'): readonly string[] =>
  loadManifests([{ path, text }]).problems.map(formatProblem)

const service = (spec: string): string => `apiVersion: v1
kind: Service
metadata:
  name: web
spec:
${spec.replace(/^/gm, '  ')}`

describe('a file that is no manifest', () => {
  test.each<{ name: string; text: string | Uint8Array; path?: string; says: string }>([
    {
      name: 'is called binary when it holds a zero byte',
      text: Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 0),
      says: 'web.yaml: this is a binary file (byte 0 at offset 4), not YAML or JSON text',
    },
    {
      name: 'is called no UTF-8 at its first bad byte',
      text: Uint8Array.of(0x61, 0xc3, 0xa4, 0xff, 0x61),
      says: 'web.yaml: this is no UTF-8 text (offset 3); save it as UTF-8',
    },
    {
      name: 'is told when standard input is empty',
      text: ' \n',
      path: '-',
      says: 'standard input: nothing came in; pipe manifests into it, or name files with -f',
    },
    {
      name: 'is told when there are only comments',
      text: '# nothing\n---\n# here\n---\n',
      says: 'web.yaml: warning: no objects in this file, only comments or empty documents',
    },
    {
      name: 'is a Helm template',
      text: 'apiVersion: v1\nkind: Pod\n{{- if .Values.x }}\nmetadata: {}\n{{- end }}\n',
      says: 'web.yaml:3: this is a template ("{{- if .Values.x }}"), not a manifest; render it first, for instance with "helm template"',
    },
    {
      name: 'is a template that happens to be YAML',
      text: 'apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  ports:\n  - port: "{{ .Values.port }}"\n',
      says: 'web.yaml:7: Service default/web: spec.ports[0].port: this is a template ("{{ .Values.port }}"), not a manifest; render it first, for instance with "helm template"',
    },
    {
      name: 'is a kustomization',
      text: 'resources:\n- web.yaml\n',
      path: 'base/kustomization.yaml',
      says: 'base/kustomization.yaml:1: warning: a kustomization is not applied; give the output of "kubectl kustomize" instead',
    },
    {
      name: 'is a text',
      text: 'hello world\n',
      says: 'web.yaml:1: expected a Kubernetes object with apiVersion and kind, found "hello world"',
    },
    {
      name: 'is a list',
      text: '- a\n',
      says: 'web.yaml:1: expected a Kubernetes object with apiVersion and kind, found a list',
    },
    { name: 'has no kind', text: '\napiVersion: v1\nmetadata: {name: a}\n', says: 'web.yaml:2: kind is missing' },
    {
      name: 'has a misspelt apiVersion',
      text: 'apiversion: v1\nkind: Pod\n',
      says: 'web.yaml:1: Pod (no name): apiVersion is missing; did you mean it by "apiversion"?',
    },
  ])('$name', ({ text, path, says }) => {
    expect(problemsOf(text, path)).toEqual([says])
  })
})

describe('broken YAML and JSON', () => {
  test.each([
    {
      name: 'names the line of a missing bracket',
      text: 'apiVersion: v1\nkind: Pod\nmetadata: {name: a\nspec: {}\n',
      says: /^web\.yaml:4: YAML: /,
    },
    {
      name: 'names the line of a wrong indentation',
      text: 'apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n namespace: b\n',
      says: /^web\.yaml:5: YAML: /,
    },
    { name: 'names the tab', text: 'apiVersion: v1\nmetadata:\n\tname: a\n', says: /^web\.yaml:3: YAML: a tab where/ },
    {
      name: 'names a key that is given twice',
      text: 'apiVersion: v1\nkind: Pod\nkind: Pod\n',
      says: /^web\.yaml:3: the key "kind" is given twice; keep one of them$/,
    },
    {
      name: 'names the line in the second document',
      text: 'apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\na: [\n',
      says: /^web\.yaml:\d: YAML: /,
    },
    {
      name: 'names the place in JSON',
      text: '{\n  "kind": "Pod",\n  "metadata" {}\n}',
      says: /^web\.yaml:3: JSON: expected ":", found "\{" \(column 14\)$/,
    },
    {
      name: 'names the end of JSON that is cut off',
      text: '{"kind": "Pod",\n"metadata": {',
      says: /^web\.yaml:2: JSON: expected a key in double quotes or "}", found the end of the file/,
    },
    {
      name: 'names a JSON key that is given twice',
      text: '{"apiVersion": "v1",\n"kind": "Namespace", "metadata": {"name": "a",\n"name": "b"}}',
      says: /^web\.yaml:3: the key "name" is given twice/,
    },
  ])('$name', ({ text, says }) => {
    const problems = problemsOf(text)
    expect(problems).toHaveLength(1)
    expect(problems[0]).toMatch(says)
  })

  test('does not hide the documents around it', () => {
    const text =
      'apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\na: [\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: b}\n'
    const { objects, problems } = readManifests([{ path: 'x.yaml', text }])
    expect(objects.map((o) => o.object.metadata.name)).toEqual(['a', 'b'])
    expect(problems).toHaveLength(1)
  })

  test.each([
    {
      name: 'a billion laughs',
      text: `a: &a [${'x,'.repeat(9)}]\n${[...'bcdefghij'].map((c, i) => `${c}: &${c} [${`*${String.fromCharCode(97 + i)},`.repeat(9)}]`).join('\n')}\n`,
      says: 'expand to more than',
    },
    { name: 'an anchor that holds itself', text: 'a: &a\n  b: *a\n', says: /refers to the value that it stands in/ },
    {
      name: 'a wide anchor that holds itself',
      text: `a: &a [${'[],'.repeat(999)}*a,*a]\n`,
      says: /refers to the value/,
    },
    { name: 'many thousand aliases', text: `a: &a 1\nb: [${'*a,'.repeat(5000)}]\n`, says: 'expand to more than' },
    { name: 'ten thousand brackets', text: '['.repeat(10_000), says: /JSON|YAML|levels/ },
    {
      name: 'a list that is cut off, in a file called YAML',
      text: '[{kind: Pod}, {"a": 1]',
      says: /^web\.yaml:1: YAML: /,
    },
    { name: 'ten thousand braces of JSON', text: '{"a":'.repeat(10_000), says: /levels/ },
    {
      name: 'a deep block',
      text: Array.from({ length: 1000 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'),
      says: /levels/,
    },
  ])('ends quickly on $name', ({ text, says }) => {
    const problems = problemsOf(text)
    expect(problems).toHaveLength(1)
    expect(problems[0]).toMatch(says)
  })
})

describe('YAML as people write it', () => {
  const namesIn = (text: string | Uint8Array, path = 'a.yaml'): readonly string[] => {
    const { objects, problems } = readManifests([{ path, text }])
    expect(problems.map(formatProblem)).toEqual([])
    return objects.map(({ object, source }) => `${object.kind} ${object.metadata.name} ${source.line}`)
  }
  const ns = (name: string): string => `apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ${name}\n`

  test.each<{ name: string; text: string | Uint8Array; objects: readonly string[] }>([
    { name: 'several documents', text: `${ns('a')}---\n${ns('b')}`, objects: ['Namespace a 1', 'Namespace b 6'] },
    { name: 'noise of dashes', text: `---\n---\n# x\n---\n${ns('a')}---\n---\n`, objects: ['Namespace a 5'] },
    { name: 'a comment after dashes', text: `--- # Source: x\n${ns('a')}`, objects: ['Namespace a 2'] },
    { name: 'an end mark', text: `${ns('a')}...\n---\n${ns('b')}...\n`, objects: ['Namespace a 1', 'Namespace b 7'] },
    { name: 'a YAML directive', text: `%YAML 1.2\n---\n${ns('a')}`, objects: ['Namespace a 3'] },
    { name: 'a byte order mark', text: `\ufeff${ns('a')}`, objects: ['Namespace a 1'] },
    {
      name: 'Windows line ends',
      text: `${ns('a')}---\n${ns('b')}`.replaceAll('\n', '\r\n'),
      objects: ['Namespace a 1', 'Namespace b 6'],
    },
    {
      name: 'UTF-16 with a mark',
      text: new Uint8Array(Buffer.from(`\ufeff${ns('a')}`, 'utf16le')),
      objects: ['Namespace a 1'],
    },
    { name: 'flow style', text: '{apiVersion: v1, kind: Namespace, metadata: {name: a}}', objects: ['Namespace a 1'] },
    {
      name: 'JSON',
      text: '\n{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"a"}}',
      objects: ['Namespace a 2'],
    },
    {
      name: 'JSON one after another',
      text: '{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"a"}}\n{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"b"}}',
      objects: ['Namespace a 1', 'Namespace b 2'],
    },
    {
      name: 'anchors and merge keys',
      text: 'apiVersion: v1\nkind: List\nx: &m {apiVersion: v1, kind: Namespace}\nitems:\n- <<: *m\n  metadata: &n {name: a}\n- <<: *m\n  metadata: {<<: *n, name: b}\n',
      objects: ['Namespace a 5', 'Namespace b 7'],
    },
    {
      name: 'a List as kubectl prints it',
      text: 'apiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Namespace\n  metadata:\n    name: a\n- apiVersion: v1\n  kind: Namespace\n  metadata:\n    name: b\nkind: List\nmetadata:\n  resourceVersion: ""\n',
      objects: ['Namespace a 3', 'Namespace b 7'],
    },
    {
      name: 'a typed list',
      text: '{"apiVersion":"v1","kind":"NamespaceList","items":[{"metadata":{"name":"a"}},\n{"metadata":{"name":"b"}}]}',
      objects: ['Namespace a 1', 'Namespace b 2'],
    },
    {
      name: 'an empty List',
      text: `apiVersion: v1\nkind: List\nitems: []\n---\n${ns('a')}`,
      objects: ['Namespace a 5'],
    },
    {
      name: 'a literal with dashes in it',
      text: 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  x: |\n    ---\n    b\n',
      objects: ['ConfigMap a 1'],
    },
  ])('$name', ({ text, objects }) => {
    expect(namesIn(text)).toEqual(objects)
  })

  test('a null is an absent field, and in a map of texts an empty text', () => {
    const text = service('selector:\n  app:\nclusterIP: null\nports:\n- port: 80\n  name: ~\n')
    const spec = { selector: { app: '' }, ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }] }
    const { objects } = readManifests([{ path: 'a.yaml', text }])
    expect(objects[0]?.object).toMatchObject({ spec })
    expect(objects[0]?.object).not.toHaveProperty('spec.clusterIP')
  })

  test('yes is a boolean, as Kubernetes reads it', () => {
    const pod = (value: string) =>
      `apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  labels: {yes: "no"}\nspec:\n  hostNetwork: ${value}\n  containers: []\n`
    expect(readManifests([{ path: 'a.yaml', text: pod('yes') }]).objects[0]?.object).toMatchObject({
      metadata: { labels: { yes: 'no' } },
      spec: { hostNetwork: true },
    })
    expect(problemsOf(pod('"yes"'))).toEqual([
      'web.yaml:7: Pod default/a: spec.hostNetwork: expected true or false, found "yes"',
    ])
  })
})

describe('an object of another version or kind', () => {
  const read = (apiVersion: string, kind: string, rest = '') =>
    readManifests([{ path: 'a.yaml', text: `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata:\n  name: a\n${rest}` }])
  const template = 'spec:\n  template:\n    metadata:\n      labels:\n        app: a\n    spec:\n      containers: []\n'

  test.each([
    { old: 'extensions/v1beta1', kind: 'Deployment', now: 'apps/v1', rest: template },
    { old: 'extensions/v1beta1', kind: 'DaemonSet', now: 'apps/v1', rest: template },
    { old: 'apps/v1beta2', kind: 'StatefulSet', now: 'apps/v1', rest: template },
    { old: 'extensions/v1beta1', kind: 'NetworkPolicy', now: 'networking.k8s.io/v1', rest: 'spec: {}\n' },
    {
      old: 'batch/v1beta1',
      kind: 'CronJob',
      now: 'batch/v1',
      rest: `spec:\n  jobTemplate:\n${template.replace(/^/gm, '    ')}`,
    },
  ])('$old $kind is read as $now', ({ old, kind, now, rest }) => {
    const { objects, problems } = read(old, kind, rest)
    expect(problems.map(formatProblem)).toEqual([])
    expect(objects[0]?.object).toMatchObject({ apiVersion: now, kind })
  })

  test('of a removed workload version selects by the labels of its template', () => {
    expect(read('extensions/v1beta1', 'Deployment', template).objects[0]?.object).toMatchObject({
      spec: { selector: { matchLabels: { app: 'a' } }, replicas: 1 },
    })
  })

  test('of the old slices keeps the node in its topology', () => {
    const rest =
      'addressType: IPv4\nendpoints:\n- addresses: [10.0.0.1]\n  topology: {kubernetes.io/hostname: node-a}\n'
    expect(read('discovery.k8s.io/v1beta1', 'EndpointSlice', rest).objects[0]?.object).toMatchObject({
      endpoints: [{ addresses: ['10.0.0.1'], nodeName: 'node-a' }],
    })
  })

  test.each([
    {
      apiVersion: 'v1',
      kind: 'Deployment',
      says: 'a.yaml:1: Deployment a: apiVersion: version v1 of this kind is not known; use apps/v1',
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deploymnet',
      says: 'a.yaml:2: Deploymnet a: kind: warning: the kind "Deploymnet" is not known and is ignored; did you mean "Deployment"?',
    },
    {
      apiVersion: 'kubehop.dev/v1alpha1',
      kind: 'Underly',
      says: 'a.yaml:2: Underly a: kind: expected Underlay, NodeState or Expectation, found "Underly"; did you mean "Underlay"?',
    },
  ])('$apiVersion $kind is told', ({ apiVersion, kind, says }) => {
    expect(read(apiVersion, kind).problems.map(formatProblem)).toEqual([says])
  })

  test('that is not read is kept and counted', () => {
    const { objects, problems, ignored } = read('cilium.io/v2', 'CiliumNode', 'spec:\n  ipam: {}\n')
    expect(problems).toEqual([])
    expect([...ignored]).toEqual([['CiliumNode.cilium.io', 1]])
    expect(objects[0]?.object).toMatchObject({ spec: { ipam: {} } })
  })

  test('of Calico is read in either of its groups', () => {
    for (const version of ['crd.projectcalico.org/v1', 'projectcalico.org/v3']) {
      const good = read(version, 'IPPool', 'spec:\n  cidr: 10.0.0.0/8\n')
      expect([good.problems, good.ignored.size]).toEqual([[], 0])
      const bad = read(version, 'IPPool', 'spec:\n  cidr: 10.0.0.0/8\n  ipipMode: Sometimes\n')
      expect(bad.problems.map(formatProblem)).toEqual([
        'a.yaml:7: IPPool a: spec.ipipMode: expected Never, Always or CrossSubnet, found "Sometimes"',
      ])
    }
  })

  test('gets a name where it has only the beginning of one', () => {
    const pod = 'apiVersion: v1\nkind: Pod\nmetadata: {generateName: a-}\nspec: {containers: []}\n'
    const { objects } = readManifests([{ path: 'a.yaml', text: `${pod}---\n${pod}` }])
    expect(objects.map((o) => o.object.metadata.name)).toEqual(['a-00001', 'a-00002'])
  })
})

describe('a wrong field', () => {
  test.each([
    {
      name: 'type',
      spec: 'ports:\n- port: 80\n  targetPort: true',
      says: 'web.yaml:8: Service default/web: spec.ports[0].targetPort: expected an integer or a string, found true',
    },
    {
      name: 'integer given as a string',
      spec: 'ports:\n- port: "80"',
      says: 'web.yaml:7: Service default/web: spec.ports[0].port: expected an integer, found "80"',
    },
    {
      name: 'port out of range',
      spec: 'ports:\n- port: 70000',
      says: 'web.yaml:7: Service default/web: spec.ports[0].port: expected 1 to 65535, found 70000',
    },
    {
      name: 'fraction',
      spec: 'ports:\n- port: 80.5',
      says: 'web.yaml:7: Service default/web: spec.ports[0].port: expected an integer, found 80.5',
    },
    {
      name: 'port missing',
      spec: 'ports:\n- name: http',
      says: 'web.yaml:7: Service default/web: spec.ports[0]: port is missing',
    },
    {
      name: 'port misspelt',
      spec: 'ports:\n- prot: 80',
      says: 'web.yaml:7: Service default/web: spec.ports[0]: port is missing; did you mean it by "prot"?',
    },
    {
      name: 'map for a list',
      spec: 'ports:\n  port: 80',
      says: 'web.yaml:6: Service default/web: spec.ports: expected a list, found an object',
    },
    {
      name: 'unknown word',
      spec: 'type: Nodeport\nports:\n- port: 80',
      says: 'web.yaml:6: Service default/web: spec.type: expected ClusterIP, NodePort, LoadBalancer or ExternalName, found "Nodeport"; did you mean "NodePort"?',
    },
    {
      name: 'label that is no text',
      spec: 'selector:\n  version: 1\nports:\n- port: 80',
      says: 'web.yaml:7: Service default/web: spec.selector.version: expected a string, found 1; put it in quotes',
    },
    {
      name: 'null in a list',
      spec: 'ports:\n- ',
      says: 'web.yaml:7: Service default/web: spec.ports[0]: expected a map of fields, found null',
    },
  ])('$name', ({ spec, says }) => {
    expect(problemsOf(service(spec))).toEqual([says])
  })

  test('is found on its line in a JSON List as well', () => {
    const text = JSON.stringify(
      {
        apiVersion: 'v1',
        kind: 'List',
        items: [{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' }, spec: { ports: [{ port: true }] } }],
      },
      null,
      1,
    )
    const line = text.split('\n').findIndex((l) => l.includes('"port"')) + 1
    expect(problemsOf(text, 'x.json')).toEqual([
      `x.json:${line}: Service default/web: spec.ports[0].port: expected an integer, found true`,
    ])
  })

  test('is found on its line in an item of a YAML List as well', () => {
    const item = service('ports:\n- port: true').replace(/^/gm, '  ').replace('  ', '- ')
    const text = `apiVersion: v1\nitems:\n${item}\nkind: List\n`
    const line = text.split('\n').findIndex((l) => l.includes('port: true')) + 1
    expect(problemsOf(text)).toEqual([
      `web.yaml:${line}: Service default/web: spec.ports[0].port: expected an integer, found true`,
    ])
  })

  test('of our own kinds is told when it does not exist', () => {
    const text = 'apiVersion: kubehop.dev/v1alpha1\nkind: Underlay\nmetadata: {name: u}\nspec:\n  segmnets: []\n'
    expect(problemsOf(text)).toEqual([
      'web.yaml:5: Underlay u: spec: there is no field "segmnets" here; did you mean "segments"?',
    ])
  })

  test('does not stop the others from being told', () => {
    const text = `${service('type: X\nports:\n- port: true')}\n---\n${service('ports: []').replace('web', 'b c')}\n---\na: b: c\n`
    expect(
      loadManifests([{ path: 'a.yaml', text }])
        .problems.map((p) => p.code)
        .sort(),
    ).toEqual(['API_REFUSES', 'INVALID_NAME', 'NOT_ONE_OF', 'WRONG_TYPE', 'YAML_SYNTAX'])
  })
})

test('any JSON value as a document is read or told about, never thrown on', () => {
  const objectLike = fc.record(
    {
      apiVersion: fc.oneof(
        fc.constantFrom('v1', 'apps/v1', 'networking.k8s.io/v1', 'kubehop.dev/v1alpha1'),
        fc.jsonValue(),
      ),
      kind: fc.oneof(
        fc.constantFrom('Pod', 'Service', 'Node', 'Deployment', 'NetworkPolicy', 'List', 'Underlay', 'ConfigMap'),
        fc.jsonValue(),
      ),
      metadata: fc.oneof(fc.record({ name: fc.string() }), fc.jsonValue()),
      spec: fc.jsonValue(),
      items: fc.jsonValue(),
      status: fc.jsonValue(),
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), objectLike), fc.boolean(), (value, pretty) => {
      const text = JSON.stringify(value, null, pretty ? 2 : 0)
      for (const path of ['a.yaml', 'a.json']) {
        const result = loadManifests([{ path, text }])
        for (const p of result.problems) expect(formatProblem(p)).toMatch(/^a\.(yaml|json):/)
      }
    }),
    { numRuns: 200 },
  )
})

test('any text is read or told about, never thrown on', () => {
  const piece = fc.constantFrom(
    'apiVersion: v1\n',
    'kind: Pod\n',
    '---\n',
    '- ',
    'a: ',
    '{',
    '}',
    '[',
    '"',
    "'",
    '|\n',
    '  ',
    '\n',
    '#',
    '&a ',
    '*a',
    '{{ x }}',
    '\t',
    ': ',
    '%YAML 1.1\n',
    '...\n',
    '!!binary x',
    '<<: ',
    '\0',
    'é',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 25 }), (pieces) => {
      const { problems } = loadManifests([{ path: 'a.yaml', text: pieces.join('') }])
      for (const p of problems) expect(formatProblem(p).length).toBeGreaterThan(8)
    }),
    { numRuns: 200 },
  )
})
