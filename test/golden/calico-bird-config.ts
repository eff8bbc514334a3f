import { expect } from 'vitest'
import { deviceName } from '../../src/artefact/link.ts'
import type { PeerSettings, Speaker } from '../../src/bgp/speaker.ts'
import { speakersOf } from '../../src/cni/calico/bgp/speakers.ts'
import { planCalico } from '../../src/cni/calico/plan.ts'
import type { KubeObject } from '../../src/kube/objects/meta.ts'
import { clusterSettings } from '../../src/kube/settings.ts'
import { ObjectStore } from '../../src/kube/store.ts'
import { formatPrefix, parseInterfaceAddress } from '../../src/net/prefix.ts'
import { calicoNode } from './calico-node-kinds.ts'
import type { CalicoGolden } from './calico-rule-kinds.ts'

type Fields = Readonly<Record<string, unknown>>

/** Calico's view of a Node, as the annotations in which the Kubernetes datastore keeps it. */
function kubeNode(node: KubeObject): KubeObject {
  const { bgp = {} } = (node as unknown as { spec?: { bgp?: Fields } }).spec ?? {}
  const annotations = Object.fromEntries(
    [
      ['projectcalico.org/IPv4Address', bgp.ipv4Address],
      ['projectcalico.org/ASNumber', bgp.asNumber],
      ['projectcalico.org/RouteReflectorClusterID', bgp.routeReflectorClusterID],
    ].flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)]])),
  )
  const labels = Object.fromEntries(Object.entries(node.metadata.labels ?? {}).map(([k, v]) => [k, String(v)]))
  return { apiVersion: 'v1', kind: 'Node', metadata: { name: node.metadata.name, annotations, labels } }
}

/** Sessions and static routes of one node; the statements of its filters are compared where routes are. */
export function birdConfig(golden: CalicoGolden, c: Fields): void {
  const given = golden.given as Fields & {
    readonly node: string
    readonly objects: readonly KubeObject[]
    readonly blockAffinities: readonly Fields[]
  }
  for (const [version, expected] of Object.entries(c.expected as Record<string, Fields>)) {
    const speaker = speakerOf(given, version)
    expect(speaker.routerId).toBe(expected.routerId)
    expect(speaker.as).toBe(expected.templateLocalAs)
    const peers = speaker.peers.flatMap(({ settings, neighbors }) =>
      neighbors.filter((n) => !speaker.addresses.includes(n.address)).map((n) => peerFields(speaker, settings, n)),
    )
    const wanted = (expected.peers as readonly Fields[]).map(({ import: _, export: __, ...rest }) => rest)
    const byName = (list: readonly Fields[]) => [...list].sort((a, b) => (String(a.name) < String(b.name) ? -1 : 1))
    expect(byName(peers), version).toEqual(byName(wanted))
    const statics = speaker.routes
      .filter((r) => r.source === 'static')
      .map((r) => `${formatPrefix(r.prefix)} blackhole`)
    const blackholes = (expected.staticRoutes as readonly string[]).filter((l) => l.endsWith('blackhole'))
    expect(statics.sort(), version).toEqual([...blackholes].sort())
  }
}

function speakerOf(
  given: {
    readonly node: string
    readonly objects: readonly KubeObject[]
    readonly blockAffinities: readonly Fields[]
  },
  version: string,
): Speaker {
  const store = new ObjectStore()
  store.create(calicoNode(version))
  for (const object of given.objects) {
    const read = { ...object, spec: (object as unknown as Fields).spec ?? {} } as KubeObject
    store.create(object.kind === 'Node' ? kubeNode(object) : read)
  }
  given.blockAffinities.forEach((spec, i) => {
    const metadata = { name: `block-${i}` }
    store.create({ apiVersion: 'crd.projectcalico.org/v1', kind: 'BlockAffinity', metadata, spec } as KubeObject)
  })
  const uplinks = new Map(
    store.list('Node').map(({ metadata: { name, annotations } }) => {
      const own = parseInterfaceAddress(annotations?.['projectcalico.org/IPv4Address'] ?? '')
      return [name, { device: deviceName('eth0'), mtu: 1500, addresses: own ? [own] : [] }]
    }),
  )
  const plan = planCalico(store, clusterSettings(store).settings, uplinks)
  const found = speakersOf(plan, 'ipv4').find((s) => s.id === given.node)
  if (!found) throw new Error(`no speaker ${given.node}`)
  return found
}

function peerFields(
  speaker: Speaker,
  s: PeerSettings,
  n: { readonly name: string; readonly address: string; readonly as: number; readonly port?: number },
): Fields {
  const [own = ''] = speaker.addresses
  const passive = s.passive === 'by address' ? n.address > own : s.passive === true
  return {
    name: n.name,
    neighbor: n.address,
    as: n.as,
    ...(n.port === undefined ? {} : { port: n.port }),
    ...(s.sourceAddress === undefined ? {} : { sourceAddress: s.sourceAddress }),
    ...(s.multihop === true ? { ttlSecurity: 'off', multihop: true } : {}),
    ...(passive ? { passive: true } : {}),
    ...(s.rrClient ? { rrClient: true, rrClusterId: s.clusterId } : {}),
    ...(s.nextHop === 'keep' ? { nextHop: 'keep' } : {}),
    ...(s.localAs === undefined ? {} : { localAs: s.localAs }),
    ...(s.allowLocalAs === undefined ? {} : { allowLocalAs: s.allowLocalAs }),
    ...(typeof s.gracefulRestart === 'number' && s.gracefulRestart !== 120
      ? { gracefulRestartTime: s.gracefulRestart }
      : {}),
  }
}
