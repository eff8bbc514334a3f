import { expect } from 'vitest'
import { formatCreate } from '../../src/artefact/ipset-text.ts'
import { applyEdits } from '../../src/artefact/iptables/apply.ts'
import { formatTable } from '../../src/artefact/iptables/print.ts'
import { emptyRuleset, type TableName } from '../../src/artefact/iptables/rule.ts'
import { deviceName } from '../../src/artefact/link.ts'
import { formatRoute } from '../../src/artefact/route-text.ts'
import { renderCalico } from '../../src/cni/calico.ts'
import type { KubeObject } from '../../src/kube/objects/meta.ts'
import { clusterSettings } from '../../src/kube/settings.ts'
import { ObjectStore } from '../../src/kube/store.ts'
import { ip } from '../../src/net/ip.ts'
import { parseInterfaceAddress } from '../../src/net/prefix.ts'
import type { CalicoGolden } from './calico-rule-kinds.ts'

type Fields = Readonly<Record<string, unknown>>

interface GivenPod {
  readonly namespace: string
  readonly name: string
  readonly node?: string
  readonly ip: string
  readonly serviceAccount?: string
  readonly labels?: Readonly<Record<string, string>>
}

interface GivenNode {
  readonly name: string
  readonly address: string
  readonly gateway?: string
  readonly block?: string
  readonly tunnelAddress?: string | null
  readonly pods?: readonly GivenPod[]
}

const podObject = (pod: GivenPod, node: string): KubeObject =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: pod.name, namespace: pod.namespace, labels: pod.labels ?? {} },
    spec: { nodeName: node, containers: [], serviceAccountName: pod.serviceAccount ?? 'default' },
    status: { podIP: pod.ip, podIPs: [{ ip: pod.ip }], phase: 'Running' },
  }) as KubeObject

function nodeObject({ name, tunnelAddress, address }: GivenNode, modes: Fields): KubeObject {
  const annotations: Record<string, string> = { 'projectcalico.org/IPv4Address': address }
  if (tunnelAddress && modes.ipipMode !== 'Never') annotations['projectcalico.org/IPv4IPIPTunnelAddr'] = tunnelAddress
  if (tunnelAddress && modes.vxlanMode !== 'Never') annotations['projectcalico.org/IPv4VXLANTunnelAddr'] = tunnelAddress
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, annotations } }
}

export const calicoNode = (version: string): KubeObject =>
  ({
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'calico-node', namespace: 'kube-system' },
    spec: {
      template: {
        spec: { containers: [{ name: 'calico-node', image: `quay.io/calico/node:v${version}`, env: [] }] },
      },
    },
  }) as KubeObject

function storeOf(objects: readonly KubeObject[]): ObjectStore {
  const store = new ObjectStore()
  for (const object of objects) store.create(object)
  return store
}

const uplinkOf = ({ address, gateway }: GivenNode) => {
  const own = parseInterfaceAddress(address)
  return {
    device: deviceName('eth0'),
    mtu: 1500,
    addresses: own ? [own] : [],
    gateways: gateway === undefined ? [] : [ip(gateway)],
  }
}

/** One node's tables and sets, from objects. Lines may be folded in the file: white space counts as one blank. */
export function rendered(golden: CalicoGolden, c: Fields): void {
  const given = golden.given as Fields & {
    readonly node: GivenNode
    readonly pods: readonly GivenPod[]
    readonly objects: readonly KubeObject[]
  }
  const pool = given.objects.find((o) => o.kind === 'IPPool') as unknown as { readonly spec: Fields }
  const [version = '3.32.1'] = (golden as unknown as { upstream: { versions: string[] } }).upstream.versions
  const store = storeOf([
    calicoNode(version),
    nodeObject(given.node, pool.spec),
    ...given.objects,
    ...given.pods.map((p) => podObject(p, given.node.name)),
  ])
  const { settings } = clusterSettings(store)
  const result = renderCalico(store, settings, new Map([[given.node.name, uplinkOf(given.node)]]))
  const network = result.nodes.get(given.node.name)
  const ruleset = applyEdits(emptyRuleset('ipv4'), network?.edits.ipv4 ?? [])
  const expected = c.expected as { iptablesSave: Record<string, string[]>; ipsets: string[] }
  const plain = (lines: readonly string[]) => lines.map((l) => l.replace(/\s+/g, ' ').trim())
  for (const [name, lines] of Object.entries(expected.iptablesSave)) {
    const table = ruleset.tables.find((t) => t.name === (name as TableName))
    const text = table ? formatTable(table) : ''
    const found = text.split('\n').filter((l) => l !== '' && !l.startsWith('*') && l !== 'COMMIT')
    expect(found, name).toEqual(plain(lines))
  }
  const sets = (network?.additions.ipsets ?? []).filter((s) => s.family === 'ipv4').map(formatCreate)
  expect(sets.sort()).toEqual([...expected.ipsets].sort())
}

/** Routes of every node: what the kernel makes of addresses, and the default route, are the lab's own. */
export function routes(golden: CalicoGolden, c: Fields): void {
  const given = golden.given as Fields & { readonly nodes: readonly GivenNode[]; readonly pool: Fields }
  const modes = { ...given.pool, ...(c.pool as Fields) }
  const store = storeOf([
    calicoNode(String(c.version)),
    { apiVersion: 'projectcalico.org/v3', kind: 'IPPool', metadata: { name: 'pool' }, spec: modes } as KubeObject,
    ...given.nodes.map((n) => nodeObject(n, modes)),
    ...given.nodes.map(
      (n) =>
        ({
          apiVersion: 'crd.projectcalico.org/v1',
          kind: 'BlockAffinity',
          metadata: { name: n.name },
          spec: { cidr: n.block, node: n.name, state: 'confirmed' },
        }) as KubeObject,
    ),
    ...given.nodes.flatMap((n) => (n.pods ?? []).map((p) => podObject(p, n.name))),
  ])
  const { settings } = clusterSettings(store)
  const result = renderCalico(store, settings, new Map(given.nodes.map((n) => [n.name, uplinkOf(n)])))
  const expected = c.expected as Record<string, { ipRoute: string[]; neigh?: string[]; fdb?: string[] }>
  for (const [node, want] of Object.entries(expected)) {
    const additions = result.nodes.get(node)?.additions ?? {}
    const own = (line: string) => line.startsWith('default ') || line.includes('proto kernel')
    expect((additions.routes ?? []).map((r) => formatRoute(r).trim()).sort(), node).toEqual(
      want.ipRoute.filter((l) => !own(l)).sort(),
    )
    const neighbours = (additions.neighbours ?? []).map((n) => `${n.ip} lladdr ${n.mac} ${n.state.toUpperCase()}`)
    expect(neighbours.sort(), node).toEqual([...(want.neigh ?? [])].sort())
    const fdb = (additions.fdb ?? []).map((f) => `${f.mac} dst ${f.dst} ${f.flags.join(' ')}`)
    expect(fdb.sort(), node).toEqual([...(want.fdb ?? [])].sort())
  }
}
