import { describe, expect, test } from 'vitest'
import { applyEdits } from '../../src/artefact/iptables/apply.ts'
import { formatRule } from '../../src/artefact/iptables/print.ts'
import { emptyRuleset } from '../../src/artefact/iptables/rule.ts'
import { formatRoute } from '../../src/artefact/route-text.ts'
import { parseCniConf } from '../../src/cni/cni-conf.ts'
import { renderFlannel } from '../../src/cni/flannel.ts'
import { addMasqChecks, collectMasqChecks, deleteMasqChecks, masqueradeTable } from '../../src/cni/ipmasq-nftables.ts'
import { dumpTable } from '../../src/cni/knft-dump.ts'
import { kubeletHostportEdits } from '../../src/cni/kubelet-hostport.ts'
import type { KubeObject } from '../../src/kube/objects/meta.ts'
import { ip } from '../../src/net/ip.ts'
import {
  address,
  daemonSet,
  flannelConfig,
  node,
  pod,
  settings,
  storeOf,
  threeNodes,
  threeUplinks,
  uplink,
  withPorts,
} from './objects.ts'

const network = { Network: '10.244.0.0/16', Backend: { Type: 'vxlan' } }
const manifest = daemonSet('flannel:v0.28.9', ['--ip-masq', '--kube-subnet-mgr'])
const delegate = (options: object, ...more: readonly object[]) =>
  flannelConfig(network, { name: 'cbr0', plugins: [{ type: 'flannel', delegate: options }, ...more] })

const render = (...objects: readonly KubeObject[]) =>
  renderFlannel(storeOf(...threeNodes, ...objects), settings, threeUplinks)

const nat = (result: ReturnType<typeof render>, family: 'ipv4' | 'ipv6' = 'ipv4') =>
  applyEdits(emptyRuleset(family), result.nodes.get('node0')?.edits[family] ?? [])
    .tables.filter((t) => t.name === 'nat')
    .flatMap((t) => t.chains.flatMap((c) => c.rules.map((r) => formatRule(r, c.name))))

describe('a pod behind the bridge plugin', () => {
  const result = render(pod('a', 'node0'), pod('b', 'node0'))
  const [first, second] = result.pods
  const additions = result.nodes.get('node0')?.additions

  test('has lo, eth0, its address and the routes of the reference', () => {
    expect(first?.netns.links.map((l) => [l.name, l.mtu, l.up])).toEqual([
      ['lo', 65536, true],
      ['eth0', 1450, true],
    ])
    expect(first?.netns.addresses.map((a) => `${a.ip}/${a.length} ${a.broadcast ?? '-'} ${a.scope}`)).toEqual([
      '127.0.0.1/8 - host',
      '::1/128 - host',
      '10.244.0.2/24 10.244.0.255 global',
    ])
    expect(first?.netns.routes.map(formatRoute)).toEqual([
      '10.244.0.0/16 via 10.244.0.1 dev eth0',
      'default via 10.244.0.1 dev eth0',
    ])
    expect(first?.netns.sysctls).toMatchObject({
      'net.ipv4.conf.eth0.arp_notify': '1',
      'net.ipv6.conf.eth0.accept_dad': '0',
    })
    expect(second?.netns.addresses.at(-1)?.ip).toBe('10.244.0.3')
  })

  test('hangs by a veth on cni0, hairpin on', () => {
    const links = additions?.links ?? []
    expect(links.map((l) => l.name)).toEqual(['flannel.1', 'cni0', first?.hostDevice, second?.hostDevice])
    expect(links[1]).toMatchObject({ mtu: 1450, kind: { kind: 'bridge' } })
    expect(links[2]).toMatchObject({ master: 'cni0', port: { hairpin: true }, kind: { kind: 'veth', peer: 'eth0' } })
    expect(additions?.addresses?.at(-1)).toMatchObject({
      ip: '10.244.0.1',
      length: 24,
      dev: 'cni0',
      broadcast: '10.244.0.255',
    })
    expect(additions?.sysctls).toMatchObject({ 'net.ipv4.ip_forward': '1', 'net.ipv6.conf.cni0.accept_ra': '0' })
  })

  test('is the first to bring cni0 to its node', () => {
    expect(result.nodes.get('node1')?.additions.links?.map((l) => l.name)).toEqual(['flannel.1'])
  })

  test('names the pod as the origin of its cable', () => {
    expect(additions?.links?.[2]?.origin).toMatchObject({ by: 'bridge', object: { kind: 'Pod', name: 'a' } })
    expect(additions?.routes?.[0]?.origin).toMatchObject({
      by: 'flannel',
      note: 'node1',
      object: { kind: 'Node', name: 'node1' },
    })
  })
})

