import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { parseIpSets } from '../../src/artefact/ipset-text.ts'
import { parseIpvs } from '../../src/artefact/ipvs.ts'
import { deviceName } from '../../src/artefact/link.ts'
import type { Input, SendRequest } from '../../src/linux/kernel.ts'
import { readCounters } from '../../src/linux/netfilter/counters.ts'
import { ip } from '../../src/net/ip.ts'
import { mac } from '../../src/net/mac.ts'
import { type IpPacket, tcpFlag } from '../../src/packet/packet.ts'
import { hopLine, normalized } from '../linux/hop.ts'
import { Lab } from '../linux/lab.ts'
import { type Told, World } from '../linux/world.ts'
import { goldenRoot } from './golden-root.ts'

const root = goldenRoot('kernel')

interface Recording {
  readonly base: string
  readonly lab: { readonly 'bridge-nf-call-iptables': number; readonly mode: string }
  readonly setup?: readonly string[] | null
  readonly probe: string
  readonly sender: string
  readonly hops?: readonly RecordedHop[] | null
  readonly hooks?: readonly RecordedHook[] | null
  readonly counters?: Readonly<Record<string, readonly string[]>>
}
interface RecordedHop {
  readonly ns: string
  readonly dev: string
  readonly dir: string
  readonly l2?: string
  readonly ip?: string
  readonly arp?: string
}
interface RecordedHook {
  readonly at: string
  readonly hook: string
  readonly in: string
  readonly out: string
  readonly rules?: readonly string[] | null
}

/** Recordings that end before the kernel did. */
const cutShort: Readonly<Record<string, string>> = {
  'legacy-vs-nft-legacy': 'taken before the answer',
  'vxlan-no-neigh': 'taken before ARP gave up',
}
/** Recordings whose order within one namespace is not the kernel's, for the reason told in the reference. */
const unordered: Readonly<Record<string, string>> = {
  'underlay-mtu-1400-df': 'two fragments overlapped on two processors',
  'netpol-reject-dst-node': 'the chains of the ICMP error are told before the rule that sent it',
  // iptables-nft runs security last at INPUT, iptables-legacy nat.
  'hook-order-clusterip-remote': 'nat and security change places at INPUT',
  'hook-order-pod-to-own-node': 'nat and security change places at INPUT',
}

type ByNamespace = Readonly<Record<string, readonly string[]>>

function expectSame(name: string, probe: string, observed: ByNamespace, recorded: ByNamespace): void {
  const arranged = (all: ByNamespace): ByNamespace =>
    unordered[name] ? Object.fromEntries(Object.entries(all).map(([ns, lines]) => [ns, lines.toSorted()])) : all
  if (name === 'mtu-nodf') {
    // Of the second fragment, the recording shows what a later hop wrote into it (its README says so).
    const first = (all: ByNamespace): ByNamespace =>
      Object.fromEntries(Object.entries(all).map(([ns, lines]) => [ns, lines.filter((l) => !l.includes('frag 1424'))]))
    expect(first(observed)).toEqual(first(recorded))
  } else if (cutShort[name]) {
    const seen = Object.entries(recorded).map(([ns, lines]) => [ns, (observed[ns] ?? []).slice(0, lines.length)])
    expect(Object.fromEntries(seen)).toEqual(recorded)
  } else if (probe.startsWith('tcp')) {
    // The recording goes on to close the connection; what is sent here is its beginning.
    const begun = Object.entries(observed).map(([ns, lines]) => [ns, (recorded[ns] ?? []).slice(0, lines.length)])
    expect(observed).toEqual(Object.fromEntries(begun))
  } else expect(arranged(observed)).toEqual(arranged(recorded))
}

function build(recording: Recording, path: string, name: string): Lab {
  const base = parse(readFileSync(join(path, `${recording.base}.yaml`), 'utf8'))
  const lab = new Lab()
  for (const group of base.commands) {
    for (const line of group['ip-batch'] ?? []) lab.run(group.ns, `ip ${line}`, () => '')
    for (const line of group['bridge-batch'] ?? []) lab.run(group.ns, `bridge ${line}`, () => '')
    if (group.sysctl) lab.sysctl(group.ns, group.sysctl)
  }
  const noRules = name.startsWith('ipip-') || name.startsWith('nftables-')
  for (const [ns, text] of Object.entries(base['iptables-restore'])) if (!noRules) lab.restore(ns, String(text))
  for (const ns of lab.spaces.keys()) {
    lab.sysctl(ns, ['net.ipv6.conf.all.disable_ipv6=1'])
    if (!/^n\d/.test(ns)) continue
    lab.sysctl(ns, [`net.bridge.bridge-nf-call-iptables=${recording.lab['bridge-nf-call-iptables']}`])
    if (name.startsWith('ipip-')) lab.run(ns, 'ip link add tunl0 type ipip', () => '')
  }
  if (name.startsWith('calico-')) calico(lab)
  else if (name.startsWith('ipvs-')) ipvs(lab, name)
  else for (const line of recording.setup ?? []) setUp(lab, line, path)
  return lab
}

