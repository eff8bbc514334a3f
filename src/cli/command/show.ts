import { formatAddress } from '../../artefact/address-text.ts'
import { kernelRules } from '../../artefact/connected.ts'
import { formatConntrack } from '../../artefact/conntrack-text.ts'
import { formatFdb } from '../../artefact/fdb-text.ts'
import { formatIpSets } from '../../artefact/ipset-text.ts'
import { formatRuleset } from '../../artefact/iptables/print.ts'
import { formatIpvsList, formatIpvsSave } from '../../artefact/ipvs.ts'
import { deviceName, type Link } from '../../artefact/link.ts'
import { linkCommands } from '../../artefact/link-text.ts'
import { formatNeighbour } from '../../artefact/neighbour-text.ts'
import type { NetnsState } from '../../artefact/netns.ts'
import { formatNft } from '../../artefact/nft/print.ts'
import { emptyNft, type NftRuleset } from '../../artefact/nft/ruleset.ts'
import { formatRoute } from '../../artefact/route-text.ts'
import { listRoutingRule } from '../../artefact/routing-rule-text.ts'
import { formatSysctls } from '../../artefact/sysctl-text.ts'
import { formatSpeaker } from '../../bgp/format.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { World } from '../../cluster/loop.ts'
import type { Machine, NetnsId } from '../../cluster/machine.ts'
import { listRoutes } from '../../linux/netns.ts'
import { type Family, families, familyOf } from '../../net/ip.ts'
import { formatSocketAddress } from '../../net/port.ts'
import { prefixFamily } from '../../net/prefix.ts'
import { type EndProblem, findNode, findPod, isEndProblem, netnsOfPod } from '../../trace/end.ts'
import { seededChance, seededRandom } from '../../trace/lots.ts'
import type { Command } from '../arguments.ts'
import type { ExitCode, Io } from '../io.ts'
import { loadCluster } from '../load.ts'

type ShowCommand = Extract<Command, { command: 'show' }>

export function runShow(args: ShowCommand, io: Io): ExitCode {
  if (args.output !== undefined && !(args.what === 'ipvs' && args.output === 'save')) {
    io.err(`kubehop: -o ${args.output}: show prints native text only\n`)
    return 2
  }
  const cluster = loadCluster(args.filename, args, io)
  if (!cluster) return 2
  const machine = machineOf(cluster, args)
  if (isEndProblem(machine)) {
    io.err(`kubehop: ${machine.problem}\n`)
    return 2
  }
  io.out(artefactText(machine, cluster, args))
  return 0
}

function machineOf(cluster: Cluster, args: ShowCommand): Machine | EndProblem {
  const { machines } = cluster.network()
  const given = [args.node, args.pod, args.netns].filter((v) => v !== undefined).length
  if (given !== 1) return { problem: `show ${args.what} needs one of --node NAME, --pod NAME, --netns NAME` }
  const id = netnsIdOf(cluster, args)
  if (typeof id === 'object') return id
  return (
    machines.get(id) ?? {
      problem: `no namespace is called "${id}"; there are ${[...machines.keys()].slice(0, 12).join(', ')}`,
    }
  )
}

function netnsIdOf(cluster: Cluster, args: ShowCommand): NetnsId | EndProblem {
  if (args.node !== undefined) {
    const node = findNode(cluster.objects, args.node)
    return isEndProblem(node) ? node : (node.name as NetnsId)
  }
  if (args.pod !== undefined) {
    const pod = findPod(cluster.objects, args.pod, args.namespace)
    if (isEndProblem(pod)) return pod
    return netnsOfPod(pod) ?? { problem: `pod ${args.pod} is not scheduled to any node` }
  }
  return args.netns as NetnsId
}

