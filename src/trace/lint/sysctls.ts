import type { NetnsState } from '../../artefact/netns.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import type { NodeState } from '../../kube/objects/kubehop.ts'
import { type Family, families } from '../../net/ip.ts'
import { prefixFamily } from '../../net/prefix.ts'
import type { LintCode } from './codes.ts'
import { type Finding, findingAt } from './finding.ts'
import { nodeStates } from './node-states.ts'

/** kube-proxy's default minimum of `nf_conntrack_max` (`--conntrack-min`). */
const smallTable = 131_072

/** Kernel settings of nodes with which pods cannot reach each other, or go around the rules. */
export function lintSysctls(cluster: Cluster): readonly Finding[] {
  return nodeStates(cluster).flatMap(({ node, state }) =>
    Object.entries(state.sysctls).flatMap(([key, value]) => {
      const wrong = judge(key, value, state, familiesOf(cluster))
      return wrong ? [finding(cluster, node, key, value, wrong)] : []
    }),
  )
}

const familiesOf = ({ settings }: Cluster): readonly Family[] =>
  families.filter((f) => settings.podNetworks.some((p) => prefixFamily(p) === f))

interface Wrong {
  readonly code: LintCode
  readonly effect: string
  readonly right: string
}

function judge(key: string, value: string, state: NetnsState, used: readonly Family[]): Wrong | undefined {
  const off = Number(value) === 0
  const [, family, device] = /^net\.(ipv[46])\.(?:conf\.(.+)\.forwarding|ip_forward)$/.exec(key) ?? []
  if (family !== undefined && off && used.some((f) => f === family) && isForwarder(device, state)) {
    const where = device === undefined || device === 'all' ? 'the node' : device
    return {
      code: 'SYSCTL_IP_FORWARD',
      effect: `${where} forwards no ${family === 'ipv4' ? 'IPv4' : 'IPv6'}: packets for pods are dropped`,
      right: '1',
    }
  }
  const [, tables] = /^net\.bridge\.bridge-nf-call-(ip6?tables)$/.exec(key) ?? []
  const bridge = state.links.find((l) => l.kind.kind === 'bridge')
  if (tables !== undefined && off && bridge && used.includes(tables === 'iptables' ? 'ipv4' : 'ipv6'))
    return {
      code: 'SYSCTL_BRIDGE_NF',
      effect: `packets between pods of the node cross ${bridge.name} past ${tables}: answers from a Service's pod on the same node keep the pod's address, and policies there have no effect`,
      right: '1',
    }
  if (/(^|\.)nf_conntrack_max$/.test(key) && Number(value) < smallTable)
    return {
      code: 'SYSCTL_CONNTRACK_MAX',
      effect: `new connections are dropped once ${value} are open`,
      right: String(smallTable),
    }
  return undefined
}

/** `default` is for devices yet to come; a device that is not there forwards nothing anyway. */
const isForwarder = (device: string | undefined, { links }: NetnsState): boolean =>
  device === undefined ||
  device === 'all' ||
  links.some((l) => l.name.replaceAll('.', '/') === device || l.name === device)

function finding(cluster: Cluster, node: string, key: string, value: string, wrong: Wrong): Finding {
  const { objects } = cluster
  const from = objects.list('NodeState').findLast((s) => nodeOf(s) === node && s.spec.sysctl?.includes(key))
  const object = from ?? { kind: 'Node', name: node }
  const message = `${from ? `on ${node}, ` : ''}${key} = ${value}: ${wrong.effect}`
  return findingAt(
    objects,
    object,
    wrong.code,
    from ? ['spec', 'sysctl'] : [],
    message,
    `sysctl -w ${key}=${wrong.right}`,
  )
}

const nodeOf = (s: NodeState): string => s.spec.node ?? s.metadata.name