function setUp(lab: Lab, line: string, path: string): void {
  const [ns = '', command = ''] = line.split(/:\s(.*)/s)
  lab.run(ns, command, (file) => readFileSync(join(path, file), 'utf8'))
}

/** The set-up that the calico recordings tell in words. */
function calico(lab: Lab): void {
  for (const n of [1, 2]) {
    const ns = `n${n}`
    lab.run(ns, 'ip link del cni0', () => '')
    for (const i of [1, 2]) {
      const pod = `10.244.${n}.${i + 1}`
      const podMac = `02:00:0a:f4:0${n}:0${i + 1}`
      lab.run(ns, `ip link set veth${i} nomaster`, () => '')
      lab.run(ns, `ip link set veth${i} address ee:ee:ee:ee:ee:ee`, () => '')
      lab.run(ns, `ip route add ${pod}/32 dev veth${i} scope link`, () => '')
      lab.run(ns, `ip neigh add ${pod} lladdr ${podMac} dev veth${i} nud permanent`, () => '')
      lab.sysctl(ns, [`net.ipv4.conf.veth${i}.proxy_arp=1`, `net.ipv4.neigh.veth${i}.proxy_delay=0`])
      const space = lab.space(`p${n}${i}`)
      Object.assign(space, { addresses: [], routes: [], neighbours: [] })
      lab.run(`p${n}${i}`, `ip addr add ${pod}/32 dev eth0`, () => '')
      lab.run(`p${n}${i}`, 'ip route add 169.254.1.1 dev eth0 scope link', () => '')
      lab.run(`p${n}${i}`, 'ip route add default via 169.254.1.1 dev eth0', () => '')
    }
    lab.run(ns, `ip route add blackhole 10.244.${n}.0/24`, () => '')
    lab.run(ns, 'ip route add default via 192.168.50.100', () => '')
  }
}

/** The set-up that the IPVS recordings tell in words. */
function ipvs(lab: Lab, name: string): void {
  const rules = `*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -m comment --comment in -j ACCEPT
-A FORWARD -m comment --comment fwd -j ACCEPT
-A OUTPUT -m comment --comment out -j ACCEPT
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-POSTROUTING - [0:0]
-A PREROUTING -j KUBE-SERVICES
-A OUTPUT -j KUBE-SERVICES
-A POSTROUTING -j KUBE-POSTROUTING
-A KUBE-SERVICES ! -s 10.244.0.0/16 -m set --match-set KUBE-CLUSTER-IP dst,dst -j KUBE-MARK-MASQ
-A KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-POSTROUTING -m set --match-set KUBE-LOOP-BACK dst,dst,src -j MASQUERADE
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
-A KUBE-POSTROUTING -j MASQUERADE --random-fully
COMMIT
`
  const sets = `create KUBE-CLUSTER-IP hash:ip,port family inet
add KUBE-CLUSTER-IP 10.96.0.12,udp:80
create KUBE-LOOP-BACK hash:ip,port,ip family inet
`
  const servers = name.includes('no-real-servers')
    ? ''
    : '\n-a -u 10.96.0.12:80 -r 10.244.1.2:8080 -m\n-a -u 10.96.0.12:80 -r 10.244.2.2:8080 -m'
  for (const ns of ['n1', 'n2']) {
    lab.sysctl(ns, ['net.ipv4.vs.conntrack=1', 'net.ipv4.conf.all.arp_ignore=1', 'net.ipv4.conf.all.arp_announce=2'])
    lab.run(ns, 'ip link add kube-ipvs0 type dummy', () => '')
    lab.run(ns, 'ip addr add 10.96.0.12/32 dev kube-ipvs0', () => '')
    lab.restore(ns, rules)
    const space = lab.space(ns)
    space.ipsets = parseIpSets(sets).sets
    space.ipvs = parseIpvs(`-A -u 10.96.0.12:80 -s rr${servers}`).entries
  }
}