describe('addresses of pods', () => {
  const ips = (...pods: readonly KubeObject[]) =>
    render(...pods).pods.map((p) => [p.pod.name, p.netns.addresses.at(-1)?.ip])

  test('are those of the status; the others get the first that is free', () => {
    expect(ips(pod('a', 'node0'), pod('b', 'node0', {}, { podIP: '10.244.0.2' }), pod('c', 'node0'))).toEqual([
      ['a', '10.244.0.3'],
      ['b', '10.244.0.2'],
      ['c', '10.244.0.4'],
    ])
  })

  test('go to no pod that has ended, shares its node or has none', () => {
    const pods = [
      pod('done', 'node0', {}, { phase: 'Succeeded', podIP: '10.244.0.2' }),
      pod('host', 'node0', { hostNetwork: true }),
      { ...pod('pending', 'x'), spec: { containers: [] } },
      pod('a', 'node0'),
    ]
    expect(ips(...pods)).toEqual([['a', '10.244.0.2']])
  })

  test('outside the podCIDR are kept and told; a full range is told', () => {
    const strange = render(pod('a', 'node0', {}, { podIP: '10.9.9.9' }))
    expect(strange.pods[0]?.netns.addresses.at(-1)?.ip).toBe('10.9.9.9')
    expect(strange.problems?.map((p) => p.message)).toEqual([expect.stringContaining('10.9.9.9 is outside')])
    const small = storeOf(node('node0', ['10.244.0.0/30']), pod('a', 'node0'), pod('b', 'node0'))
    const full = renderFlannel(small, settings, threeUplinks)
    expect(full.pods).toHaveLength(1)
    expect(full.problems).toMatchObject([
      { by: 'host-local', object: { name: 'b' }, message: expect.stringContaining('no IP addresses available') },
    ])
  })
})

describe('options of the bridge plugin', () => {
  test.each([
    ['its name', { bridge: 'br7', isDefaultGateway: true }, 'br7', 1],
    ['no gateway without isGateway', { isGateway: false }, 'cni0', 0],
  ])('%s', (_, options, name, gateways) => {
    const { additions } = render(delegate(options), pod('a', 'node0')).nodes.get('node0') ?? {}
    expect(additions?.links?.map((l) => l.name)).toContain(name)
    expect(additions?.addresses?.filter((a) => a.dev === name)).toHaveLength(gateways)
  })

  test('isGateway alone gives no default route; hairpin is off unless asked for; promiscMode is', () => {
    const result = render(delegate({ isGateway: true, promiscMode: true, mtu: 1300 }), pod('a', 'node0'))
    expect(result.pods[0]?.netns.routes.map(formatRoute)).toEqual(['10.244.0.0/16 via 10.244.0.1 dev eth0'])
    const [, bridge, veth] = result.nodes.get('node0')?.additions.links ?? []
    expect(bridge).toMatchObject({ promiscuous: true, mtu: 1300 })
    expect(veth).toMatchObject({ port: { hairpin: false }, mtu: 1300 })
  })

  test.each([
    [{ hairpinMode: true, promiscMode: true }, /hairpin mode and promiscuous mode/],
    [{ type: 'macvlan' }, /"macvlan" is not modelled/],
  ])('%j leaves the pods without a network, and is told', (options, message) => {
    const result = render(delegate(options), pod('a', 'node0'))
    expect(result.pods).toEqual([])
    expect(result.problems?.map((p) => p.message).join()).toMatch(message)
  })

  test('MACs follow from addresses with plugins up to v0.6.0', () => {
    const old = renderFlannel(
      storeOf(...threeNodes, pod('a', 'node0')),
      { ...settings, kubeVersion: '1.12' },
      threeUplinks,
    )
    expect(old.nodes.get('node0')?.additions.links?.[1]?.mac).toBe('0a:58:0a:f4:00:01')
    expect(old.pods[0]?.netns.links[1]?.mac).toBe('0a:58:0a:f4:00:02')
  })

  test('the single plugin of a .conf file has no portmap', () => {
    expect(parseCniConf('{"name": "cbr0", "type": "flannel", "delegate": {"isDefaultGateway": true}}')).toMatchObject({
      conf: { name: 'cbr0', plugins: [{ type: 'flannel' }] },
    })
    const single = flannelConfig(network, { name: 'cbr0', type: 'flannel', delegate: { isDefaultGateway: true } })
    const result = render(single, pod('a', 'node0', withPorts({ containerPort: 80, hostPort: 80 })))
    expect(nat(result).join()).not.toContain('HOSTPORT')
    expect(result.nodes.get('node0')?.additions.links?.at(-1)?.port?.hairpin).toBe(false)
  })

  test.each(['{', '{"plugins": []}', '{"name": "x", "plugins": [{}]}'])('%s is refused', (text) => {
    expect('errors' in parseCniConf(text)).toBe(true)
  })
})

