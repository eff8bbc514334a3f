import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { skbOf } from '../../../src/linux/skb.ts'
import { device, packet, rig } from './rig.ts'

interface Send {
  readonly src: string
  readonly sport: number
  readonly dst: string
  readonly dport: number
  readonly bytes: number
}

interface Case {
  readonly rules: string
  readonly sends: readonly Send[]
}

const destinations = ['10.0.0.9', '10.0.1.9', '10.0.2.9', '192.0.2.9'] as const
const not = fc.constantFrom('', '', '! ')

const condition = fc.oneof(
  fc
    .tuple(not, fc.constantFrom('10.0.0.0/24', '10.0.1.0/24', '10.0.0.0/22', '192.0.2.9/32'))
    .map(([n, p]) => `${n}-d ${p}`),
  fc.tuple(not, fc.constantFrom('10.0.0.1/32', '10.0.0.2/32', '10.0.0.0/8')).map(([n, p]) => `${n}-s ${p}`),
  fc.tuple(not, fc.constantFrom('kh0', 'kh+', 'eth+')).map(([n, d]) => `${n}-o ${d}`),
  fc.tuple(not, fc.constantFrom('80', '80:90', '443')).map(([n, p]) => `-p udp -m udp ${n}--dport ${p}`),
  fc.tuple(not, fc.constantFrom('1:5000', '6000')).map(([n, p]) => `-p udp -m udp ${n}--sport ${p}`),
  fc.tuple(not, fc.constantFrom('80,443', '1:79,81:65535')).map(([n, p]) => `-p udp -m multiport ${n}--dports ${p}`),
  fc.constantFrom('-p tcp', '! -p tcp', '-f', '! -f'),
  fc.tuple(not, fc.constantFrom('0x1/0x1', '0x2/0x3', '0x0/0xff')).map(([n, m]) => `-m mark ${n}--mark ${m}`),
  fc
    .tuple(not, fc.constantFrom('NEW', 'INVALID', 'RELATED,ESTABLISHED', 'NEW,DNAT', 'DNAT', 'SNAT'))
    .map(([n, s]) => `-m conntrack ${n}--ctstate ${s}`),
  fc.tuple(not, fc.constantFrom('10.0.1.0/24', '192.0.2.9/32')).map(([n, p]) => `-m conntrack ${n}--ctorigdst ${p}`),
  fc.tuple(not, fc.constantFrom('LOCAL', 'UNICAST')).map(([n, t]) => `-m addrtype ${n}--src-type ${t}`),
  fc.tuple(not, fc.constantFrom('10.0.1.0-10.0.2.200')).map(([n, r]) => `-m iprange ${n}--dst-range ${r}`),
  fc.constantFrom(
    '-m statistic --mode nth --every 3 --packet 1',
    '-m recent --set --name L --rsource',
    '-m recent --rcheck --name L --rsource',
    '-m recent ! --rcheck --name L --rsource',
    '-m recent --update --seconds 100 --hitcount 3 --name L --rdest',
    '-m recent --remove --name L --rdest',
    '-m physdev ! --physdev-is-bridged',
    '-m physdev --physdev-is-bridged',
  ),
)

/** At most one of each option, since iptables refuses a second. */
const conditions = fc.uniqueArray(condition, {
  maxLength: 3,
  selector: (text) => /-(?:s|d|o|p|f|m (?:mark|addrtype|iprange|conntrack|recent|statistic|physdev))\b/.exec(text)?.[0],
})

const mark = fc.constantFrom('MARK --set-xmark 0x1/0x1', 'MARK --set-xmark 0x2/0x3', 'MARK --set-xmark 0x0/0xffffffff')
const connmark = fc.constantFrom('CONNMARK --save-mark', 'CONNMARK --restore-mark', 'CONNMARK --set-xmark 0x2/0xff')