/** Recordings that were taken after another connection had moved the round on. */
const secondOfRound: readonly string[] = ['ipvs-clusterip-same-node', 'ipvs-host-client-local']

/** Servers answer five bytes, as the recorded ones did; a raw probe was not answered. */
function listen(lab: Lab, name: string): void {
  if (name === 'closed-port' || name === 'tcp-closed') return
  const ports: Readonly<Record<string, readonly number[]>> = { ext: [9000] }
  for (const [ns, space] of lab.spaces) {
    const open = /^p\d/.test(ns)
      ? [8080]
      : name === 'hook-order-pod-to-own-node' && ns === 'n1'
        ? [9100]
        : (ports[ns] ?? [])
    space.sockets = open.flatMap((port) =>
      (['udp', 'tcp'] as const).map((protocol) => ({ protocol, address: undefined, port, owner: 'server' })),
    )
  }
}

/** `udp p11:40000 -> 10.244.2.2:8080 1472 bytes DF ttl 2`, or in other words for ICMP and TCP. */
function requestOf(probe: string, data = 7): { ns: string; request: SendRequest } | undefined {
  const udp = /^(udp|tcp connect) (\w+):(\d+) -> ([\d.]+):(\d+)(.*)$/.exec(probe)
  const icmp = /^icmp echo (\w+) -> ([\d.]+)/.exec(probe)
  const common = { src: undefined, tos: 0, owner: 'client' } as const
  if (icmp) {
    const message = { kind: 'echo-request', id: 4242, seq: 1, data } as const
    const request = {
      ...common,
      dst: ip(icmp[2] ?? ''),
      ttl: 64,
      df: true,
      payload: { kind: 'icmp', message },
    } as const
    return { ns: icmp[1] ?? '', request }
  }
  if (!udp) return undefined
  const [, protocol, ns = '', srcPort, dst = '', dstPort, more = ''] = udp
  const bytes = /(\d+) bytes/.exec(more)
  const ports = { srcPort: Number(srcPort), dstPort: Number(dstPort) }
  const payload =
    protocol === 'udp'
      ? ({ kind: 'udp', ...ports, data: bytes ? Number(bytes[1]) : 5 } as const)
      : ({ kind: 'tcp', ...ports, flags: tcpFlag.syn, seq: 0, ack: 0, options: 20, data: 0 } as const)
  const df = !bytes || more.includes('DF')
  return { ns, request: { ...common, dst: ip(dst), ttl: Number(/ttl (\d+)/.exec(more)?.[1] ?? 64), df, payload } }
}

/** A raw frame, as the first hop shows it: it enters at the other end of the wire. */
function rawInput(lab: Lab, hop: RecordedHop): { ns: string; input: Input } {
  const [src = '', dst = ''] = (hop.l2 ?? '').split(' > ')
  const line = /^([\d.]+) > ([\d.]+) (udp|tcp) ttl (\d+) len (\d+) ports (\d+)>(\d+)(?: flags (\w+))?/.exec(
    hop.ip ?? '',
  )
  const peer = lab.wires.get(`${hop.ns} ${hop.dev}`)
  if (!line || !peer) throw new Error(JSON.stringify(hop))
  const ports = { srcPort: Number(line[6]), dstPort: Number(line[7]) }
  const payload =
    line[3] === 'udp'
      ? ({ kind: 'udp', ...ports, data: Number(line[5]) - 28 } as const)
      : ({
          kind: 'tcp',
          ...ports,
          flags: tcpFlag.syn | tcpFlag.ack,
          seq: 0,
          ack: 1,
          options: Number(line[5]) - 40,
          data: 0,
        } as const)
  const packet: IpPacket = {
    src: ip(line[1] ?? ''),
    dst: ip(line[2] ?? ''),
    ttl: Number(line[4]),
    tos: 0,
    id: 0,
    df: (hop.ip ?? '').includes(' DF'),
    payload,
  }
  const frame = { src: mac(src), dst: mac(dst), payload: { kind: 'ip', packet } } as const
  return { ns: peer.ns, input: { kind: 'receive', device: deviceName(peer.device), frame } }
}

/** Random source ports of MASQUERADE, numbered in order of appearance. */
function anonymous(lines: readonly string[]): readonly string[] {
  const seen = new Map<string, string>()
  return lines.map((line) =>
    normalized(line).replace(/\b(\d{4,5})(?=>8080|>9000)|(?<=8080>|9000>)(\d{4,5})\b/g, (port) => {
      if (/^4000\d$/.test(port)) return port
      const name = seen.get(port) ?? `random${seen.size}`
      seen.set(port, name)
      return name
    }),
  )
}

