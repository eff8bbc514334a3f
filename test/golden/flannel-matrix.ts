import { expect } from 'vitest'
import type { Cluster } from '../../src/cluster/cluster.ts'
import { packetLength } from '../../src/packet/length.ts'
import { isEndProblem } from '../../src/trace/end.ts'
import { sweep } from '../../src/trace/sweep.ts'
import { inPod, type LabConfig, labCluster, nodeState, onNode, podObject, type Sent, sendUdp } from './flannel-lab.ts'

type Row = Readonly<Record<string, unknown>>

interface MatrixCase {
  readonly name: string
  readonly config: LabConfig & Row
  readonly expect: readonly Row[]
}

/** One situation, a row for each outcome. Rows about commands, which no packet answers, are named here with the reason. */
export function matrix(golden: MatrixCase): void {
  const check = checks[golden.name]
  if (!check) throw new Error(`no check for ${golden.name}`)
  for (const row of golden.expect) check(row, golden)
}

const checks: Readonly<Record<string, (row: Row, golden: MatrixCase) => void>> = {
  'lab/bridge-netfilter': bridgeNetfilter,
  'lab/hairpin': hairpin,
  'lab/mtu': mtu,
  'lab/rule-interplay': ruleInterplay,
  'lab/flannel-masq': flannelMasq,
  'lab/hostport': hostPort,
}

const podOn = (name: string, ip: string, node = 'node0') => ({ name, node, ip })
const twoPods = [podOn('c', '10.244.0.2'), podOn('s', '10.244.0.3')]

/** Rules in place of all that agents install, as in the laboratory. */
const onlyRules = (node: string, iptables: string): object =>
  nodeState(`${node}-rules`, node, { mode: 'replace', iptables })

const dnat = '-A PREROUTING -d 10.96.0.10/32 -p udp -m udp --dport 80 -j DNAT --to-destination 10.244.0.3:9000'

function bridgeNetfilter(row: Row): void {
  const drops = String(row.case).includes('policy DROP')
  const cluster = labCluster({
    pods: twoPods,
    sysctl: { 'net.bridge.bridge-nf-call-iptables': Number(row.bridgeNf) },
    more: [onlyRules('node0', `*nat\n${dnat}\nCOMMIT\n*filter\n:FORWARD ${drops ? 'DROP' : 'ACCEPT'} [0:0]\nCOMMIT`)],
  })
  const sent = sendUdp(cluster, inPod('c'), String(row.case).includes('service') ? '10.96.0.10:80' : '10.244.0.3:80')
  const title = `${row.case} ${row.bridgeNf}`
  if (row.delivered !== undefined) expect(sent.delivered, title).toBe(row.delivered)
  if (row.requestHooks) expect(hooks(sent, 'request'), title).toEqual(trimmed(row.requestHooks, hooks(sent, 'request')))
  if (row.replyHooks) expect(hooks(sent, 'reply'), title).toEqual(trimmed(row.replyHooks, hooks(sent, 'reply')))
  if (row.serverSeesSource) expect(sent.request?.src, title).toBe(row.serverSeesSource)
  if (row.serverSeesTtl) expect(sent.request?.ttl, title).toBe(row.serverSeesTtl)
  if (row.clientSeesReplyFrom) expect(sent.answer?.src, title).toBe(row.clientSeesReplyFrom)
}

interface HookLine {
  readonly hook: string
  readonly words: readonly string[]
}