/** Calls lead only to later chains, so there are no circles. */
const target = (chain: number) =>
  fc.oneof(
    fc.constantFrom('', '-j RETURN', '-j RETURN', '-j ACCEPT', '-j DROP'),
    fc
      .tuple(fc.constantFrom('-j', '-g'), fc.integer({ min: chain + 1, max: 4 }))
      .map(([how, to]) => (to > 3 ? '-j RETURN' : `${how} C${to}`)),
    fc.oneof(mark, connmark).map((t) => `-j ${t}`),
  )

function chainRules(chain: number, name: string, mangle: boolean) {
  const rule = fc.tuple(conditions, target(chain)).map(([c, t]) => {
    const allowed = mangle || !/MARK/.test(t) ? t : '-j RETURN'
    return `-A ${name} ${[...c, allowed].filter((part) => part !== '').join(' ')}`
  })
  return fc.array(rule, { maxLength: 5 })
}

const table = (name: string, chains: readonly string[], mangle: boolean) =>
  fc
    .tuple(
      ...chains.map((chain) => chainRules(0, chain, mangle)),
      ...[1, 2, 3].map((n) => chainRules(n, `C${n}`, mangle)),
    )
    .map((rules) =>
      [
        `*${name}`,
        ...chains.map((c) => `:${c} ACCEPT [0:0]`),
        ':C1 - [0:0]',
        ':C2 - [0:0]',
        ':C3 - [0:0]',
        ...rules.flat(),
        'COMMIT',
        '',
      ].join('\n'),
    )

const natRule = fc
  .tuple(
    conditions,
    fc.constantFrom(
      '-A OUTPUT @ -j DNAT --to-destination 10.0.3.1',
      '-A OUTPUT @ -j DNAT --to-destination 10.0.3.1-10.0.3.9',
      '-A OUTPUT @ -p udp -j DNAT --to-destination 10.0.3.7:8080',
      '-A OUTPUT @ -j RETURN',
      '-A POSTROUTING @ -j SNAT --to-source 10.0.4.1',
      '-A POSTROUTING @ -j SNAT --to-source 10.0.4.1-10.0.4.9 --persistent',
      '-A POSTROUTING @ -j MASQUERADE',
    ),
  )
  .map(([c, t]) => {
    const fitting = c.filter((text) => !(text.includes('-p ') && t.includes('-p ')))
    return t.replace('@', fitting.join(' '))
  })
const natTable = fc
  .array(natRule, { maxLength: 5 })
  .map((rules) => ['*nat', ':OUTPUT ACCEPT [0:0]', ':POSTROUTING ACCEPT [0:0]', ...rules, 'COMMIT', ''].join('\n'))

const send: fc.Arbitrary<Send> = fc.record({
  src: fc.constantFrom('10.0.0.1', '10.0.0.2'),
  sport: fc.constantFrom(4000, 6000, 7000),
  dst: fc.constantFrom(...destinations),
  dport: fc.constantFrom(80, 85, 443, 9999),
  bytes: fc.integer({ min: 1, max: 50 }),
})

const cases: fc.Arbitrary<Case> = fc.record({
  rules: fc
    .tuple(table('mangle', ['OUTPUT', 'POSTROUTING'], true), table('filter', ['OUTPUT'], false), natTable)
    .map((t) => t.join('')),
  sends: fc.array(send, { minLength: 1, maxLength: 8 }),
})

const tools = ['unshare', 'ip', 'iptables-restore', 'iptables-save', 'conntrack']

