import { describe, expect, test } from 'vitest'
import { formatFdb } from '../../../src/artefact/fdb-text.ts'
import { formatRoute } from '../../../src/artefact/route-text.ts'
import { defaultArgs, parseFlanneldArgs } from '../../../src/cni/flannel/args.ts'
import { daemonOn, imageVersion } from '../../../src/cni/flannel/daemon.ts'
import { chooseUplink } from '../../../src/cni/flannel/uplink.ts'
import { renderFlannel } from '../../../src/cni/flannel.ts'
import type { KubeObject } from '../../../src/kube/objects/meta.ts'
import { formatPrefix } from '../../../src/net/prefix.ts'
import { daemonSet, flannelConfig, node, pod, settings, storeOf, threeNodes, threeUplinks, uplink } from '../objects.ts'

const prefixOf = (name: string): string => `flannel.alpha.coreos.com/${name}`

function annotated(i: number, annotations: Readonly<Record<string, string>>) {
  const entries = Object.entries(annotations).map(([k, v]) => [prefixOf(k), v])
  return node(`node${i}`, [`10.244.${i}.0/24`], { annotations: Object.fromEntries(entries) })
}

const render = (...objects: readonly KubeObject[]) => renderFlannel(storeOf(...objects), settings, threeUplinks)
const messages = (result: ReturnType<typeof render>) => (result.problems ?? []).map((p) => p.message)

describe('what a peer is known by', () => {
  const fdbWith = (annotations: Readonly<Record<string, string>>) => {
    const result = render(annotated(0, {}), annotated(1, annotations))
    return result.nodes.get('node0')?.additions.fdb?.map(formatFdb)
  }
  test.each([
    [{ 'public-ip': '198.51.100.1' }, '198.51.100.1'],
    [{ 'public-ip': '198.51.100.1', 'public-ip-overwrite': '198.51.100.2' }, '198.51.100.2'],
    [{ 'node-public-ip': '198.51.100.3' }, '198.51.100.3'],
    [{ 'public-ip': 'nonsense' }, '192.168.0.101'],
    [{}, '192.168.0.101'],
  ])('%j: %s', (annotations, dst) => {
    expect(fdbWith(annotations)).toEqual([expect.stringContaining(` dst ${dst} self`)])
  })

  test('a peer without backend-data has a stable, locally administered MAC, which its own device bears too', () => {
    const result = render(...threeNodes)
    const own = result.nodes.get('node1')?.additions.links?.[0]?.mac
    expect(own).toMatch(/^.[26ae]:/)
    expect(result.nodes.get('node0')?.additions.fdb?.[0]?.mac).toBe(own)
    expect(render(...threeNodes).nodes.get('node1')?.additions.links?.[0]?.mac).toBe(own)
  })

  test('a node that flanneld has marked as not managed is no peer', () => {
    const result = render(annotated(0, {}), annotated(1, { 'kube-subnet-manager': 'false' }))
    expect(result.nodes.get('node0')?.additions.routes).toEqual([])
  })

  test('a node of another backend is no peer, unless every node still says so', () => {
    const mixed = render(annotated(0, { 'backend-type': 'vxlan' }), annotated(1, { 'backend-type': 'host-gw' }))
    expect(mixed.nodes.get('node0')?.additions.routes).toEqual([])
    const stale = render(annotated(0, { 'backend-type': 'host-gw' }), annotated(1, { 'backend-type': 'host-gw' }))
    expect(stale.nodes.get('node0')?.additions.routes).toHaveLength(1)
  })

  test('a node with our own podCIDR is ignored; of two with one podCIDR the last wins the route', () => {
    const twin = node('twin', ['10.244.0.0/24'])
    const links = new Map([...threeUplinks, ['twin', uplink(['192.168.0.109/24'])]])
    const result = renderFlannel(storeOf(...threeNodes, twin), settings, links)
    expect(result.nodes.get('node0')?.additions.routes?.map(formatRoute)).toHaveLength(2)
    const { routes, fdb, neighbours } = result.nodes.get('node1')?.additions ?? {}
    expect([routes?.length, neighbours?.length, fdb?.length]).toEqual([2, 2, 3])
    expect(neighbours?.[0]?.mac).toBe(result.nodes.get('twin')?.additions.links?.[0]?.mac)
  })

  test('the tunnel is bound to the interface up to v0.27.3, to the published address from v0.27.4', () => {
    const local = (version: string) => {
      const set = daemonSet(`flannel:${version}`, ['--kube-subnet-mgr'])
      const result = render(set, annotated(0, { 'node-public-ip': '198.51.100.9' }))
      return result.nodes.get('node0')?.additions.links?.[0]?.kind
    }
    expect(local('v0.27.3')).toMatchObject({ local: '192.168.0.100' })
    expect(local('v0.27.4')).toMatchObject({ local: '198.51.100.9' })
  })
})

