import { readBlockYaml } from './block-yaml.ts'
import type { SourceText, Stretch } from './document-source.ts'
import { jsonEntries, scanJson, skipSpace } from './json.ts'
import { type Problem, problem } from './problem.ts'
import { maxAliases, readYaml, type YamlFault } from './yaml.ts'

/** One document of a file. */
export interface ReadDocument extends Stretch {
  readonly value: unknown
  /** Stretches of the entries of a top-level list `items`, found when asked for. */
  items(): readonly Stretch[]
  readonly hasNull: boolean
  readonly hasAliases: boolean
}

export interface ReadDocuments {
  readonly documents: readonly ReadDocument[]
  readonly problems: readonly Problem[]
}

/** All documents of a file; one that is broken does not hide the others. */
export function readDocuments(file: SourceText): ReadDocuments {
  const first = file.text.charCodeAt(skipSpace(file.text, 0))
  const isJson = first === 123 || first === 91 || file.path.toLowerCase().endsWith('.json')
  if (!isJson || /^\s*\{[{%]/.test(file.text)) return readYamlDocuments(file)
  const json = readJsonDocuments(file)
  if (json.problems.length === 0 || file.path.toLowerCase().endsWith('.json')) return json
  // `{kind: Pod}` is YAML, though it begins like JSON. Where it is neither, the JSON message is the better one, but for a list
  // in a file that is called YAML: no JSON of Kubernetes is one.
  const yaml = readYamlDocuments(file)
  const looksJson = /^\s*[{[]\s*["{[\]}]/.test(file.text) && !(first === 91 && isNamedYaml(file.path))
  return yaml.problems.length === 0 || !looksJson ? yaml : json
}

const isNamedYaml = (path: string): boolean => /\.ya?ml$/i.test(path)

function readJsonDocuments(file: SourceText): ReadDocuments {
  const documents: ReadDocument[] = []
  const problems: Problem[] = []
  for (let at = skipSpace(file.text, 0); at < file.text.length; ) {
    const scan = scanJson(file.text, at)
    for (const { offset, key } of scan.duplicates) problems.push(fault('DUPLICATE_KEY', file, offset, { key }))
    if (scan.fault) {
      const { offset, expected } = scan.fault
      const found = offset >= file.text.length ? 'the end of the file' : JSON.stringify(file.text[offset])
      const args = { column: file.columnAt(offset), expected, found }
      problems.push(fault('JSON_SYNTAX', file, offset, args))
      break
    }
    documents.push(jsonDocument(file, at, scan.end))
    at = skipSpace(file.text, scan.end)
  }
  return { documents, problems }
}

function jsonDocument(file: SourceText, from: number, to: number): ReadDocument {
  const text = from === 0 && to === file.text.length ? file.text : file.text.slice(from, to)
  return {
    format: 'json',
    from,
    to,
    value: JSON.parse(text) as unknown,
    items: () => jsonEntries(file.text, from, ['items']).map((range) => ({ format: 'json', ...range })),
    hasNull: text.includes('null'),
    hasAliases: false,
  }
}

function readYamlDocuments(file: SourceText): ReadDocuments {
  const documents: ReadDocument[] = []
  const problems: Problem[] = []
  for (const { from, to } of splitDocuments(file.text)) {
    const plain = readBlockYaml(file.text, from, to)
    if (plain) {
      const { value, hasNull } = plain
      const items = () => (plain.items ?? []).map((r) => yamlStretch(0, r))
      documents.push({
        ...yamlStretch(0, { from: plain.offset, to }),
        value,
        items,
        hasNull,
        hasAliases: false,
      })
      continue
    }
    const text = file.text.slice(from, to)
    const read = readYaml(text)
    if (!read.ok) {
      problems.push(...read.faults.map((f) => toProblem(file, from, text, f)))
      continue
    }
    for (const { value, offset, items, hasAliases } of read.documents) {
      const ranges = () => (items ?? []).map((r) => yamlStretch(from, r))
      documents.push({
        ...yamlStretch(from, { from: offset, to: text.length }),
        value,
        items: ranges,
        hasNull: true,
        hasAliases,
      })
    }
  }
  return { documents, problems: templateInstead(file, problems) }
}

const yamlStretch = (base: number, range: { from: number; to: number }): Stretch => ({
  format: 'yaml',
  from: base + range.from,
  to: base + range.to,
})

/**
 * `---` at the start of a line always begins a document (YAML 1.2, section 9.1.2), whatever surrounds it. A piece that holds
 * nothing but directives and comments belongs to the next.
 */
function splitDocuments(text: string): readonly { readonly from: number; readonly to: number }[] {
  const pieces: { from: number; to: number }[] = []
  let from = 0
  for (let at = text.startsWith('---') ? 0 : text.indexOf('\n---'); at >= 0; at = text.indexOf('\n---', at + 1)) {
    const start = text[at] === '\n' ? at + 1 : at
    if (!/^[\s]?$/.test(text.charAt(start + 3)) || start === 0) continue
    if (/^(?:\s*(?:#.*)?\n)*%/.test(text.slice(from, start)) && !/\n\.\.\./.test(text.slice(from, start))) {
      const piece = text.slice(from, start)
      if (/^(?:[ \t]*(?:#.*)?\n|%.*\n)*$/.test(piece)) continue
    }
    pieces.push({ from, to: start })
    from = start
  }
  pieces.push({ from, to: text.length })
  return pieces
}

function toProblem(file: SourceText, base: number, text: string, f: YamlFault): Problem {
  const offset = base + Math.min(f.offset, Math.max(0, text.length - 1))
  const column = file.columnAt(offset)
  switch (f.kind) {
    case 'syntax':
      return fault('YAML_SYNTAX', file, offset, { column, message: f.message })
    case 'tab':
      return fault('TAB_INDENT', file, offset, { column })
    case 'duplicate-key':
      return fault('DUPLICATE_KEY', file, offset, { key: f.key })
    case 'aliases':
      return fault('TOO_MANY_ALIASES', file, offset, { limit: maxAliases })
    case 'depth':
      return fault('TOO_DEEP', file, offset, { limit: 500 })
  }
}

/** Helm and Jinja templates break as YAML in many ways; one hint says more than all of them. */
function templateInstead(file: SourceText, problems: readonly Problem[]): readonly Problem[] {
  const template = /\{\{.*|\{%.*/.exec(file.text)
  if (problems.length === 0 || !template) return problems
  return [fault('TEMPLATE', file, template.index, { text: template[0].trimEnd() })]
}

function fault<Code extends Parameters<typeof problem>[0]>(
  code: Code,
  file: SourceText,
  offset: number,
  args: Parameters<typeof problem<Code>>[2],
): Problem {
  return problem(code, { at: { file: file.path, line: file.lineAt(offset) } }, args)
}
