import { describe, expect, test } from 'vitest'
import { applyEdits } from '../../../src/artefact/iptables/apply.ts'
import { formatRule } from '../../../src/artefact/iptables/print.ts'
import { emptyRuleset } from '../../../src/artefact/iptables/rule.ts'
import { dumpTable } from '../../../src/cni/knft-dump.ts'
import { newestPlugins } from '../../../src/cni/plugins-version.ts'
import { type PortMapping, portMappings } from '../../../src/cni/port-mapping.ts'
import { defaultPortmapConf, portmapConf } from '../../../src/cni/portmap/conf.ts'
import { dnatChain, entryRules, type PortmapAdd, portmapEdits } from '../../../src/cni/portmap/iptables.ts'
import { hostportTable } from '../../../src/cni/portmap/nftables.ts'
import { snatChainEdits } from '../../../src/cni/portmap/snat-chains.ts'
import { version } from '../../../src/cni/version.ts'
import { familyOf, ip } from '../../../src/net/ip.ts'
import { address, pod, withPorts } from '../objects.ts'

const tcp = (hostPort: number, containerPort: number, hostIp?: string): PortMapping => ({
  hostPort,
  containerPort,
  protocol: 'tcp',
  ...(hostIp ? { hostIp: ip(hostIp) } : {}),
})

const add = (mappings: readonly PortMapping[], more: Partial<PortmapAdd> = {}): PortmapAdd => ({
  network: 'cbr0',
  containerId: 'abc',
  address: address('10.244.0.2/24'),
  mappings,
  conf: defaultPortmapConf,
  version: newestPlugins,
  ...more,
})

/** Every nat rule; the container's chain is called DN. */
function lines(given: PortmapAdd, edits = portmapEdits): readonly string[] {
  const ruleset = applyEdits(emptyRuleset(familyOf(given.address.ip)), edits(given))
  return ruleset.tables
    .flatMap((t) => t.chains.flatMap((c) => c.rules.map((r) => formatRule(r, c.name))))
    .map((line) => line.replaceAll(dnatChain(given), 'DN'))
}

const entry = (ports: string, protocol = 'tcp'): string =>
  `-A CNI-HOSTPORT-DNAT -p ${protocol} -m comment --comment "dnat name: \\"cbr0\\" id: \\"abc\\"" -m multiport --dports ${ports} -j DN`

