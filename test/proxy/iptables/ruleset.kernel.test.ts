import { execFileSync, spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { applyEdits } from '../../../src/artefact/iptables/apply.ts'
import { formatTable } from '../../../src/artefact/iptables/print.ts'
import { emptyRuleset } from '../../../src/artefact/iptables/rule.ts'
import type { Family } from '../../../src/net/ip.ts'
import { restoreInput } from '../../../src/proxy/iptables/kube-proxy-iptables.ts'
import { kubelet } from '../../../src/proxy/iptables/kubelet.ts'
import { syncIptables } from '../../../src/proxy/iptables/sync.ts'
import { planServices } from '../../../src/proxy/plan.ts'
import { behaviourOf } from '../../../src/proxy/version.ts'
import { everyKindOfService } from '../fixtures.ts'
import { testSettings } from '../test-settings.ts'

const missing = ((): string | undefined => {
  const probe = spawnSync('unshare', ['-Urnm', '--map-root-user', 'iptables-save'], { encoding: 'utf8' })
  return probe.status === 0 ? undefined : 'no namespaces, or no iptables'
})()

/** What a real kernel makes of restore input, in a namespace of its own. */
function loaded(family: Family, before: string, input: string): Record<string, string[]> {
  const six = family === 'ipv6' ? '6' : ''
  const script = `set -e
mount -t tmpfs tmpfs /run
ip${six}tables-restore --noflush <<'END'
${before}END
ip${six}tables-restore --noflush --counters <<'END'
${input}END
ip${six}tables-save`
  const out = execFileSync('unshare', ['-Urnm', '--map-root-user', 'sh', '-c', script], { encoding: 'utf8' })
  const tables = out.split(/^(?=\*)/m).filter((part) => part.startsWith('*'))
  return Object.fromEntries(
    tables.map((part) => [
      part.slice(1, part.indexOf('\n')),
      part
        .trimEnd()
        .split('\n')
        .filter((line) => !line.startsWith('#'))
        .map((line) => line.replace(/ \[\d+:\d+\]$/, ' [0:0]')),
    ]),
  )
}

describe.skipIf(missing !== undefined)(`restore input on a real kernel${missing ? ` (${missing})` : ''}`, () => {
  const versions = [22, 23, 24, 25, 26, 27, 28, 29, 30, 33, 36]
  test.each(versions.flatMap((minor) => (['ipv4', 'ipv6'] as const).map((family) => ({ minor, family }))))(
    '1.$minor for $family loads, and reads back as the edits say',
    ({ minor, family }) => {
      const settings = testSettings({ minor, family })
      const plans = planServices(everyKindOfService(), settings)
      const sync = syncIptables(plans, settings)
      // KUBE-MARK-DROP is not kube-proxy's to make in a restore: it is there before.
      const markDrop = behaviourOf(minor).layout === 'firewall' ? '' : ':KUBE-MARK-DROP - [0:0]\n'
      const real = loaded(family, `*nat\n${markDrop}COMMIT\n`, restoreInput(plans, settings))
      const restored = sync.edits.filter((edit) => edit.op === 'flush-chain' || edit.op === 'append')
      const base = applyEdits(
        emptyRuleset(family),
        markDrop ? [{ op: 'ensure-chain', table: 'nat', chain: 'KUBE-MARK-DROP' }] : [],
      )
      const ours = applyEdits(base, restored)
      for (const table of ours.tables) {
        expect(formatTable(table).trimEnd().split('\n')).toEqual(real[table.name])
      }
      expect(kubelet(settings).length).toBeGreaterThan(0)
    },
  )
})
