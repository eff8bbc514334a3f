import {
  type Document,
  type DocumentOptions,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  type ParseOptions,
  parseAllDocuments,
  parseDocument,
  type ScalarTag,
  type SchemaOptions,
  stringify,
  type Tags,
  visit,
} from 'yaml'
import type { FieldPath } from './field-path.ts'

/** A document as a value, with the places of its parts as offsets into the text that was parsed. */
export interface YamlDocument {
  readonly value: unknown
  readonly offset: number
  /** Where the entries of a top-level list `items` are. */
  readonly items: readonly YamlRange[] | undefined
  readonly hasAliases: boolean
}

export interface YamlRange {
  readonly from: number
  readonly to: number
}

export type YamlFault =
  | { readonly kind: 'syntax'; readonly offset: number; readonly message: string }
  | { readonly kind: 'tab'; readonly offset: number }
  | { readonly kind: 'duplicate-key'; readonly offset: number; readonly key: string }
  | { readonly kind: 'aliases'; readonly offset: number }
  | { readonly kind: 'depth'; readonly offset: number }

export type YamlResult =
  | { readonly ok: true; readonly documents: readonly YamlDocument[] }
  | { readonly ok: false; readonly faults: readonly YamlFault[] }

/** Aliases that one document may use. Each costs a search, and real manifests have a handful. */
export const maxAliases = 1_000

// YAML 1.1 takes these words for booleans, and so does the YAML reader of Kubernetes.
const booleanWords: ScalarTag = {
  identify: (value) => typeof value === 'boolean',
  default: true,
  tag: 'tag:yaml.org,2002:bool',
  test: /^(?:yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF)$/,
  resolve: (text) => /^(?:yes|on)$/i.test(text),
}

const options: ParseOptions & DocumentOptions & SchemaOptions = {
  version: '1.2',
  merge: true,
  stringKeys: true,
  uniqueKeys: false, // its own check is quadratic; ours follows
  resolveKnownTags: false,
  prettyErrors: false,
  logLevel: 'silent',
  customTags: (tags: Tags) => [booleanWords, ...tags],
}

/** Any YAML text, of any number of documents. */
export function readYaml(text: string): YamlResult {
  try {
    const parsed = parseAllDocuments(text, options)
    const documents = Array.isArray(parsed) ? parsed : []
    const faults = documents.flatMap((d) => faultsOf(d))
    if (faults.length > 0) return { ok: false, faults }
    return { ok: true, documents: documents.map(toDocument) }
  } catch (e) {
    return { ok: false, faults: [thrown(e)] }
  }
}

/** The document asked about last: an object with one problem often has more. */
let latest: { readonly text: string; readonly document: Document.Parsed } | undefined

function parsedForPlaces(text: string): Document.Parsed {
  if (latest?.text !== text) latest = { text, document: parseDocument(text, options) }
  return latest.document
}

/** Offset of the field at `path`, of its nearest parent where it is absent. `text` holds one document. */
export function yamlOffsetOf(text: string, path: FieldPath): number {
  const document = parsedForPlaces(text)
  let node: unknown = document.contents
  let offset = isNode(node) ? (node.range?.[0] ?? 0) : 0
  for (const step of path) {
    node = isAlias(node) ? node.resolve(document) : node
    if (isMap(node)) {
      const pair = node.items.find((p) => (isScalar(p.key) ? String(p.key.value) : undefined) === String(step))
      if (!pair) break
      offset = rangeStart(pair.key) ?? offset
      node = pair.value
    } else if (isSeq(node) && typeof step === 'number' && node.items[step] !== undefined) {
      node = node.items[step]
      offset = rangeStart(node) ?? offset
    } else break
  }
  return offset
}

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && 'range' in value
const rangeStart = (node: unknown): number | undefined => (isNode(node) ? node.range?.[0] : undefined)

function thrown(e: unknown): YamlFault {
  if (e instanceof RangeError) return { kind: 'depth', offset: 0 }
  return { kind: 'syntax', offset: 0, message: e instanceof Error ? e.message : String(e) }
}

function faultsOf(document: Document.Parsed): readonly YamlFault[] {
  const [error] = document.errors
  if (error) {
    const offset = error.pos[0]
    if (error.code === 'TAB_AS_INDENT') return [{ kind: 'tab', offset }]
    if (error.code === 'RESOURCE_EXHAUSTION') return [{ kind: 'depth', offset }]
    return [{ kind: 'syntax', offset, message: decapitalised(error.message) }]
  }
  const duplicates: YamlFault[] = []
  let aliases = 0
  let firstAlias = 0
  visit(document, {
    Alias: (_, alias) => {
      if (aliases++ === 0) firstAlias = alias.range?.[0] ?? 0
    },
    Map: (_, map) => {
      const seen = new Set<unknown>()
      for (const { key } of map.items) {
        const name = isScalar(key) ? String(key.value) : undefined
        if (name !== undefined && name !== '<<' && seen.has(name)) {
          duplicates.push({ kind: 'duplicate-key', offset: rangeStart(key) ?? 0, key: name })
        }
        seen.add(name)
      }
    },
  })
  if (aliases > maxAliases) return [...duplicates, { kind: 'aliases', offset: firstAlias }]
  return duplicates
}

const decapitalised = (text: string): string => text.slice(0, 1).toLowerCase() + text.slice(1)

function toDocument(document: Document.Parsed): YamlDocument {
  const { contents } = document
  let hasAliases = false
  visit(document, {
    Alias: () => {
      hasAliases = true
      return visit.BREAK
    },
  })
  return {
    value: document.toJS({ maxAliasCount: -1 }), // bounded above, and by whoever walks the value
    offset: rangeStart(contents) ?? 0,
    items: itemRanges(contents),
    hasAliases,
  }
}

function itemRanges(contents: unknown): readonly YamlRange[] | undefined {
  if (!isMap(contents)) return undefined
  const items = contents.items.find((p) => isScalar(p.key) && p.key.value === 'items')?.value
  if (!isSeq(items)) return undefined
  return items.items.map((item) => {
    const range = isNode(item) ? item.range : undefined
    return { from: range?.[0] ?? 0, to: range?.[1] ?? 0 }
  })
}

/** A value as YAML in block style, as kubectl prints it. */
export const stringifyYaml = (value: unknown): string =>
  stringify(value, { lineWidth: 0, aliasDuplicateObjects: false })

/** The one document in a field of a ConfigMap; undefined where it is none. */
export function parseEmbeddedYaml(text: string): unknown {
  const read = readYaml(text)
  return read.ok ? read.documents[0]?.value : undefined
}
