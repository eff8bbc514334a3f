import type { Destination, Matrix, PortCell } from '../trace/matrix.ts'
import type { MatrixGroup } from '../trace/matrix-groups.ts'
import { matrixGrid } from './matrix-grid.ts'
import { cellText, titleLine } from './matrix-text.ts'
import { unicode } from './paint.ts'

/** As `matrix.schema.json` describes it, told in pieces: there may be a million cells. */
export function* matrixJson(matrix: Matrix, enforced: boolean): Generator<string> {
  const { method, rows, columns, notes } = matrix
  const ends = (groups: readonly { readonly ends: readonly unknown[] }[]): number =>
    groups.reduce((sum, g) => sum + g.ends.length, 0)
  const head = {
    ...{ apiVersion: 'kubehop/v1', kind: 'ReachabilityMatrix', method, enforced },
    sources: rows.map(({ groups }) => ({ members: groups.map((g) => g.name), pods: ends(groups) })),
    destinations: columns.map(({ groups, ports }) => ({
      ...{ members: groups.map((g) => g.name), pods: ends(groups), ports },
    })),
    notes: notes.map(({ level, code, message }) => ({ level, code, message })),
  }
  yield JSON.stringify(head, undefined, 2).replace(/\n\}$/, ',\n  "cells": [')
  let before = '\n    '
  for (const from of rows.keys()) {
    for (const to of columns.keys()) {
      const cell = cellJson(matrix, from, to)
      if (!cell) continue
      yield before + JSON.stringify(cell)
      before = ',\n    '
    }
  }
  yield '\n  ]\n}\n'
}

function cellJson(matrix: Matrix, from: number, to: number): object | undefined {
  const ports = matrix.cell(from, to)
  const named = matrix.columns[to]?.ports ?? []
  if (ports.length === 0) return undefined
  const verdict = verdictOf(ports)
  const by = (port: string): readonly string[] => reasonsText(matrix, from, to, named.indexOf(port))
  return { from, to, verdict, ports: ports.map(({ port, allowed, total }) => ({ port, allowed, total, by: by(port) })) }
}

function reasonsText(matrix: Matrix, row: number, column: number, port: number): readonly string[] {
  const { common, others } = matrix.reasons(row, column, port)
  return [...common, ...others]
}

const verdictOf = (ports: readonly PortCell[]): 'allowed' | 'denied' | 'some' =>
  ports.every((p) => p.reach === 'all') ? 'allowed' : ports.every((p) => p.reach === 'none') ? 'denied' : 'some'

const csvField = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)

/** RFC 4180, one line for each source, destination and port, nothing merged; told in pieces. */
export function* csvLines(matrix: Matrix): Generator<string> {
  yield 'from,to,port,verdict,by\r\n'
  for (const [r, row] of matrix.rows.entries()) {
    for (const [c, column] of matrix.columns.entries()) {
      const cells = matrix.cell(r, c)
      for (const from of row.groups) for (const to of column.groups) yield* pairLines(matrix, cells, from, to)
    }
  }
}

const verdicts = { all: 'allowed', some: 'some', none: 'denied' } as const

function* pairLines(matrix: Matrix, cells: readonly PortCell[], from: MatrixGroup, to: Destination): Generator<string> {
  const isSelf = from.ends.length === 1 && to.ends.length === 1 && from.ends[0]?.end === to.ends[0]?.end
  if (isSelf) return
  for (const { port, reach } of cells) {
    const found = matrix.pairReasons(
      from,
      to,
      to.ports.findIndex((p) => p.text === port),
    )
    const by = [...found.common, ...found.others].join('; ')
    yield `${[from.name, to.name, port, verdicts[reach], by].map(csvField).join(',')}\r\n`
  }
}

/** A table for a README or a pull request. */
export function formatMatrixMarkdown(matrix: Matrix): string {
  const grid = matrixGrid(matrix, Number.POSITIVE_INFINITY)
  const cells = grid.rows.map((_, r) => grid.columns.map((_, c) => cellText(grid.cell(r, c), unicode)))
  const row = (fields: readonly string[]): string => `| ${fields.map(markdownField).join(' | ')} |`
  return [
    `${titleLine(matrix)}.`,
    '',
    row(['from', ...grid.columns.map((c) => c.letter)]),
    row(['---', ...grid.columns.map(() => ':-:')]),
    ...grid.rows.map((r, i) => row([r.label, ...(cells[i] ?? [])])),
    '',
    row(['', 'to', 'ports']),
    row(['---', '---', '---']),
    ...grid.columns.map((c) => row([c.letter, c.label, c.ports.join(', ')])),
    '',
    '✔ all, ~ some, ✖ none of the pairs, numbers say by what:',
    '',
    ...grid.reasons.map((reason, i) => `${i + 1}. ${reason}`),
    ...matrix.notes.flatMap((n) => ['', `> ${n.message}`]),
    '',
  ].join('\n')
}

const markdownField = (text: string): string => text.replaceAll('|', '\\|')