/** `forward in=cni0 out=cni0 dst=10.244.0.3 ttl=63`, of each hook that a direction met on node0. */
function hooks({ visits }: Sent, direction: 'request' | 'reply'): readonly string[] {
  const served = visits.findIndex((v) => v.input.kind === 'send' && v.input.request.owner !== 'client')
  const mine =
    direction === 'request' ? visits.slice(0, served < 0 ? undefined : served) : served < 0 ? [] : visits.slice(served)
  const lines = mine
    .filter((v) => v.netns === onNode('node0'))
    .flatMap((v) =>
      v.events.flatMap((e, i): readonly HookLine[] => {
        const before = v.events.slice(0, i)
        const last = before.findLast((b) => b.kind === 'stage' || b.kind === 'verdict')
        // A hook where nothing is registered for this packet tells its verdict alone.
        const told = e.kind === 'verdict' ? before.findLast((b) => b.kind === 'stage') : e
        if ((e.kind !== 'stage' && e.kind !== 'verdict') || told?.kind !== 'stage') return []
        if (told.packet.payload.kind !== 'udp' || (last?.kind === 'stage' && last.hook === e.hook)) return []
        const { in: from, out, packet } = told
        const devices =
          e.hook === 'postrouting' ? [`out=${out}`] : [`in=${from}`, ...(out === undefined ? [] : [`out=${out}`])]
        return [{ hook: e.hook, words: [...devices, `dst=${packet.dst}`, `ttl=${packet.ttl}`] }]
      }),
    )
  return lines.map((l) => [l.hook, ...l.words].join(' '))
}

/** The golden lines, filled up with the words that they leave out. */
function trimmed(golden: unknown, actual: readonly string[]): readonly string[] {
  const lines = golden as readonly string[]
  return lines.map((line, i) => {
    const full = actual[i] ?? ''
    return line.split(' ').every((w) => full.split(' ').includes(w)) ? full : line
  })
}

function hairpin(row: Row): void {
  const masquerade = row.masquerade ? '-A POSTROUTING -s 10.244.0.3/32 -d 10.244.0.3/32 -j MASQUERADE' : ''
  const cluster = labCluster({
    pods: twoPods,
    hairpin: row.hairpin === true,
    sysctl: { 'net.bridge.bridge-nf-call-iptables': Number(row.bridgeNf) },
    more: [onlyRules('node0', `*nat\n${dnat}\n${masquerade}\nCOMMIT`)],
  })
  const sent = sendUdp(cluster, inPod('s'), '10.96.0.10:80')
  expect(sent.delivered, JSON.stringify(row)).toBe(row.works)
  if (row.serverSeesSource) expect(sent.request?.src, JSON.stringify(row)).toBe(row.serverSeesSource)
}

function mtu(row: Row): void {
  const action = String(row.action)
  // What RTNETLINK says to a command is no packet's fate.
  if (action.startsWith('ip link set')) return
  const podMtu = Number(/pod MTU (\d+)/.exec(action)?.[1])
  const cluster = labCluster({ pods: [podOn('a', '10.244.0.2'), podOn('b', '10.244.1.2', 'node1')], podMtu })
  const result = sweep(cluster, { from: 'pod/a', to: 'pod/b', protocol: 'icmp', namespace: 'default', seed: 1 }, [
    podMtu,
    1500,
  ])
  if (isEndProblem(result)) throw new Error(result.problem)
  if (action.includes('1500 bytes')) {
    const { icmp } = result.rows.at(-1) ?? {}
    expect(`node answers ICMP type ${icmp?.type} code ${icmp?.code} mtu ${icmp?.mtu}, source ${icmp?.from}`).toBe(
      String(row.result).split(';')[0],
    )
    return
  }
  const { visits } = sendUdp(cluster, inPod('a'), '10.244.1.2:80', { size: podMtu })
  const outer = visits.flatMap((v) => v.events).find((e) => e.kind === 'encapsulate')
  const length = outer?.kind === 'encapsulate' ? packetLength(outer.outer) : 0
  expect(`largest packet ${result.largest}, outer IP length ${length}`).toBe(row.result)
}

function ruleInterplay(row: Row, { config }: MatrixCase): void {
  // The last row is about commands.
  if (row.result !== undefined) return
  if (row.works === undefined) {
    expect(sendUdp(labCluster(config), onNode('node0'), '10.244.1.2:80').request?.src).toBe(row.farEndSees)
    return
  }
  const policy = /policy (\w+)/.exec(String(row.rules))?.[1]
  const more = ['node0', 'node1'].map((n) => onlyRules(n, `*filter\n:FORWARD ${policy} [0:0]\nCOMMIT`))
  const { delivered } = sendUdp(labCluster({ ...config, nftables: true, more }), inPod('a'), '10.244.1.2:80')
  expect(delivered, String(row.rules)).toBe(row.works)
}

