import { describe, expect, test } from 'vitest'
import { expandPaths, type FileAccess } from '../../src/kube/files.ts'
import { formatProblem } from '../../src/kube/problem.ts'

const tree: Readonly<Record<string, string | readonly string[]>> = {
  dir: ['b.yml', 'a.yaml', 'notes.md', 'sub', '.git', 'c.JSON', 'fix'],
  'dir/fix': ['a.yaml'],
  'dir/fix/a.yaml': 'other a',
  'dir/b.yml': 'b',
  'dir/a.yaml': 'a',
  'dir/notes.md': '#',
  'dir/sub': ['d.yaml'],
  'dir/sub/d.yaml': 'd',
  'dir/.git': ['e.yaml'],
  'dir/.git/e.yaml': 'e',
  'dir/c.JSON': 'c',
  apps: ['fix', 'web'],
  'apps/fix': ['f.yaml'],
  'apps/fix/f.yaml': 'an application called fix',
  'apps/web': ['w.yaml', 'fix'],
  'apps/web/w.yaml': 'w',
  'apps/web/fix': ['x.yaml'],
  'apps/web/fix/x.yaml': 'x',
  empty: ['readme.txt'],
  'empty/readme.txt': '',
  'locked.yaml': 'no',
  plain: 'a file of any name',
}

const access: FileAccess = {
  kindOf: (path) => (tree[path] === undefined ? undefined : typeof tree[path] === 'string' ? 'file' : 'directory'),
  namesIn: (path) => (Array.isArray(tree[path]) ? tree[path] : []),
  read: (path) => {
    if (path === 'locked.yaml') throw new Error('permission denied')
    return String(tree[path])
  },
  readStandardInput: () => 'from standard input',
}

describe('what -f names', () => {
  test.each<{ name: string; paths: readonly string[]; files: readonly string[]; problems: readonly string[] }>([
    {
      name: 'a directory gives its manifests, sorted, with those below',
      paths: ['dir'],
      files: ['dir/a.yaml', 'dir/b.yml', 'dir/c.JSON', 'dir/sub/d.yaml'],
      problems: [],
    },
    {
      name: 'changes in fix/ are no part of a directory, but may be named',
      paths: ['dir/fix'],
      files: ['dir/fix/a.yaml'],
      problems: [],
    },
    {
      name: 'a directory called fix with no manifests beside it is one like any other',
      paths: ['apps'],
      files: ['apps/fix/f.yaml', 'apps/web/w.yaml'],
      problems: [],
    },
    {
      name: 'a slash at the end changes nothing',
      paths: ['dir/sub/'.slice(0, -1)],
      files: ['dir/sub/d.yaml'],
      problems: [],
    },
    { name: 'a file named outright may have any name', paths: ['plain', '-'], files: ['plain', '-'], problems: [] },
    {
      name: 'a file named twice comes once',
      paths: ['dir/a.yaml', 'dir'],
      files: ['dir/a.yaml', 'dir/b.yml', 'dir/c.JSON', 'dir/sub/d.yaml'],
      problems: [],
    },
    {
      name: 'a directory without manifests is a problem',
      paths: ['empty'],
      files: [],
      problems: ['empty: no manifests in this directory (*.yaml, *.yml, *.json, subdirectories included)'],
    },
    {
      name: 'a file that does not exist is a problem',
      paths: ['nope.yaml', 'plain'],
      files: ['plain'],
      problems: ['nope.yaml: cannot be read: no such file or directory'],
    },
    {
      name: 'a file that must not be read is a problem',
      paths: ['locked.yaml'],
      files: [],
      problems: ['locked.yaml: cannot be read: permission denied'],
    },
  ])('$name', ({ paths, files, problems }) => {
    const expanded = expandPaths(paths, access)
    expect(expanded.files.map((f) => f.path)).toEqual(files)
    expect(expanded.problems.map(formatProblem)).toEqual(problems)
  })

  test.each([
    ['dir', ['dir/fix']],
    ['apps', ['apps/web/fix']],
    ['dir/sub', []],
    ['dir/fix', []],
  ])('of %s, %j is told as left out', (path, leftOut) => {
    expect(expandPaths([path], access).leftOut).toEqual(leftOut)
  })

  test('changes that are named beside their directory are not left out', () => {
    const { files, leftOut } = expandPaths(['dir', 'dir/fix'], access)
    expect(files.map((f) => f.path)).toContain('dir/fix/a.yaml')
    expect(leftOut).toEqual([])
  })
})
