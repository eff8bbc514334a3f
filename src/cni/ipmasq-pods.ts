import { familyOf } from '../net/ip.ts'
import { podOrigin } from './bridge.ts'
import type { BridgeConf } from './bridge-conf.ts'
import { byFamily, type FamilyRules, noRules } from './family-rules.ts'
import { ipMasqEdits } from './ipmasq.ts'
import { addMasqChecks, type MasqChecks, masqueradeTable } from './ipmasq-nftables.ts'
import { dumpTable } from './knft-dump.ts'
import { podDevice, type Sandbox } from './sandbox.ts'
import type { Version } from './version.ts'

/** The masquerade rules of the main plugin for every pod of a node, in order. */
export function ipMasqOfPods(
  network: string,
  { ipMasq, ipMasqBackend }: BridgeConf,
  version: Version,
  sandboxes: readonly Sandbox[],
): FamilyRules {
  if (!ipMasq || sandboxes.length === 0) return noRules
  if (ipMasqBackend === 'nftables') return { ...noRules, nftables: [masqueradeText(network, sandboxes)] }
  const adds = sandboxes.flatMap((s) =>
    s.addresses.map((address) => ({
      network,
      containerId: s.id,
      address,
      version,
      origin: podOrigin(s, 'bridge'),
    })),
  )
  return {
    edits: byFamily((family) => adds.filter((add) => familyOf(add.address.ip) === family).flatMap(ipMasqEdits)),
    nftables: [],
  }
}

function masqueradeText(network: string, sandboxes: readonly Sandbox[]): string {
  const checks = sandboxes.reduce<MasqChecks>(
    (all, s) => addMasqChecks(all, { network, ifname: podDevice, containerId: s.id }, s.addresses),
    [],
  )
  return dumpTable(masqueradeTable(checks))
}