const order = (ns: string): number => ['p11', 'p12', 'n1', 'ul', 'ext', 'n2', 'p21', 'p22'].indexOf(ns)
const byNamespace = (lines: readonly { ns: string; line: string }[]): Record<string, readonly string[]> => {
  const groups: Record<string, readonly string[]> = {}
  const all = anonymous(lines.map((l) => l.line))
  const names = [...new Set(lines.map((l) => l.ns))].sort((a, b) => order(a) - order(b))
  for (const ns of names) groups[ns] = all.filter((_, i) => lines[i]?.ns === ns)
  return groups
}

const recordedHop = (h: RecordedHop) => ({
  ns: h.ns,
  line: `${h.dev} ${h.dir} ${h.l2 && h.l2 !== '' ? h.l2 : '-'} ${h.ip ?? h.arp ?? ''}`,
})

function observedHops(told: readonly Told[]) {
  return told.flatMap(({ ns, event }) =>
    event.kind === 'receive' || event.kind === 'transmit' ? [{ ns, line: hopLine(event) }] : [],
  )
}

/** Chains with the rules that matched. `in` at POSTROUTING means nothing. */
function observedHooks(told: readonly Told[]): { ns: string; line: string }[] {
  const lines: { ns: string; line: string }[] = []
  for (const { ns, event } of told) {
    if (!/^n\d/.test(ns)) continue
    if (event.kind === 'stage' && event.stage !== 'conntrack' && event.stage !== 'confirm') {
      const chain = event.hook.toUpperCase()
      // nft trace names table and chain, without the family.
      const place = event.chain === undefined ? `${event.stage}/${chain}` : event.chain.split(' ').slice(1).join('/')
      lines.push({ ns, line: `${place} ${inAt(chain, event.in ?? '')} ${event.out ?? ''}:` })
    }
    const last = lines.at(-1)
    if (event.kind === 'rule' && last) last.line += ` ${event.chain}#${event.index}`
  }
  return lines
}

const inAt = (chain: string, device: string): string => (chain === 'POSTROUTING' ? '*' : device)