describe('a node whose flanneld does not run', () => {
  test.each([
    ['without a podCIDR', node('node1', []), /node "node1" pod cidr not assigned/],
    [
      'with a podCIDR outside the network',
      node('node1', ['172.16.1.0/24']),
      /"10.244.0.0\/16" .* doesn't contain "172.16.1.0\/24" PodCIDR of the "node1" node/,
    ],
  ])('%s has no entry, no pods and a problem that names the field', (_, broken, message) => {
    const result = render(threeNodes[0] ?? broken, broken, pod('b', 'node1'))
    expect([...result.nodes.keys()]).toEqual(['node0'])
    expect(result.pods).toEqual([])
    expect(result.nodes.get('node0')?.additions.routes).toEqual([])
    expect(result.problems).toMatchObject([
      { by: 'flannel', node: 'node1', field: 'spec.podCIDR', message: expect.stringMatching(message) },
    ])
  })

  test('without an uplink says so', () => {
    const result = renderFlannel(storeOf(...threeNodes), settings, new Map([...threeUplinks].slice(0, 2)))
    expect([...result.nodes.keys()]).toEqual(['node0', 'node1'])
    expect(messages(result)).toEqual([expect.stringContaining('no interface')])
  })

  test.each([
    ['{ not json', /net-conf.json is no JSON/],
    ['{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlam"}}', /unknown backend type "vxlam"/],
  ])('because of its configuration leaves every node without: %s', (text, message) => {
    const result = render(flannelConfig(text), ...threeNodes, pod('a', 'node0'))
    expect(result.nodes.size).toBe(0)
    expect(messages(result).join()).toMatch(message)
  })

  test('a pod on a node that does not exist is told', () => {
    expect(messages(render(...threeNodes, pod('lost', 'node9')))).toEqual([expect.stringContaining('"node9"')])
  })
})

describe('without --kube-subnet-mgr', () => {
  test('subnets come from the registry, not from podCIDRs', () => {
    const conf = flannelConfig({ Network: '10.9.0.0/16', SubnetLen: 20, Backend: { Type: 'host-gw' } })
    const result = render(conf, daemonSet('flannel:v0.28.9', ['--ip-masq']), ...threeNodes, pod('a', 'node1'))
    expect(result.nodes.get('node0')?.additions.routes?.map(formatRoute)).toEqual([
      '10.9.32.0/20 via 192.168.0.101 dev eth0',
      '10.9.48.0/20 via 192.168.0.102 dev eth0',
    ])
    expect(result.pods[0]?.netns.addresses.at(-1)).toMatchObject({ ip: '10.9.32.2', length: 20 })
  })
})

describe('flags of flanneld', () => {
  const args = (...given: readonly string[]) =>
    parseFlanneldArgs({ name: 'x', command: ['/opt/bin/flanneld'], args: given })
  test.each([
    [['--ip-masq', '-kube-subnet-mgr'], { ipMasq: true, kubeSubnetManager: true }],
    [['--ip-masq=false', '--iptables-forward-rules=false'], { ipMasq: false, forwardRules: false }],
    [['--iface', 'eth1', '--iface=eth2', '--ip-masq'], { interfaces: ['eth1', 'eth2'], ipMasq: true }],
    [['--iface-regex', '^10\\.'], { interfacePatterns: ['^10\\.'] }],
    [['--public-ip=192.0.2.1'], { publicIp: '192.0.2.1' }],
    [['--ip-blackhole-route', '--ip-masq-fully-random-disable=1'], { blackholeRoute: true, randomFullyDisabled: true }],
    [[], {}],
  ])('%j', (given, expected) => {
    expect(args(...given)).toEqual({ ...defaultArgs, ...expected })
  })

  test('are found in a shell line, after the path of flanneld', () => {
    const command = [
      '/bin/sh',
      '-c',
      'set -e -x; cp -f /etc/a /etc/b; exec /opt/bin/flanneld --ip-masq --kube-subnet-mgr',
    ]
    expect(parseFlanneldArgs({ name: 'x', command })).toMatchObject({ ipMasq: true, kubeSubnetManager: true })
  })

  test('can stand in the environment', () => {
    const env = [
      { name: 'FLANNELD_IP_MASQ', value: 'true' },
      { name: 'FLANNELD_IFACE', value: 'eth1' },
    ]
    expect(parseFlanneldArgs({ name: 'x', env })).toMatchObject({ ipMasq: true, interfaces: ['eth1'] })
  })

  test('choose the uplink by name, address or pattern; what fits none is told', () => {
    const links = [uplink(['10.0.2.15/24']), uplink(['192.168.56.10/24'], 'eth1')]
    const chosen = (given: Partial<typeof defaultArgs>) => chooseUplink(links, { ...defaultArgs, ...given })
    expect(chosen({}).uplink?.device).toBe('eth0')
    expect(chosen({ interfaces: ['eth1'] }).uplink?.device).toBe('eth1')
    expect(chosen({ interfaces: ['192.168.56.10'] }).uplink?.device).toBe('eth1')
    expect(chosen({ interfacePatterns: ['^192\\.168\\.'] }).uplink?.device).toBe('eth1')
    expect(chosen({ interfaces: ['ens3'] })).toMatchObject({ problem: expect.stringContaining('--iface=ens3') })
  })
})

