import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { formatIpSets, parseIpSets } from '../../src/artefact/ipset-text.ts'

const text = `create pools hash:net family inet maxelem 1048576
add pools 10.244.0.0/16
add pools 10.244.1.0/24 nomatch
create web hash:ip,port family inet6 maxelem 1048576
add web fd00::1,tcp:8080
`

test('sets printed as ipset save prints them read back the same', () => {
  const { sets, problems } = parseIpSets(text)
  expect(problems).toEqual([])
  expect(sets.map((s) => [s.name, s.type, s.family, s.members.length])).toEqual([
    ['pools', 'hash:net', 'ipv4', 2],
    ['web', 'hash:ip,port', 'ipv6', 1],
  ])
  expect(formatIpSets(sets)).toBe(text)
})

test('a line that cannot be read is told, and the others count', () => {
  const { sets, problems } = parseIpSets(
    'create a hash:net family inet\nadd b 10.0.0.1\ncreate c list:what\nswap a b\n',
  )
  expect(sets.map((s) => s.name)).toEqual(['a'])
  expect(problems.map((p) => p.line)).toEqual([2, 3, 4])
})

const works = spawnSync('unshare', ['-Urn', '--map-root-user', 'ipset', 'list']).status === 0

test.skipIf(!works)(`ipset restore takes the text${works ? '' : ' (no ipset in a namespace here)'}`, () => {
  const run = spawnSync('unshare', ['-Urn', '--map-root-user', 'sh', '-c', 'ipset restore && ipset save'], {
    input: text,
  })
  expect(run.stderr.toString()).toBe('')
  const saved = parseIpSets(run.stdout.toString())
  expect(saved.problems).toEqual([])
  const plain = (t: string) =>
    parseIpSets(t).sets.map((s) => [s.name, s.type, s.family, s.members.map((m) => m.text).sort()])
  expect(plain(run.stdout.toString())).toEqual(plain(text))
})
