import { decode } from './decode.ts'
import { withDefaults } from './defaults.ts'
import { documentSource, SourceText, type Stretch } from './document-source.ts'
import { type ReadDocument, readDocuments } from './documents.ts'
import type { FieldPath } from './field-path.ts'
import { calicoKindOf, groupOf, isNamespaced, knownResources, resourceKey, resourceOf } from './kinds.ts'
import { nearestName } from './names.ts'
import type { KnownKind } from './objects/kinds.ts'
import type { KubeObject, ObjectRef } from './objects/meta.ts'
import { dropNulls, maxDepth, maxExpanded } from './plain-value.ts'
import { type Problem, type ProblemArgs, type ProblemCode, problem } from './problem.ts'
import { calicoProblems, schemaProblems } from './schema-problems.ts'
import type { Source } from './source.ts'
import { kindsOfGroup, modernised, readAs } from './versions.ts'

/** A file as it came: its name for messages, and its content. `-` is standard input. */
export interface ManifestFile {
  readonly path: string
  readonly text: string | Uint8Array
}

export interface Loaded {
  readonly object: KubeObject
  readonly source: Source
}

export interface ReadResult {
  /** Objects that passed their schema, defaults filled in, in the order in which they stand. */
  readonly objects: readonly Loaded[]
  /** Every object of a kind that is read, also those that failed their schema: these as their names alone. */
  readonly named: readonly Loaded[]
  readonly problems: readonly Problem[]
  /** Kinds that are not read, as `resourceKey` names them, with their number. */
  readonly ignored: ReadonlyMap<string, number>
}

export interface ReadOptions {
  /** For namespaced objects that name none; `-n` on the command line. Default `default`. */
  readonly namespace?: string
}

/** Reads any number of files; every problem of all of them comes back. */
export function readManifests(files: readonly ManifestFile[], options: ReadOptions = {}): ReadResult {
  const reading: Reading = {
    namespace: options.namespace ?? 'default',
    objects: [],
    named: [],
    problems: [],
    ignored: new Map(),
    generated: new Map(),
  }
  for (const file of files) readFile(file, reading)
  return reading
}

interface Reading {
  readonly namespace: string
  readonly objects: Loaded[]
  readonly named: Loaded[]
  readonly problems: Problem[]
  readonly ignored: Map<string, number>
  readonly generated: Map<string, number>
}

type Fields = Record<string, unknown>

function readFile(file: ManifestFile, reading: Reading): void {
  const at = { file: file.path }
  const decoded = decode(file.text)
  if (decoded.kind !== 'text') {
    const code = decoded.kind === 'binary' ? 'BINARY_FILE' : 'NOT_UTF8'
    reading.problems.push(problem(code, { at }, { offset: decoded.offset }))
    return
  }
  if (file.path === '-' && decoded.text.trim() === '') {
    reading.problems.push(problem('EMPTY_INPUT', { at }, {}))
    return
  }
  const text = new SourceText(file.path, decoded.text)
  const { documents, problems } = readDocuments(text)
  reading.problems.push(...problems)
  const before = reading.objects.length + reading.problems.length + total(reading.ignored)
  for (const document of documents) readDocument(text, document, reading)
  if (problems.length === 0 && before === reading.objects.length + reading.problems.length + total(reading.ignored)) {
    reading.problems.push(problem('NO_OBJECTS', { at }, {}))
  }
}

const limits = { aliases: maxExpanded, depth: maxDepth } as const

const total = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((sum, n) => sum + n, 0)

function readDocument(file: SourceText, document: ReadDocument, reading: Reading): void {
  const { value } = document
  if (value === null || value === undefined) return
  if (document.hasNull || document.hasAliases) {
    const fault = dropNulls(value, document.hasAliases ? maxExpanded : undefined)
    if (fault) {
      const at = { file: file.path, line: file.lineAt(document.from) }
      reading.problems.push(
        fault === 'cycle'
          ? problem('ALIAS_CYCLE', { at }, {})
          : problem(fault === 'aliases' ? 'TOO_MANY_ALIASES' : 'TOO_DEEP', { at }, { limit: limits[fault] }),
      )
      return
    }
  }
  readValue(file, value, document, () => document.items(), reading)
}

