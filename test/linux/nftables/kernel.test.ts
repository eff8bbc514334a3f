import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatNft } from '../../../src/artefact/nft/print.ts'
import { listNft } from '../../../src/linux/nftables/runtime.ts'
import { skbOf } from '../../../src/linux/skb.ts'
import { missingTools } from '../../artefact/real-tools.ts'
import { device, packet, rig } from '../netfilter/rig.ts'

interface Send {
  readonly src: string
  readonly sport: number
  readonly dst: string
  readonly dport: number
  readonly bytes: number
}
interface Case {
  readonly nft: string
  readonly sends: readonly Send[]
}

const condition = fc.constantFrom(
  'ip daddr 10.0.1.0/24',
  'ip daddr != 10.0.1.0/24',
  'ip saddr 10.0.0.1',
  'ip daddr { 10.0.0.0/24, 10.0.2.9 }',
  'ip daddr != { 10.0.0.9, 192.0.2.9 }',
  'ip daddr 10.0.0.9-10.0.1.200',
  'udp dport { 80, 443 }',
  'udp dport 80-90',
  'udp dport > 443',
  'udp sport != 6000',
  'tcp dport 80',
  'meta l4proto udp th dport 80',
  'meta mark & 0x1 == 0x1',
  'meta mark & 0x3 != 0x0',
  'meta mark 0x2',
  'ct state new',
  'ct state established,related',
  'ct state != new',
  'ct mark 0x2',
  'ct status dnat',
  'fib saddr type local',
  'fib daddr type { local, broadcast }',
  'oifname "kh*"',
  'oif != "lo"',
  'ip saddr @seen',
  'ip saddr != @seen',
  'meta l4proto udp ip daddr . th dport @pairs',
)
/** One of each header: nft merges neighbouring fields, and refuses two transports. */
const conditions = fc.uniqueArray(condition, {
  maxLength: 3,
  selector: (text) =>
    /^(udp|tcp|meta l4proto)/.test(text)
      ? 'transport'
      : text
          .split(' ')
          .slice(0, /^ip /.test(text) ? 1 : 2)
          .join(' '),
})

const change = fc.constantFrom(
  'meta mark set 0x1',
  'meta mark set meta mark | 0x2',
  'meta mark set meta mark ^ 0x3',
  'ct mark set meta mark',
  'meta mark set ct mark',
  'update @seen { ip saddr }',
  'delete @seen { ip saddr }',
)

/** Calls lead only to later chains. */
const verdict = (chain: number) =>
  fc.oneof(
    fc.constantFrom('accept', 'drop', 'return', 'return', ''),
    ...(chain < 3 ? [fc.constantFrom('jump', 'goto').map((how) => `${how} c${chain + 1}`)] : []),
    fc.constantFrom(
      `ip daddr . meta l4proto . th dport vmap { 10.0.1.9 . udp . 80 : ${chain < 3 ? `goto c${chain + 1}` : 'drop'}, 10.0.2.9 . udp . 443 : drop }`,
    ),
  )

const rules = (chain: number) =>
  fc.array(
    fc
      .tuple(conditions, fc.option(change, { nil: '' }), verdict(chain))
      .map(([c, a, v]) => [...c, a, v.includes('vmap') ? '' : 'counter', v].filter((part) => part !== '').join(' ')),
    { maxLength: 5 },
  )

const chainText = (name: string, head: string, lines: readonly string[]): string =>
  [`chain ${name} {`, ...(head ? [head] : []), ...lines, '}'].join('\n')

const nat = fc.constantFrom(
  'ip daddr 10.0.1.9 counter dnat to 10.0.3.1',
  'meta l4proto udp counter dnat to 10.0.3.7:8080',
  'meta l4proto udp counter dnat ip to numgen random mod 1 map { 0 : 10.0.3.8 . 8081 }',
  'counter return',
)

const cases: fc.Arbitrary<Case> = fc
  .tuple(
    rules(1),
    rules(2),
    rules(3),
    rules(0),
    rules(0),
    fc.array(nat, { maxLength: 2 }),
    fc.integer({ min: -160, max: 60 }),
  )
  .map(([c1, c2, c3, a, b, dnat, priority]) =>
    [
      'table ip t {',
      'set seen {\ntype ipv4_addr\nflags dynamic\nsize 100\n}',
      'set pairs {\ntype ipv4_addr . inet_service\nelements = { 10.0.1.9 . 80, 10.0.2.9 . 443 }\n}',
      chainText('c3', '', c3),
      chainText('c2', '', c2),
      chainText('c1', '', c1),
      chainText('a', `type filter hook output priority ${priority}; policy accept;`, a),
      chainText('b', 'type filter hook output priority 0; policy accept;', b),
      chainText('n', 'type nat hook output priority -100; policy accept;', dnat),
      '}',
      '',
    ].join('\n'),
  )
  .chain((nft) =>
    fc.record({
      nft: fc.constant(nft),
      sends: fc.array(
        fc.record({
          src: fc.constantFrom('10.0.0.1', '10.0.0.2'),
          sport: fc.constantFrom(4000, 6000),
          dst: fc.constantFrom('10.0.0.9', '10.0.1.9', '10.0.2.9', '192.0.2.9'),
          dport: fc.constantFrom(80, 85, 443, 9999),
          bytes: fc.integer({ min: 1, max: 50 }),
        }),
        { minLength: 1, maxLength: 8 },
      ),
    }),
  )

function emulate({ nft, sends }: Case): string {
  const r = rig({ nft, local: ['10.0.0.1', '10.0.0.2'], addresses: { kh0: '10.0.0.1' } })
  for (const { src, sport, dst, dport, bytes } of sends) {
    const sent = packet(src, dst, { kind: 'udp', srcPort: sport, dstPort: dport, data: bytes })
    const out = r.run('output', { ...skbOf(sent), outDevice: device('kh0') })
    if (out.verdict === 'accept') r.run('postrouting', out.skb)
  }
  return formatNft(listNft(r.nf.nft, 0))
}

/** Chain by chain what each counter counts, and what the sets hold: nft words some rules otherwise when it lists them. */
const counted = (listing: string): readonly string[] =>
  listing
    .split('\n')
    .flatMap((line) => /^\t(?:chain|set) .*|counter packets \d+ bytes \d+|elements = .*/.exec(line)?.[0] ?? [])

const missing = missingTools('nft', 'ip', 'conntrack')

describe.skipIf(missing !== undefined)(
  `against the kernel of this machine${missing ? ` (skipped: ${missing})` : ''}`,
  () => {
    test('random nftables rules count the same packets and leave the same sets', () => {
      const runner = fileURLToPath(new URL('../netfilter/kernel-runner.mjs', import.meta.url))
      const drawn = fc.sample(cases, { numRuns: 60, seed: Number(process.env.KUBEHOP_SEED ?? 7) })
      const command = 'mount -t tmpfs none /run && exec "$@"'
      const real = spawnSync(
        'unshare',
        ['-Urnm', '--map-root-user', 'sh', '-c', command, 'sh', process.execPath, runner],
        {
          input: JSON.stringify(drawn),
          encoding: 'utf8',
          maxBuffer: 1 << 28,
        },
      )
      expect(real.stderr).toBe('')
      const answers: readonly { counters: string }[] = JSON.parse(real.stdout)
      drawn.forEach((drawnCase, i) => {
        expect(counted(emulate(drawnCase)), `${drawnCase.nft}\n${JSON.stringify(drawnCase.sends)}`).toEqual(
          counted(answers[i]?.counters ?? ''),
        )
      })
    })
  },
)