describe('hostPorts in iptables', () => {
  test('are entered from PREROUTING and OUTPUT, marked for masquerade, and sent to the pod', () => {
    expect(lines(add([tcp(8080, 80)]))).toEqual([
      '-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT',
      '-A OUTPUT -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT',
      '-A POSTROUTING -m comment --comment "CNI portfwd requiring masquerade" -j CNI-HOSTPORT-MASQ',
      '-A DN -s 10.244.0.0/24 -p tcp -m tcp --dport 8080 -j CNI-HOSTPORT-SETMARK',
      '-A DN -s 127.0.0.1/32 -p tcp -m tcp --dport 8080 -j CNI-HOSTPORT-SETMARK',
      '-A DN -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.244.0.2:80',
      entry('8080'),
      '-A CNI-HOSTPORT-MASQ -m mark --mark 0x2000/0x2000 -j MASQUERADE',
      '-A CNI-HOSTPORT-SETMARK -m comment --comment "CNI portfwd masquerade mark" -j MARK --set-xmark 0x2000/0x2000',
    ])
  })

  const own = (given: PortmapAdd) => lines(given).filter((l) => l.startsWith('-A DN'))

  test('of IPv6 have no localhost rule, and brackets', () => {
    expect(own(add([tcp(8080, 80)], { address: address('fd00::2/64') }))).toEqual([
      '-A DN -s fd00::/64 -p tcp -m tcp --dport 8080 -j CNI-HOSTPORT-SETMARK',
      '-A DN -p tcp -m tcp --dport 8080 -j DNAT --to-destination [fd00::2]:80',
    ])
  })

  test.each([
    ['192.0.2.1', 1, ' -d 192.0.2.1/32'],
    ['0.0.0.0', 1, ''],
    ['2001:db8::1', 0, ''],
    ['::', 0, ''],
  ])('with hostIP %s make %i DNAT rule for IPv4', (hostIp, count, match) => {
    const dnats = own(add([tcp(8080, 80, hostIp)])).filter((l) => l.includes('DNAT'))
    expect(dnats).toHaveLength(count)
    for (const line of dnats)
      expect(line).toBe(`-A DN${match} -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.244.0.2:80`)
  })

  test('are listed 15 a rule, protocol by protocol', () => {
    const many = Array.from({ length: 17 }, (_, i) => tcp(8000 + i, 80))
    const udp = { hostPort: 53, containerPort: 53, protocol: 'udp' } as const
    const found = lines(add([udp, ...many])).filter((l) => l.startsWith('-A CNI-HOSTPORT-DNAT'))
    expect(found).toEqual([
      entry(Array.from({ length: 15 }, (_, i) => 8000 + i).join(',')),
      entry('8015,8016'),
      entry('53', 'udp'),
    ])
  })

  test('of two pods stand in the order of the pods, and the shared chains once', () => {
    const second = { ...add([tcp(8080, 80)]), containerId: 'def', address: address('10.244.0.3/24') }
    const ruleset = applyEdits(emptyRuleset('ipv4'), [...portmapEdits(add([tcp(8080, 80)])), ...portmapEdits(second)])
    const chain = (name: string) => ruleset.tables[0]?.chains.find((c) => c.name === name)?.rules ?? []
    expect(chain('CNI-HOSTPORT-DNAT').map((r) => (r.target?.kind === 'jump' ? r.target.chain : ''))).toEqual([
      dnatChain(add([])),
      dnatChain(second),
    ])
    expect([chain('PREROUTING'), chain('POSTROUTING'), chain('CNI-HOSTPORT-MASQ')].map((c) => c.length)).toEqual([
      1, 1, 1,
    ])
  })

  test('are nothing where there are none', () => {
    expect(portmapEdits(add([]))).toEqual([])
    expect(snatChainEdits(add([]))).toEqual([])
  })

  test.each([
    ['snat off marks nobody', { snat: false }, newestPlugins, []],
    ['masqAll marks everybody', { masqAll: true }, newestPlugins, ['-A DN -p tcp', '-A DN -s 127.0.0.1/32']],
    ['before v0.8.6 the pod alone', {}, version('v0.8.5'), ['-A DN -s 10.244.0.2/32', '-A DN -s 127.0.0.1/32']],
    [
      'masqAll is unknown before v1.2.0',
      { masqAll: true },
      version('v1.1.1'),
      ['-A DN -s 10.244.0.0/24', '-A DN -s 127.0.0.1/32'],
    ],
  ])('%s', (_, conf, release, starts) => {
    const given = add([tcp(8080, 80)], { conf: { ...defaultPortmapConf, ...conf }, version: release })
    const marks = own(given).filter((l) => l.includes('SETMARK'))
    expect(marks.map((l) => l.split(' -p tcp -m')[0] ?? '')).toEqual(starts.map((s) => s.replace(/ -p tcp$/, '')))
  })

  test('jump first before v0.8.0', () => {
    const other = { op: 'append', table: 'nat', chain: 'PREROUTING', rule: { matches: [] } } as const
    const places = ['v0.7.5', 'v0.8.0'].map((v) => {
      const edits = [other, ...portmapEdits(add([tcp(1, 1)], { version: version(v) }))]
      const { tables } = applyEdits(emptyRuleset('ipv4'), edits)
      return tables[0]?.chains[0]?.rules.findIndex((r) => r.target?.kind === 'jump')
    })
    expect(places).toEqual([0, 1])
  })

  test('carry the conditions of the configuration, and a comment of at most 255 characters', () => {
    const conditions = { matches: [], inInterface: { value: 'eth0' } }
    const [rule] = entryRules(add([tcp(1, 1)], { conditions, containerId: 'x'.repeat(300) }))
    expect(rule?.inInterface).toEqual({ value: 'eth0' })
    expect(rule?.matches[0]).toMatchObject({ kind: 'comment', text: expect.stringMatching(/^.{255}$/) })
  })

  test('up to v0.6.x are masqueraded by chains of their own', () => {
    const found = lines(add([tcp(8080, 80)], { version: version('v0.6.0') }), snatChainEdits)
    expect(found.some((l) => l.includes('MARK'))).toBe(false)
    expect(found).toContain('-A POSTROUTING -s 127.0.0.1/32 ! -d 127.0.0.1/32 -j CNI-HOSTPORT-SNAT')
    expect(found.at(-1)).toMatch(
      /^-A CNI-SN-\w+ -s 127.0.0.1\/32 -d 10.244.0.2\/32 -p tcp -m tcp --dport 80 -j MASQUERADE$/,
    )
  })
})