function readValue(
  file: SourceText,
  value: unknown,
  stretch: Stretch,
  itemStretches: () => readonly Stretch[],
  reading: Reading,
): void {
  const source = documentSource(file, stretch)
  if (isKustomization(file.path, value)) {
    reading.problems.push(problem('KUSTOMIZATION', { at: placeOf(source, []) }, {}))
    return
  }
  if (!isFields(value)) {
    reading.problems.push(problem('NOT_AN_OBJECT', { at: placeOf(source, []) }, { found: value }))
    return
  }
  if (isList(value)) readList(file, value, stretch, itemStretches, reading)
  else readObject(value, source, reading)
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isKustomization = (path: string, value: unknown): boolean => {
  const named = /(^|[\\/])kustomization(\.ya?ml)?$/i.test(path)
  if (!isFields(value)) return named
  if (typeof value.apiVersion === 'string' && groupOf(value.apiVersion) === 'kustomize.config.k8s.io') return true
  return named && value.kind === undefined
}

/** `List`, and `PodList` and its like, as the API answers. */
const isList = (value: Fields): boolean =>
  typeof value.kind === 'string' &&
  value.kind.endsWith('List') &&
  (value.kind === 'List' || Array.isArray(value.items) || (value.items === undefined && !('spec' in value)))

function readList(
  file: SourceText,
  list: Fields,
  stretch: Stretch,
  itemStretches: () => readonly Stretch[],
  reading: Reading,
): void {
  if (list.items === undefined) return
  if (!Array.isArray(list.items)) {
    const at = placeOf(documentSource(file, stretch), ['items'])
    reading.problems.push(problem('WRONG_TYPE', { at, path: ['items'] }, { expected: 'a list', found: list.items }))
    return
  }
  const kind = String(list.kind).slice(0, -'List'.length)
  const stretches = lazily(itemStretches)
  list.items.forEach((item: unknown, i) => {
    const typed = isFields(item) && kind !== '' ? { apiVersion: list.apiVersion, kind, ...item } : item
    const own: Stretch = {
      format: stretch.format,
      get from() {
        return stretches()[i]?.from ?? stretch.from
      },
      get to() {
        return stretches()[i]?.to ?? stretch.to
      },
    }
    // Lists in lists are rare: the places in them are those of the outer entry.
    readValue(file, typed, own, () => [], reading)
  })
}

function lazily<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}

const placeOf = (source: Source, path: FieldPath) => ({
  file: source.file,
  line: path.length === 0 ? source.line : source.lineOf(path),
})

function readObject(value: Fields, source: Source, reading: Reading): void {
  const report = <Code extends ProblemCode>(code: Code, path: FieldPath, args: ProblemArgs[Code]): void => {
    reading.problems.push(problem(code, { at: placeOf(source, path), object: refOf(value), path }, args))
  }
  const header = headerOf(value, report)
  if (!header) return
  const { apiVersion } = header
  const as = readAs(apiVersion, header.kind)
  switch (as.kind) {
    case 'unsupported':
      report('UNSUPPORTED_VERSION', ['apiVersion'], { found: apiVersion, supported: as.supported })
      break
    case 'unread':
      keepUnread(value, header, source, reading, report)
      break
    case 'known':
      readKnown(as.known, modernised(value, as.apiVersion), apiVersion !== as.apiVersion, source, reading)
  }
}

type Report = <Code extends ProblemCode>(code: Code, path: FieldPath, args: ProblemArgs[Code]) => void

interface Header {
  readonly apiVersion: string
  readonly kind: string
}

function headerOf(value: Fields, report: Report): Header | undefined {
  for (const field of ['apiVersion', 'kind']) {
    const found = value[field]
    if (found === undefined) {
      report('MISSING_FIELD', [], { field, nearest: nearestName(field, Object.keys(value)) })
      return undefined
    }
    if (typeof found !== 'string' || found === '') {
      report('WRONG_TYPE', [field], { expected: 'a text such as "v1"', found })
      return undefined
    }
  }
  return { apiVersion: String(value.apiVersion), kind: String(value.kind) }
}