function unavailable(): string | undefined {
  if (process.platform !== 'linux') return 'needs Linux'
  const missing = tools.filter((tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0)
  if (missing.length > 0) return `needs ${missing.join(', ')}`
  const probe = inNamespaces(['iptables', '-t', 'nat', '-S'])
  return probe.status === 0 ? undefined : 'needs user namespaces with iptables'
}

/** A file system of its own on /run, where iptables keeps its lock. */
const inNamespaces = (command: readonly string[], input = '') =>
  spawnSync(
    'unshare',
    ['-Urnm', '--map-root-user', 'sh', '-c', 'mount -t tmpfs none /run && exec "$@"', 'sh', ...command],
    {
      input,
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    },
  )

/** `table CHAIN#n packets:bytes`, of the counters that are not zero. */
function readCounters(text: string): readonly string[] {
  const seen: string[] = []
  const index = new Map<string, number>()
  let table = ''
  for (const line of text.split('\n')) {
    if (line.startsWith('*')) table = line.slice(1)
    const policy = /^:(\S+) (?:ACCEPT|DROP) \[(\d+:\d+)\]/.exec(line)
    if (policy && policy[2] !== '0:0') seen.push(`${table} ${policy[1]}#0 ${policy[2]}`)
    const rule = /^\[(\d+:\d+)\] -A (\S+)/.exec(line)
    if (!rule) continue
    const place = `${table} ${rule[2]}`
    index.set(place, (index.get(place) ?? 0) + 1)
    if (rule[1] !== '0:0') seen.push(`${place}#${index.get(place)} ${rule[1]}`)
  }
  return seen.sort()
}

/** Both tuples of each connection. A source port that the kernel drew is `*`. */
function readConnections(text: string): readonly string[] {
  const lines = text.split('\n').flatMap((line) => {
    const value = (name: string): string[] =>
      [...line.matchAll(new RegExp(`\\b${name}=(\\S+)`, 'g'))].map((m) => m[1] ?? '')
    const [src, dst, sport, dport, [mark = '']] = [
      value('src'),
      value('dst'),
      value('sport'),
      value('dport'),
      value('mark'),
    ]
    if (src.length < 2) return []
    return [tuples(src, dst, sport, dport, mark)]
  })
  return lines.sort()
}

function tuples(src: string[], dst: string[], sport: string[], dport: string[], mark: string): string {
  const kept = dport[1] === sport[0] ? dport[1] : '*'
  return `${src[0]}:${sport[0]}>${dst[0]}:${dport[0]} ${src[1]}:${sport[1]}>${dst[1]}:${kept} mark ${mark}`
}

function emulate({ rules, sends }: Case) {
  const r = rig({ v4: rules, local: ['10.0.0.1', '10.0.0.2'], addresses: { kh0: '10.0.0.1' } })
  for (const { src, sport, dst, dport, bytes } of sends) {
    const sent = packet(src, dst, { kind: 'udp', srcPort: sport, dstPort: dport, data: bytes })
    const out = r.run('output', { ...skbOf(sent), outDevice: device('kh0') })
    if (out.verdict === 'accept') r.run('postrouting', out.skb)
  }
  const connections = r.nf.conntrack
    .all()
    .map(({ original: o, reply: p, mark }) =>
      tuples(
        [o.src, p.src],
        [o.dst, p.dst],
        [`${o.srcPort}`, `${p.srcPort}`],
        [`${o.dstPort}`, `${p.dstPort}`],
        `${mark}`,
      ),
    )
  return { counters: [...r.byteCounters()].sort(), connections: connections.sort() }
}

const reason = unavailable()

describe.skipIf(reason !== undefined)(
  `against the kernel of this machine${reason ? ` (skipped: ${reason})` : ''}`,
  () => {
    test('random rules count the same packets and make the same connections', () => {
      const runner = fileURLToPath(new URL('kernel-runner.mjs', import.meta.url))
      const drawn = fc
        .sample(cases, { numRuns: 60, seed: Number(process.env.KUBEHOP_SEED ?? 7) })
        // A list outlives the rules of the case before where the next case names it again.
        .map((c, i) => ({ ...c, rules: c.rules.replaceAll('--name L', `--name L${i}`) }))
      const real = inNamespaces([process.execPath, runner], JSON.stringify(drawn))
      expect(real.stderr).toBe('')
      const answers: readonly { counters: string; connections: string }[] = JSON.parse(real.stdout)
      drawn.forEach((drawnCase, i) => {
        const { counters = '', connections = '' } = answers[i] ?? {}
        const expected = { counters: readCounters(counters), connections: readConnections(connections) }
        expect(emulate(drawnCase), `${drawnCase.rules}\n${JSON.stringify(drawnCase.sends)}`).toEqual(expected)
      })
    })
  },
)