const recordedHook = (h: RecordedHook) => {
  const chain = (h.hook.split('/')[1] ?? '').replace(/^.*-postrouting$/, 'POSTROUTING')
  const rules = (h.rules ?? []).flatMap((r) => /^(\S+#\d+)/.exec(r)?.[1] ?? [])
  return { ns: h.at, line: `${h.hook} ${inAt(chain, h.in)} ${h.out}:${rules.map((r) => ` ${r}`).join('')}` }
}

/** Packets by rule: `filter INPUT#1`. */
function countersOf(world: World): ReadonlyMap<string, number> {
  const nodes = ['n1', 'n2'].flatMap((ns) => {
    const space = world.spaces.get(ns)
    return space ? readCounters(space.netfilter, 'ipv4').map((c) => [ns, c] as const) : []
  })
  return new Map(nodes.map(([ns, c]) => [`${ns} ${c.table} ${c.chain}#${c.index}`, c.packets]))
}

function replay(path: string, name: string) {
  const recording: Recording = parse(readFileSync(join(path, `${name}.yaml`), 'utf8'))
  const lab = build(recording, path, name)
  listen(lab, name)
  const length = Number(/ len (\d+)/.exec(recording.hops?.[0]?.ip ?? '')?.[1] ?? 35)
  const probe = requestOf(recording.probe, length - 28)
  const [first] = recording.hops ?? []
  const world = new World(lab, probe !== undefined, { completeHandshake: true })
  let hops = recording.hops ?? []
  if (probe && secondOfRound.includes(name)) {
    const { payload } = probe.request
    const other = payload.kind === 'udp' ? { ...payload, srcPort: 39999 } : payload
    world.run(probe.ns, { kind: 'send', request: { ...probe.request, payload: other } })
    world.told.length = 0
    world.outputs.length = 0
  }
  const before = countersOf(world)
  if (probe) world.run(probe.ns, { kind: 'send', request: probe.request })
  else if (first) {
    const raw = rawInput(lab, first)
    world.run(raw.ns, raw.input)
    hops = hops.slice(1)
  }
  return { recording, world, hops, before }
}

const names =
  'path' in root && existsSync(root.path)
    ? readdirSync(root.path).flatMap((f) => (f.endsWith('.yaml') && !f.startsWith('base-') ? [f.slice(0, -5)] : []))
    : []

/** What the client's system calls returned: an error of the call, the address that answered, the ICMP error. */
function senderSaw(world: World) {
  const outputs = world.outputs.filter((o) => 'owner' in o && o.owner === 'client')
  const answer = outputs.find((o) => o.kind === 'deliver')
  const icmp = outputs.find((o) => o.kind === 'error' && o.icmp !== undefined)
  const call = outputs.find((o) => o.kind === 'error' && o.icmp === undefined)
  const packet = icmp?.kind === 'error' ? icmp.icmp : undefined
  const message = packet?.payload.kind === 'icmp' ? packet.payload.message : undefined
  const udp = answer?.kind === 'deliver' && answer.packet.payload.kind === 'udp' ? answer.packet.payload : undefined
  return {
    call: call?.kind === 'error' ? call.errno : undefined,
    reply: answer?.kind === 'deliver' && udp ? `${answer.packet.src}:${udp.srcPort}` : undefined,
    icmp: message?.kind === 'error' ? `${message.type}/${message.code} ${packet?.src}` : undefined,
  }
}

/** connect() hears of an ICMP error by its errno alone. */
const connectSaw = (world: World) => world.outputs.flatMap((o) => (o.kind === 'error' ? [o.errno] : []))[0]

const errnoNames: Readonly<Record<string, string>> = {
  1: 'EPERM',
  22: 'EINVAL',
  101: 'ENETUNREACH',
  111: 'ECONNREFUSED',
}

const errnoSentences: Readonly<Record<string, string>> = {
  'Connection refused': 'ECONNREFUSED',
  'No route to host': 'EHOSTUNREACH',
}

function senderRecorded(sender: string) {
  const failed = /^(?:connect: )?\[Errno (\d+)\]/.exec(sender)?.[1]
  const icmp = /icmp (\d+\/\d+) .*offender=([\d.]+)/.exec(sender)
  return {
    call: failed === undefined ? undefined : errnoNames[failed],
    reply: /reply (?:b'reply' )?from ([\d.:]+)/.exec(sender)?.[1],
    icmp: icmp ? `${icmp[1]} ${icmp[2]}` : undefined,
  }
}

describe.skipIf('missing' in root)(`recordings of a real kernel${'missing' in root ? `: ${root.missing}` : ''}`, () => {
  for (const name of names) {
    if (!('path' in root)) continue
    test(`${name}: every device sees what it saw there`, () => {
      const { world, hops, recording } = replay(root.path, name)
      const observed = byNamespace(observedHops(world.told))
      const recorded = byNamespace(hops.map(recordedHop))
      expectSame(name, recording.probe, observed, recorded)
    })
    test(`${name}: the sender is told the same`, () => {
      const { world, recording } = replay(root.path, name)
      const { sender } = recording
      // Of pings and of the user-mode kernel, what came back was not noted.
      if (cutShort[name] || sender === 'sent' || name.startsWith('ipip-')) return
      const told = /^sent; no reply: (.*)/.exec(sender)?.[1]
      if (recording.probe.startsWith('tcp')) expect(connectSaw(world)).toEqual(senderRecorded(sender).call)
      // Of the user-mode kernel's probes only the system call's answer was noted.
      else if (told && name.startsWith('ipvs-')) expect(connectSaw(world)).toEqual(errnoSentences[told])
      else expect(senderSaw(world)).toEqual(senderRecorded(sender))
    })
    if (name.startsWith('ipvs-'))
      test(`${name}: every rule counts what it counted there`, () => {
        const { world, recording, before } = replay(root.path, name)
        const observed = [...countersOf(world)].flatMap(([rule, n]) => {
          const more = n - (before.get(rule) ?? 0)
          return more > 0 ? [`${rule} +${more}`] : []
        })
        const recorded = Object.entries(recording.counters ?? {}).flatMap(([ns, lines]) =>
          lines.flatMap((line) => {
            const [, n, table, chain] = /^\+(\d+) (\S+) (\S+#\d+)/.exec(line) ?? []
            return table ? [`${ns} ${table} ${chain} +${n}`] : []
          }),
        )
        expect(observed.sort()).toEqual(recorded.sort())
      })
    test(`${name}: every chain runs, and the same rules match`, () => {
      const { world, recording } = replay(root.path, name)
      const observed = byNamespace(observedHooks(world.told))
      const recorded = byNamespace((recording.hooks ?? []).map(recordedHook))
      if (recording.hooks === undefined || recording.hooks === null) return
      expectSame(name, recording.probe, observed, recorded)
    })
  }
})