describe('masquerade by the plugin, when flanneld does none', () => {
  const noMasq = daemonSet('flannel:v0.28.9', ['--kube-subnet-mgr'])

  test('is one chain per pod', () => {
    const [accept, masquerade, jump] = ['-d 10.244.0.0/24', '! -d 224.0.0.0/4', '-A POSTROUTING -s 10.244.0.2/32']
    const found = nat(render(noMasq, pod('a', 'node0'))).join('\n')
    expect(found).toContain(`${accept} -m comment`)
    expect(found).toContain(`${masquerade} -m comment`)
    expect(found).toContain(`${jump} -m comment --comment "name: \\"cbr0\\" id:`)
    expect(found).not.toContain('FLANNEL')
    expect(nat(render(manifest, pod('a', 'node0'))).join()).not.toContain('-j CNI-')
  })

  test('can be nftables, told apart by hashes of network and container', () => {
    const result = render(noMasq, delegate({ ipMasqBackend: 'nftables' }), pod('a', 'node0'))
    expect(result.nodes.get('node0')?.nftables?.[0]).toContain(
      'ip saddr == 10.244.0.2 ip daddr != 10.244.0.0/24 masquerade',
    )
    const [one, two] = ['one', 'two'].map((containerId) => ({ network: 'n', ifname: 'eth0', containerId }))
    if (!one || !two) throw new Error('two owners')
    const both = addMasqChecks(addMasqChecks([], one, [address('10.0.0.2/24')]), two, [address('fd00::2/64')])
    expect(both.map((c) => c.rule)).toEqual([
      expect.stringMatching(
        /^ip saddr == 10.0.0.2 ip daddr != 10.0.0.0\/24 masquerade comment "[0-9a-f]{16}-[0-9a-f]{16}, net: n, if: eth0, id: one"$/,
      ),
      expect.stringMatching(/^ip6 saddr == fd00::2 ip6 daddr != fd00::\/64 masquerade/),
    ])
    expect(addMasqChecks(both, one, [address('10.0.0.9/24')])).toHaveLength(2)
    expect(deleteMasqChecks(both, one).map((c) => c.owner)).toEqual([two])
    expect(collectMasqChecks(both, 'n', [two])).toHaveLength(1)
    expect(collectMasqChecks(both, 'other', [])).toHaveLength(2)
    expect(dumpTable(masqueradeTable([])).split('\n').at(-1)).toContain('goto masq_checks')
  })
})

describe('hostPorts', () => {
  test('are on the node, with route_localnet on cni0, behind flannel and named by the pod', () => {
    const result = render(manifest, pod('a', 'node0', withPorts({ containerPort: 80, hostPort: 8080 })))
    expect(nat(result).join('\n')).toMatch(/--dport 8080 -j DNAT --to-destination 10\.244\.0\.2:80/)
    expect(nat(result).filter((l) => l.startsWith('-A POSTROUTING'))).toEqual([
      expect.stringContaining('CNI-HOSTPORT-MASQ'),
      expect.stringContaining('FLANNEL-POSTRTG'),
    ])
    expect(result.nodes.get('node0')?.additions.sysctls).toHaveProperty(['net.ipv4.conf.cni0.route_localnet'], '1')
    const edits = result.nodes.get('node0')?.edits.ipv4 ?? []
    const dnat = edits.find((e) => 'rule' in e && e.rule.target?.kind === 'dnat')
    expect(dnat && 'rule' in dnat && dnat.rule.origin).toMatchObject({
      by: 'portmap',
      note: 'hostPort 8080',
      object: { name: 'a', field: 'spec.containers[0].ports[0].hostPort' },
    })
  })

  test('under kubelet have the newest entry first and mark only the pod itself', () => {
    const edits = kubeletHostportEdits('ipv6', 'cbr0', [
      {
        namespace: 'ns',
        name: 'p',
        sandboxId: 'id',
        ip: ip('fd00::2'),
        mappings: [
          { hostPort: 80, containerPort: 8080, protocol: 'tcp' },
          { hostPort: 53, containerPort: 53, protocol: 'udp' },
        ],
      },
    ])
    const { tables } = applyEdits(emptyRuleset('ipv6'), edits)
    const found = tables.flatMap((t) => t.chains.flatMap((c) => c.rules.map((r) => formatRule(r, c.name))))
    expect(found.filter((l) => l.startsWith('-A KUBE-HOSTPORTS'))).toEqual([
      expect.stringContaining('-p udp -m comment --comment "p_ns hostport 53" -m udp --dport 53'),
      expect.stringContaining('-p tcp -m comment --comment "p_ns hostport 80" -m tcp --dport 80'),
    ])
    expect(found.filter((l) => l.includes('KUBE-MARK-MASQ'))).toEqual([
      expect.stringContaining('-s fd00::2/128'),
      expect.stringContaining('-s fd00::2/128'),
    ])
    expect(found).toContain(
      '-A POSTROUTING -s ::1/128 -o cbr0 -m comment --comment "SNAT for localhost access to hostports" -j MASQUERADE',
    )
  })
})

