import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseRuleset } from '../../src/artefact/iptables/parse.ts'
import { formatRuleset } from '../../src/artefact/iptables/print.ts'
import { inNamespace, missingTools } from '../artefact/real-tools.ts'
import { loadScenario } from '../scenario.ts'
import { runWith } from './memory-io.ts'

const missing = missingTools('iptables-restore', 'ip6tables-restore', 'ip', 'bridge')
const why = missing === undefined ? '' : ` (skipped: ${missing})`

const scenarios = ['small', 'shop'].map((name) => {
  const { cluster } = loadScenario(name)
  return { name, nodes: cluster.objects.list('Node').map((n) => n.metadata.name) }
})
const files = (name: string): Record<string, string> => {
  const folder = join(import.meta.dirname, '../../scenarios', name)
  return Object.fromEntries(
    (name === 'small' || name === 'shop' ? ['cluster.yaml', 'shop.yaml'] : []).map((f) => [
      `${name}/${f}`,
      readFileSync(join(folder, f), 'utf8'),
    ]),
  )
}
const show = async (name: string, what: string, node: string): Promise<string> => {
  const ran = await runWith(files(name), ['show', what, '--node', node, '-f', name])
  expect(ran).toMatchObject({ status: 0, err: '' })
  return ran.out
}

describe.each(scenarios)('what `show` prints of scenario $name', ({ name, nodes }) => {
  describe.each(nodes)('for node %s', (node) => {
    test.skipIf(missing !== undefined).each([
      { what: 'iptables', tool: 'iptables-restore --test' },
      { what: 'ip6tables', tool: 'ip6tables-restore --test' },
    ] as const)(`$what is accepted by $tool${why}`, async ({ what, tool }) => {
      const text = await show(name, what, node)
      expect(text).toContain('KUBE-SERVICES')
      expect(inNamespace(tool, text)).toMatchObject({ status: 0, stderr: '' })
    })

    test.each([
      { what: 'iptables', family: 'ipv4' },
      { what: 'ip6tables', family: 'ipv6' },
    ] as const)('$what read back is the same rules', async ({ what, family }) => {
      const text = await show(name, what, node)
      const { ruleset, problems } = parseRuleset(text, family)
      expect(problems).toEqual([])
      expect(formatRuleset(ruleset)).toBe(text)
    })

    test.skipIf(missing !== undefined)(
      `links, addresses, routes, neighbours and fdb are accepted by ip and bridge${why}`,
      async () => {
        const texts = await Promise.all(
          ['links', 'addresses', 'routes', 'neighbours', 'fdb'].map((what) => show(name, what, node)),
        )
        const [links = '', addresses = '', routes = '', neighbours = '', fdb = ''] = texts
        const batch = (verb: string, text: string): string =>
          text
            .split('\n')
            .filter((l) => l !== '')
            .map((l) => `${verb} ${l}`)
            .join('\n')
        const heredoc = (tool: string, text: string): string => `${tool} -batch - <<'END'\n${text}\nEND\n`
        const script = [
          'set -e',
          heredoc('ip', links),
          heredoc('ip', batch('addr add', addresses)),
          heredoc('ip', batch('route replace', routes)),
          heredoc('ip', batch('neigh add', neighbours)),
          heredoc('bridge', batch('fdb append', fdb)),
        ].join('\n')
        expect(inNamespace(script)).toMatchObject({ status: 0, stderr: '' })
      },
    )
  })
})