describe('the configuration of portmap', () => {
  test.each([
    [{}, { conf: defaultPortmapConf }],
    [{ snat: false, markMasqBit: 5 }, { conf: { ...defaultPortmapConf, snat: false, markMasqBit: 5 } }],
    [{ markMasqBit: 32 }, { error: 'MasqMarkBit must be between 0 and 31, found 32' }],
    [{ markMasqBit: 5, externalSetMarkChain: 'X' }, { error: 'cannot specify externalSetMarkChain and markMasqBit' }],
  ])('%j', (options, expected) => {
    expect(portmapConf(options)).toEqual(expected)
  })

  test('with an external mark chain makes no chain of marks', () => {
    const conf = { ...defaultPortmapConf, externalSetMarkChain: 'KUBE-MARK-MASQ' }
    const found = lines(add([tcp(1, 1)], { conf })).join('\n')
    expect(found).toContain('-j KUBE-MARK-MASQ')
    expect(found).not.toMatch(/CNI-HOSTPORT-(SETMARK|MASQ)/)
  })
})

test('in nftables a hostPort is one rule, and masquerade needs no mark', () => {
  expect(dumpTable(hostportTable('ipv4', [add([tcp(8080, 80, '192.0.2.1')])], defaultPortmapConf)).split('\n')).toEqual(
    [
      'add table ip cni_hostport { comment "CNI portmap plugin" ; }',
      'add chain ip cni_hostport hostip_hostports',
      'add chain ip cni_hostport hostports',
      'add chain ip cni_hostport hostports_all',
      'add chain ip cni_hostport masquerading { type nat hook postrouting priority 100 ; }',
      'add chain ip cni_hostport output { type nat hook output priority -100 ; }',
      'add chain ip cni_hostport prerouting { type nat hook prerouting priority -100 ; }',
      'add rule ip cni_hostport hostports ip daddr 192.0.2.1 tcp dport 8080 dnat to 10.244.0.2:80 comment "abc"',
      'add rule ip cni_hostport hostports_all jump hostip_hostports',
      'add rule ip cni_hostport hostports_all jump hostports',
      'add rule ip cni_hostport masquerading ip saddr 10.244.0.2 ip daddr 10.244.0.2 masquerade comment "abc"',
      'add rule ip cni_hostport masquerading ip saddr 127.0.0.1 ip daddr 10.244.0.2 masquerade comment "abc"',
      'add rule ip cni_hostport output fib daddr type local jump hostports_all',
      'add rule ip cni_hostport prerouting fib daddr type local jump hostports_all',
    ],
  )
})

test('mappings are the container ports with a hostPort, each with its field', () => {
  const given = pod(
    'web',
    'n',
    withPorts(
      { containerPort: 80, hostPort: 8080 },
      { containerPort: 81 },
      { containerPort: 53, hostPort: 53, protocol: 'UDP', hostIP: '192.0.2.1' },
    ),
  )
  expect(portMappings(given)).toEqual([
    { hostPort: 8080, containerPort: 80, protocol: 'tcp', field: 'spec.containers[0].ports[0].hostPort' },
    {
      hostPort: 53,
      containerPort: 53,
      protocol: 'udp',
      hostIp: '192.0.2.1',
      field: 'spec.containers[0].ports[2].hostPort',
    },
  ])
})
