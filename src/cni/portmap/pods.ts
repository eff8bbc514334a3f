import { parseRule } from '../../artefact/iptables/parse.ts'
import type { Rule } from '../../artefact/iptables/rule.ts'
import { textProblemSentence } from '../../artefact/problem.ts'
import { type Family, families, familyOf } from '../../net/ip.ts'
import { podOrigin } from '../bridge.ts'
import { booleanOf, type CniConf, pluginOf } from '../cni-conf.ts'
import { byFamily, type FamilyRules, noRules } from '../family-rules.ts'
import { field, isObject } from '../json.ts'
import { dumpTable } from '../knft-dump.ts'
import { portMappings } from '../port-mapping.ts'
import type { Sandbox } from '../sandbox.ts'
import { isAtLeast, type Version } from '../version.ts'
import { type PortmapConf, portmapConf } from './conf.ts'
import { type PortmapAdd, portmapEdits } from './iptables.ts'
import { hostportTable } from './nftables.ts'
import { snatChainEdits } from './snat-chains.ts'

/** The portmap entry of a configuration list; absent where there is none, or where it is not told of hostPorts. */
export interface Portmap {
  readonly conf: PortmapConf
  readonly conditions: Readonly<Record<Family, Rule | undefined>>
}

/** A configuration that the plugin refuses fails every ADD, with hostPorts or without. */
export function portmapOf(cni: CniConf): { readonly portmap: Portmap | undefined } | { readonly error: string } {
  const plugin = pluginOf(cni, 'portmap')
  const capabilities = plugin && field(plugin.options, 'capabilities')
  if (!plugin || !isObject(capabilities) || !booleanOf(capabilities, 'portMappings')) return { portmap: undefined }
  const parsed = portmapConf(plugin.options)
  if ('error' in parsed) return parsed
  const ipv4 = conditionsOf(parsed.conf.conditionsV4, 'ipv4')
  const ipv6 = conditionsOf(parsed.conf.conditionsV6, 'ipv6')
  if ('error' in ipv4) return ipv4
  if ('error' in ipv6) return ipv6
  return { portmap: { conf: parsed.conf, conditions: { ipv4: ipv4.rule, ipv6: ipv6.rule } } }
}

/** `["-d", "192.168.0.0/24"]`: words of an iptables rule. */
function conditionsOf(
  words: readonly string[],
  family: Family,
): { readonly rule: Rule | undefined } | { readonly error: string } {
  if (words.length === 0) return { rule: undefined }
  const { rules, problems } = parseRule(words.join(' '), family)
  const [first] = problems
  return first ? { error: `portmap conditions for ${family}: ${textProblemSentence(first)}` } : { rule: rules[0] }
}

/** The rules for every pod of a node that has hostPorts, in order. */
export function portmapOfPods(
  network: string,
  { conf, conditions }: Portmap,
  version: Version,
  sandboxes: readonly Sandbox[],
): FamilyRules {
  const adds = withHostPorts(sandboxes).flatMap((s) =>
    s.addresses.map((address): PortmapAdd => {
      const own = conditions[familyOf(address.ip)]
      const origin = podOrigin(s, 'portmap')
      const add = { network, containerId: s.id, address, mappings: portMappings(s.pod), conf, version, origin }
      return own ? { ...add, conditions: own } : add
    }),
  )
  if (conf.backend === 'iptables') return { edits: byFamily((family) => editsOf(adds, family)), nftables: [] }
  const used = families.filter((family) => adds.some((add) => familyOf(add.address.ip) === family))
  return { ...noRules, nftables: used.map((family) => dumpTable(hostportTable(family, adds, conf))) }
}

export const withHostPorts = (sandboxes: readonly Sandbox[]): readonly Sandbox[] =>
  sandboxes.filter((s) => portMappings(s.pod).length > 0)

const editsOf = (adds: readonly PortmapAdd[], family: Family) =>
  adds
    .filter((add) => familyOf(add.address.ip) === family)
    .flatMap((add) => (isAtLeast(add.version, 'v0.7.0') ? portmapEdits(add) : snatChainEdits(add)))
