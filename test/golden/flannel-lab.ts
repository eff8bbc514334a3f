import type { Cluster } from '../../src/cluster/cluster.ts'
import { type Visit, World } from '../../src/cluster/loop.ts'
import { type NetnsId, nodeNetns, podNetns } from '../../src/cluster/machine.ts'
import type { SendRequest } from '../../src/linux/kernel.ts'
import { ip } from '../../src/net/ip.ts'
import type { IpPacket } from '../../src/packet/packet.ts'
import { seededChance, seededRandom } from '../../src/trace/lots.ts'
import { clientOwner } from '../../src/trace/path.ts'
import { serve } from '../../src/trace/run.ts'
import { loadText } from '../scenario.ts'

/** The laboratory's cluster, in the words of the golden files. */
export interface LabConfig {
  readonly network?: string
  readonly backend?: string
  readonly bridge?: string
  readonly nodes?: readonly { readonly name: string; readonly ip: string; readonly podCIDR: string }[]
  readonly pods?: readonly { readonly name: string; readonly node: string; readonly ip: string }[]
  readonly sysctl?: Readonly<Record<string, number>>
  readonly flannelMac?: Readonly<Record<string, string>>
  readonly hairpin?: boolean
  readonly podMtu?: number
  readonly ipMasq?: boolean
  /** `EnableNFTables`. */
  readonly nftables?: boolean
  readonly args?: readonly string[]
  /** More objects. */
  readonly more?: readonly object[]
}

const threeNodes = [0, 1, 2].map((i) => ({ name: `node${i}`, ip: `192.168.0.10${i}`, podCIDR: `10.244.${i}.0/24` }))

export function labCluster(config: LabConfig): Cluster {
  const nodes = config.nodes ?? threeNodes
  const objects = [
    ...nodes.map((n) => ({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: {
        name: n.name,
        annotations: config.flannelMac?.[n.name]
          ? {
              'flannel.alpha.coreos.com/backend-data': JSON.stringify({
                VNI: 1,
                VtepMAC: config.flannelMac[n.name],
              }),
            }
          : {},
      },
      spec: { podCIDR: n.podCIDR, podCIDRs: [n.podCIDR] },
      status: { addresses: [{ type: 'InternalIP', address: n.ip }] },
    })),
    ...nodes.map((n) => nodeState(`${n.name}-sysctl`, n.name, { sysctl: sysctlText(config.sysctl ?? {}) })),
    flannelConfig(config),
    flannelDaemon(config.args ?? ['--ip-masq', '--kube-subnet-mgr']),
    ...(config.pods ?? []).map((p) => podObject(p.name, p.node, p.ip)),
    ...(config.more ?? []),
  ]
  const { cluster, problems } = loadText({ path: 'lab', text: objects.map((o) => JSON.stringify(o)).join('\n---\n') })
  if (problems.length > 0) throw new Error(problems.join('\n'))
  return cluster
}

const sysctlText = (values: Readonly<Record<string, number>>): string =>
  Object.entries(values)
    .map(([k, v]) => `${k} = ${v}`)
    .join('\n')

export const nodeState = (name: string, node: string, spec: object): object => ({
  apiVersion: 'kubehop.dev/v1alpha1',
  kind: 'NodeState',
  metadata: { name },
  spec: { node, ...spec },
})

export const podObject = (name: string, node: string, podIP: string, ports: readonly object[] = serverPorts) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', labels: { name } },
  spec: { nodeName: node, containers: [{ name: 'main', image: 'lab', ports }] },
  status: { phase: 'Running', podIP, podIPs: [{ ip: podIP }] },
})

const serverPorts = [80, 9000].map((containerPort) => ({ containerPort, protocol: 'UDP' }))

const flannelConfig = ({
  network = '10.244.0.0/16',
  backend = 'vxlan',
  bridge,
  hairpin = true,
  podMtu,
  ipMasq,
  nftables = false,
}: LabConfig) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: {
    name: 'kube-flannel-cfg',
    namespace: 'kube-flannel',
    annotations: bridge === 'docker0' ? { 'kubehop.dev/pod-network': 'docker0' } : {},
  },
  data: {
    'net-conf.json': JSON.stringify({ Network: network, EnableNFTables: nftables, Backend: { Type: backend } }),
    'cni-conf.json': JSON.stringify({
      name: 'cbr0',
      cniVersion: '0.3.1',
      plugins: [
        {
          type: 'flannel',
          delegate: {
            hairpinMode: hairpin,
            isDefaultGateway: true,
            ...(podMtu === undefined ? {} : { mtu: podMtu }),
            ...(ipMasq === undefined ? {} : { ipMasq }),
          },
        },
        { type: 'portmap', capabilities: { portMappings: true } },
      ],
    }),
  },
})

const flannelDaemon = (args: readonly string[]): object => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: 'kube-flannel-ds', namespace: 'kube-flannel' },
  spec: {
    selector: { matchLabels: { app: 'flannel' } },
    template: {
      metadata: { labels: { app: 'flannel' } },
      spec: {
        hostNetwork: true,
        containers: [{ name: 'kube-flannel', image: 'flannel/flannel:v0.28.9', command: ['/opt/bin/flanneld'], args }],
      },
    },
  },
})

export const inPod = (name: string): NetnsId => podNetns('default', name)
export const onNode = (name: string): NetnsId => nodeNetns(name)

export interface Sent {
  readonly visits: readonly Visit[]
  /** The request as the server got it. */
  readonly request: IpPacket | undefined
  /** The answer as the client got it, taken or refused. */
  readonly answer: IpPacket | undefined
  readonly delivered: boolean
}

/** A UDP datagram, and its answer. */
export function sendUdp(
  cluster: Cluster,
  from: NetnsId,
  to: string,
  more: { readonly src?: string; readonly size?: number; readonly df?: boolean } = {},
): Sent {
  const [, address = to, port = '80'] = /^(.*):(\d+)$/.exec(to) ?? []
  const dst = ip(address)
  const socket = { protocol: 'udp', address: undefined, port: Number(port), owner: 'server' } as const
  const network = cluster.network(cluster.isInside(dst) ? [] : [{ ip: dst, socket }])
  const world = new World(network, { chance: seededChance(seededRandom(1)), serve })
  const data = more.size === undefined ? 5 : more.size - 28
  const request: SendRequest = {
    src: more.src === undefined ? undefined : ip(more.src),
    dst,
    ttl: 64,
    tos: 0,
    df: more.df ?? true,
    payload: { kind: 'udp', srcPort: 40000, dstPort: Number(port), data },
    owner: clientOwner,
  }
  const visits = world.send(from, request)
  const events = visits.flatMap((v) => v.events.map((event) => ({ event, netns: v.netns })))
  const got = events.find(
    ({ event: e }) => e.kind === 'socket-receive' && e.owner !== clientOwner && !isCarrier(e.packet),
  )
  const back = events.find(
    ({ event: e, netns }) =>
      netns === from && (e.kind === 'socket-receive' || e.kind === 'socket-none') && e !== got?.event,
  )
  return {
    visits,
    request: got?.event.kind === 'socket-receive' ? got.event.packet : undefined,
    answer: back?.event.kind === 'socket-receive' || back?.event.kind === 'socket-none' ? back.event.packet : undefined,
    delivered: back?.event.kind === 'socket-receive' && back.event.owner === clientOwner,
  }
}

const isCarrier = ({ payload }: IpPacket): boolean =>
  payload.kind === 'udp' && (payload.tunnelled !== undefined || payload.vxlan !== undefined)