describe('the DaemonSet', () => {
  test.each([
    ['ghcr.io/flannel-io/flannel:v0.28.9', { minor: 28, patch: 9 }],
    ['quay.io/coreos/flannel:v0.11.0-amd64', { minor: 11, patch: 0 }],
    ['registry:5000/flannel:v0.8.0-rc2@sha256:abc', { minor: 8, candidate: 2 }],
    ['registry:5000/flannel', undefined],
    ['flannel:latest', undefined],
  ])('%s', (image, expected) => {
    if (expected) expect(imageVersion(image)).toMatchObject(expected)
    else expect(imageVersion(image)).toBeUndefined()
  })

  test("is the one of the node's architecture", () => {
    const perArch = ['amd64', 'arm64'].map((arch, i) =>
      daemonSet(`quay.io/coreos/flannel:v0.1${i}.0-${arch}`, ['--kube-subnet-mgr'], {
        name: `kube-flannel-ds-${arch}`,
        nodeSelector: { 'beta.kubernetes.io/arch': arch },
      }),
    )
    const daemon = daemonOn(storeOf(...perArch))
    expect(daemon(node('a', [], { labels: { 'kubernetes.io/arch': 'arm64' } })).version.minor).toBe(11)
    expect(daemon(node('b', [])).version.minor).toBe(10)
  })

  test('without one, flanneld is the newest and started as its manifest does', () => {
    expect(daemonOn(storeOf())(node('a', []))).toMatchObject({
      args: { ipMasq: true, kubeSubnetManager: true },
      version: { minor: 28 },
    })
  })
})

describe('the origin of a rule', () => {
  const originsOf = (...objects: readonly KubeObject[]) => {
    const edits = renderFlannel(storeOf(...threeNodes, ...objects), settings, threeUplinks).nodes.get('node1')?.edits
    const rules = (edits?.ipv4 ?? []).flatMap((e) => ('rule' in e ? [e.rule] : []))
    const said = (of: readonly (typeof rules)[number][]) => [
      ...new Set(of.map(({ origin }) => [origin?.object?.kind, origin?.object?.field, origin?.note].join(' ').trim())),
    ]
    const names = (text: string) => (r: (typeof rules)[number]) =>
      [r.source, r.destination].some((a) => a && formatPrefix(a.value) === text)
    const subnet = rules.filter(names('10.244.1.0/24'))
    return {
      subnet: said(subnet),
      network: said(rules.filter((r) => names('10.244.0.0/16')(r) && !subnet.includes(r))),
      rest: said(rules.filter((r) => !names('10.244.0.0/16')(r) && !subnet.includes(r) && r.origin?.by === 'flannel')),
    }
  }

  test('about the network is net-conf.json, about the node its podCIDR', () => {
    expect(originsOf(flannelConfig({ Network: '10.244.0.0/16', Backend: { Type: 'vxlan' } }))).toEqual({
      subnet: ['Node spec.podCIDR podCIDR of node1'],
      network: ['ConfigMap data.net-conf.json Network 10.244.0.0/16'],
      rest: [''],
    })
  })

  test('about the network is the default where no ConfigMap says it', () => {
    expect(originsOf()).toMatchObject({ network: ['Network 10.244.0.0/16 by default'] })
  })
})