/** The router of the laboratory has a way to pods by node0. */
const router: object = {
  apiVersion: 'kubehop.dev/v1alpha1',
  kind: 'Underlay',
  metadata: { name: 'lab' },
  spec: {
    segments: [
      { name: 'lan', cidr: '192.168.0.0/24' },
      { name: 'outside', cidr: '8.8.8.0/24' },
    ],
    routers: [
      {
        name: 'gw',
        segments: ['lan', 'outside'],
        addresses: { lan: '192.168.0.1', outside: '8.8.8.1' },
        routes: [{ to: '10.244.0.0/16', via: '192.168.0.100' }],
      },
    ],
    hosts: [{ name: 'dns', segment: 'outside', address: '8.8.8.8', listens: ['udp/80'] }],
  },
}

function flannelMasq(row: Row, { config }: MatrixCase): void {
  for (const [setting, expected] of Object.entries(row.farEndSees as Readonly<Record<string, string | null>>)) {
    const [mode, rp] = setting.split(' rp_filter=')
    const sysctl = { ...config.sysctl, 'net.ipv4.conf.all.rp_filter': Number(rp) }
    const hostPods = [0, 1].map((i) => ({
      ...podObject(`host${i}`, `node${i}`, `192.168.0.10${i}`),
      spec: {
        nodeName: `node${i}`,
        hostNetwork: true,
        containers: [{ name: 'm', image: 'lab', ports: [{ containerPort: 80, protocol: 'UDP' }] }],
      },
    }))
    const pods = [...(config.pods ?? []), podOn('local', '10.244.0.3')]
    const cluster = labCluster({ ...config, nftables: mode === 'nftables', sysctl, pods, more: [...hostPods, router] })
    const sent = sendUdp(
      cluster,
      clientOf(String(row.client), cluster),
      `${String(row.target).split(',')[0]}:80`,
      sourceOf(String(row.client)),
    )
    expect(sent.request?.src ?? null, `${row.client} to ${row.target}, ${setting}`).toBe(expected)
  }
}

function clientOf(text: string, cluster: Cluster) {
  if (text.startsWith('pod a')) return inPod('a')
  if (text.startsWith('router'))
    return [...cluster.network().machines.values()].find((m) => m.kind === 'router')?.id ?? inPod('a')
  return onNode('node0')
}

const sourceOf = (client: string): { readonly src?: string } => {
  const bound = /bound to ([\d.]+)/.exec(client)?.[1]
  return bound === undefined ? {} : { src: bound }
}

function hostPort(row: Row): void {
  const ports = [{ containerPort: 80, hostPort: 8080, protocol: 'UDP' }]
  const pods = [podOn('other', '10.244.0.3'), podOn('far', '10.244.1.2', 'node1')]
  const cluster = labCluster({
    pods,
    args: ['--kube-subnet-mgr'],
    // Without flanneld's masquerade the delegate would bring its own.
    ipMasq: false,
    sysctl: {
      'net.bridge.bridge-nf-call-iptables': 1,
      ...(row.routeLocalnet === undefined ? {} : { 'net.ipv4.conf.cni0.route_localnet': Number(row.routeLocalnet) }),
    },
    more: [
      podObject('s', 'node0', '10.244.0.2', ports),
      // kube-proxy sets route_localnet for all devices, which the laboratory did not have.
      nodeState('no-kube-proxy', 'node0', { sysctl: 'net.ipv4.conf.all.route_localnet = 0' }),
    ],
  })
  const client = String(row.client)
  const from = client.startsWith('process')
    ? onNode('node0')
    : client.startsWith('other node')
      ? onNode('node1')
      : inPod(client.startsWith('other pod') ? 'other' : client.startsWith('the pod itself') ? 's' : 'far')
  const sent = sendUdp(cluster, from, String(row.target))
  expect(sent.delivered, JSON.stringify(row)).toBe(row.works)
  if (row.podSees) expect(sent.request?.src, JSON.stringify(row)).toBe(row.podSees)
}