/** As much of an object's name as there is, for messages. */
function refOf(value: Fields): ObjectRef | undefined {
  const metadata = isFields(value.metadata) ? value.metadata : {}
  if (typeof value.kind !== 'string') return undefined
  const name = typeof metadata.name === 'string' ? metadata.name : '(no name)'
  const scoped = isNamespaced(String(value.apiVersion), value.kind) !== false
  const namespace = typeof metadata.namespace === 'string' ? metadata.namespace : undefined
  return { kind: value.kind, name, ...(scoped && namespace !== undefined ? { namespace } : {}) }
}

function keepUnread(value: Fields, header: Header, source: Source, reading: Reading, report: Report): void {
  const group = groupOf(header.apiVersion)
  const nearest = nearestName(header.kind, kindsOfGroup(group))
  if (group === 'kubehop.dev') {
    const allowed = kindsOfGroup(group)
    report('NOT_ONE_OF', ['kind'], { allowed, found: header.kind, nearest })
    return
  }
  if (nearest !== undefined && resourceOf(header.apiVersion, header.kind) === undefined) {
    report('UNKNOWN_KIND', ['kind'], { found: header.kind, nearest })
  }
  const calico = calicoKindOf(header.apiVersion, header.kind)
  const faults = calico
    ? calicoProblems(calico, value, source, refOf(value))
    : schemaProblems('', value, source, refOf(value))
  reading.problems.push(...faults)
  const key = resourceKey(header)
  if (!calico) reading.ignored.set(key, (reading.ignored.get(key) ?? 0) + 1)
  if (faults.length > 0) return
  const metadata = { name: '', ...(isFields(value.metadata) ? value.metadata : {}) }
  const placed = isNamespaced(header.apiVersion, header.kind) ? { namespace: reading.namespace, ...metadata } : metadata
  const loaded = { object: { ...value, ...header, metadata: placed }, source }
  reading.objects.push(loaded)
  reading.named.push(loaded)
}

function readKnown(kind: KnownKind, value: Readonly<Fields>, removed: boolean, source: Source, reading: Reading): void {
  const named = { ...value, metadata: namedMetadata(kind, value, reading) }
  const faults = schemaProblems(kind, named, source, refOf(named))
  reading.problems.push(...faults)
  if (faults.length > 0) {
    const object = nameAlone(kind, named)
    if (object) reading.named.push({ object, source })
    return
  }
  const loaded = { object: withDefaults(kind, named, removed) as unknown as KubeObject, source }
  reading.objects.push(loaded)
  reading.named.push(loaded)
}

/** An object that failed its schema, reduced to what tells it from others; undefined where that failed, too. */
function nameAlone(kind: KnownKind, { apiVersion, metadata }: Readonly<Fields>): KubeObject | undefined {
  if (typeof apiVersion !== 'string' || !isFields(metadata)) return undefined
  const { name, namespace, labels } = metadata
  if (typeof name !== 'string' || (namespace !== undefined && typeof namespace !== 'string')) return undefined
  const texts = Object.entries(isFields(labels) ? labels : {}).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  )
  const placed = namespace === undefined ? {} : { namespace }
  return { apiVersion, kind, metadata: { name, ...placed, labels: Object.fromEntries(texts) } }
}

/** Puts in the namespace; and the name, where `generateName` asks for one: a number instead of chance. */
function namedMetadata(kind: KnownKind, value: Readonly<Fields>, reading: Reading): unknown {
  if (value.metadata !== undefined && !isFields(value.metadata)) return value.metadata
  const { namespace, ...metadata } = value.metadata ?? {}
  const { generateName } = metadata
  if (metadata.name === undefined && typeof generateName === 'string' && generateName !== '') {
    const key = `${kind} ${generateName}`
    const number = (reading.generated.get(key) ?? 0) + 1
    reading.generated.set(key, number)
    metadata.name = `${generateName}${String(number).padStart(5, '0')}`
  }
  if (!knownResources[kind].namespaced) return metadata
  return { ...metadata, namespace: namespace === undefined || namespace === '' ? reading.namespace : namespace }
}