test('ptp has no bridge: a route per pod, and the gateway on every veth', () => {
  const ptp = flannelConfig(network, { name: 'net', plugins: [{ type: 'flannel', delegate: { type: 'ptp' } }] })
  const result = render(ptp, pod('a', 'node0'), pod('b', 'node0'))
  const { additions } = result.nodes.get('node0') ?? {}
  const [a, b] = result.pods.map((p) => p.hostDevice)
  expect(additions?.links?.map((l) => l.name)).toEqual(['flannel.1', a, b])
  expect(additions?.addresses?.slice(1).map((x) => `${x.ip}/${x.length} ${x.dev}`)).toEqual([
    `10.244.0.1/32 ${a}`,
    `10.244.0.1/32 ${b}`,
  ])
  expect(additions?.routes?.slice(2).map(formatRoute)).toEqual([
    `10.244.0.2 dev ${a} scope host`,
    `10.244.0.3 dev ${b} scope host`,
  ])
  expect(result.pods[0]?.netns.routes.map(formatRoute)).toEqual([
    '10.244.0.1 dev eth0 scope link src 10.244.0.2',
    '10.244.0.0/24 via 10.244.0.1 dev eth0 src 10.244.0.2',
    '10.244.0.0/16 via 10.244.0.1 dev eth0',
  ])
  expect(result.pods[0]?.netns.addresses.at(-1)?.noPrefixRoute).toBe(true)
})

describe('docker0', () => {
  const annotations = { 'kubehop.dev/pod-network': 'docker0' }
  const objects = [
    flannelConfig({ Network: '10.244.0.0/16', Backend: { Type: 'udp' } }),
    node('node0', ['10.244.1.0/24'], { annotations }),
    node('node1', ['10.244.2.0/24']),
    pod('a', 'node0', withPorts({ containerPort: 80, hostPort: 8080 })),
    pod('b', 'node1'),
  ]
  const docker = (...more: readonly KubeObject[]) => renderFlannel(storeOf(...objects, ...more), settings, threeUplinks)

  test('gives containers one default route and a MAC from the address', () => {
    const [a, b] = docker().pods
    expect(a?.netns.routes.map(formatRoute)).toEqual(['default via 10.244.1.1 dev eth0'])
    expect(a?.netns.links[1]).toMatchObject({ mac: '02:42:0a:f4:01:02', mtu: 1472 })
    expect(b?.netns.routes).toHaveLength(2)
    expect(
      docker()
        .nodes.get('node0')
        ?.additions.links?.map((l) => l.name),
    ).toEqual(['flannel0', 'docker0', a?.hostDevice])
  })

  test('has the rules of the docker daemon', () => {
    const noMasq = daemonSet('flannel:v0.10.0', ['--kube-subnet-mgr'])
    const { edits } = docker(noMasq).nodes.get('node0') ?? { edits: { ipv4: [] } }
    const found = applyEdits(emptyRuleset('ipv4'), edits.ipv4).tables.flatMap((t) =>
      t.chains.flatMap((c) => c.rules.map((r) => formatRule(r, c.name))),
    )
    for (const line of [
      '-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER',
      '-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER',
      '-A POSTROUTING -s 10.244.1.0/24 ! -o docker0 -j MASQUERADE',
      '-A POSTROUTING -s 10.244.1.2/32 -d 10.244.1.2/32 -p tcp -m tcp --dport 80 -j MASQUERADE',
      '-A DOCKER -i docker0 -j RETURN',
      '-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.244.1.2:80',
      '-A DOCKER -d 10.244.1.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT',
    ])
      expect(found).toContain(line)
    expect(found.filter((l) => l.startsWith('-A FORWARD')).slice(0, 5)).toEqual([
      '-A FORWARD -j DOCKER-ISOLATION',
      '-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
      '-A FORWARD -o docker0 -j DOCKER',
      '-A FORWARD -i docker0 ! -o docker0 -j ACCEPT',
      '-A FORWARD -i docker0 -o docker0 -j ACCEPT',
    ])
    // With flannel's own masquerade, docker has none.
    const masq = docker(manifest).nodes.get('node0')?.edits.ipv4 ?? []
    expect(masq.some((e) => 'rule' in e && e.rule.outInterface?.not && e.rule.target?.kind === 'masquerade')).toBe(
      false,
    )
  })
})