function artefactText(machine: Machine, cluster: Cluster, args: ShowCommand): string {
  const state = machine.state()
  const wanted = (family: Family): boolean => args.family === undefined || args.family === family
  switch (args.what) {
    case 'links':
      return lines(state.links.flatMap(standaloneLink))
    case 'addresses':
      return lines(state.addresses.filter((a) => wanted(familyOf(a.ip))).map(formatAddress))
    case 'routes':
      return lines(
        routesOf(machine, cluster, args.table ?? 'main')
          .filter((r) => wanted(prefixFamily(r.dst)))
          .map(formatRoute),
      )
    case 'rules':
      return lines(
        families
          .filter(wanted)
          .flatMap((f) =>
            [...kernelRules(f), ...state.rules.filter((r) => r.family === f)]
              .sort((a, b) => a.priority - b.priority)
              .map(listRoutingRule),
          ),
      )
    case 'neighbours':
      return lines(state.neighbours.filter((n) => wanted(familyOf(n.ip))).map(formatNeighbour))
    case 'fdb':
      return lines(state.fdb.map(formatFdb))
    case 'iptables':
      return rulesText(state, args.family ?? 'ipv4', args.table)
    case 'ip6tables':
      return rulesText(state, 'ipv6', args.table)
    case 'nft':
      return formatNft(nftablesOf(state, args))
    case 'bgp':
      return bgpText(machine, cluster, args.family ?? 'ipv4')
    case 'ipvs':
      return ipvsText(state, args)
    case 'ipset':
      return formatIpSets((state.ipsets ?? []).filter((set) => wanted(set.family)))
    case 'sysctl':
      return formatSysctls(state.sysctls)
    case 'conntrack':
      return lines(state.conntrack.map(formatConntrack))
    default:
      return lines(
        state.sockets.map((s) => `${s.protocol}\tLISTEN\t${formatSocketAddress(s.address ?? '*', s.port)}\t${s.owner}`),
      )
  }
}

/**
 * The commands that make a device in an empty namespace. The other end of a veth, and the wire of a network card, are
 * elsewhere in life; here they get names that clash with nothing.
 */
function standaloneLink(link: Link): readonly string[] {
  const { kind, name } = link
  if (kind.kind === 'physical') {
    return [
      `# ${name} is a network card; a veth end stands for it`,
      ...linkCommands({ ...link, kind: { kind: 'veth', peer: deviceName(`wire-${name}`.slice(0, 15)) } }),
    ]
  }
  if (kind.kind !== 'veth') return linkCommands(link)
  const peer = deviceName(`peer-${name}`.slice(0, 15))
  return [
    `# the other end of ${name} is ${kind.peer} in another namespace`,
    ...linkCommands({ ...link, kind: { kind: 'veth', peer } }),
  ]
}

/** With the kernel's own routes, as `ip route show table NAME` lists them. */
function routesOf(machine: Machine, cluster: Cluster, table: string): NetnsState['routes'] {
  const world = new World(cluster.network(), { chance: seededChance(seededRandom(1)) })
  const netns = world.netns(machine.id)
  return netns ? listRoutes(netns).filter((r) => table === 'all' || r.table === table) : []
}

/** As `ipvsadm -Ln` prints it; with `-o save` as `ipvsadm-save -n`. */
function ipvsText({ ipvs = [] }: NetnsState, { family, output }: ShowCommand): string {
  const services = ipvs.filter((s) => family === undefined || familyOf(s.address) === family)
  return output === 'save' ? formatIpvsSave(services) : formatIpvsList(services)
}

/** Tables of the family; those of `inet` belong to both. */
function nftablesOf({ nftables = emptyNft }: NetnsState, { family, table }: ShowCommand): NftRuleset {
  const words = family === undefined ? [] : ['inet', family === 'ipv4' ? 'ip' : 'ip6']
  return {
    tables: nftables.tables.filter(
      (t) => (words.length === 0 || words.includes(t.family)) && (table === undefined || t.name === table),
    ),
  }
}

function rulesText(state: NetnsState, family: Family, table: string | undefined): string {
  const ruleset = state.iptables[family]
  return formatRuleset(
    table === undefined ? ruleset : { ...ruleset, tables: ruleset.tables.filter((t) => t.name === table) },
  )
}

/** `birdc show protocols`, and `show route`. Nobody looks at a clock here: everything is up since the beginning. */
function bgpText(machine: Machine, cluster: Cluster, family: Family): string {
  const convergence = cluster.bgp?.(family)
  const speaker = convergence?.speakers().find((s) => s.id === machine.id)
  return convergence && speaker ? formatSpeaker(convergence, speaker, { since: '00:00:00' }) : ''
}

const lines = (texts: readonly string[]): string => texts.map((t) => `${t}\n`).join('')