test('a dual-stack pod has two addresses, two default routes, and both sysctls', () => {
  const dual = node('node0', ['10.244.0.0/24', 'fd00:10:244::/64'])
  const conf = flannelConfig({ ...network, EnableIPv6: true, IPv6Network: 'fd00:10:244::/48' })
  const links = new Map([['node0', uplink(['192.168.0.100/24', 'fd00:192::100/64'])]])
  const { pods, nodes } = renderFlannel(storeOf(conf, dual, pod('a', 'node0')), settings, links)
  expect(pods[0]?.netns.routes.map(formatRoute)).toEqual([
    '10.244.0.0/16 via 10.244.0.1 dev eth0',
    'fd00:10:244::/48 via fd00:10:244::1 dev eth0 metric 1024 pref medium',
    'default via 10.244.0.1 dev eth0',
    'default via fd00:10:244::1 dev eth0 metric 1024 pref medium',
  ])
  expect(pods[0]?.netns.addresses.at(-1)).toMatchObject({ ip: 'fd00:10:244::2', length: 64 })
  expect(nodes.get('node0')?.additions.sysctls).toMatchObject({
    'net.ipv4.ip_forward': '1',
    'net.ipv6.conf.all.forwarding': '1',
  })
})

describe('the chain of plugins', () => {
  const mapped = pod('a', 'node0', withPorts({ containerPort: 80, hostPort: 8080 }))
  const portmap = { type: 'portmap', capabilities: { portMappings: true } }
  const chain = (...more: readonly object[]) => render(manifest, delegate({ isDefaultGateway: true }, ...more), mapped)

  test('maps hostPorts only where portmap is told of them', () => {
    expect(nat(chain({ type: 'portmap' })).join()).not.toContain('HOSTPORT')
    expect(nat(chain(portmap)).join()).toContain('HOSTPORT')
    expect(chain({ ...portmap, backend: 'nftables' }).nodes.get('node0')?.nftables?.[0]).toContain(
      'dnat to 10.244.0.2:80',
    )
  })

  test('puts the conditions into the entry rule', () => {
    const found = nat(chain({ ...portmap, conditionsV4: ['-d', '192.0.2.0/24'] }))
    expect(found.find((l) => l.startsWith('-A CNI-HOSTPORT-DNAT'))).toContain('-d 192.0.2.0/24 -p tcp')
  })

  test.each([
    [{ ...portmap, conditionsV4: ['--no-such', 'x'] }, /portmap conditions for ipv4/],
    [{ ...portmap, markMasqBit: 40 }, /MasqMarkBit/],
  ])('that refuses its configuration gives no pod a network: %j', (plugin, message) => {
    const result = chain(plugin)
    expect(result.pods).toEqual([])
    expect(result.problems?.map((p) => p.message).join()).toMatch(message)
  })

  test('tells once, for all nodes, what is left out', () => {
    const result = chain(portmap, { type: 'bandwidth' })
    expect(result.problems?.map((p) => p.message)).toEqual(['the CNI plugin "bandwidth" is not modelled and left out'])
    expect(result.pods).toHaveLength(1)
    const refused = render(delegate({ type: 'ipvlan' }), pod('a', 'node0'), pod('b', 'node1'))
    expect(refused.problems).toHaveLength(1)
    expect(refused.problems?.[0]).not.toHaveProperty('node')
  })
})

test('the overlay alone wires no pod', () => {
  const result = renderFlannel(storeOf(...threeNodes, pod('a', 'node0')), settings, threeUplinks, { withoutPods: true })
  expect(result.pods).toEqual([])
  expect(result.nodes.get('node0')?.additions.links?.map((l) => l.name)).toEqual(['flannel.1'])
  expect(nat(result).join()).toContain('FLANNEL-POSTRTG')
})
