import { bench, describe } from 'vitest'
import type { Convergence } from '../src/bgp/converge.ts'
import { totalMessages } from '../src/bgp/tally.ts'
import { buildCluster } from '../src/cluster/build.ts'
import { runControlPlane } from '../src/cluster/control-plane.ts'
import { loadManifests } from '../src/kube/load.ts'

const nodes = 1000

/** A cluster of Calico's with one pod on each node, all in the node-to-node mesh: objects in, kernel routes out. */
function manifests(): string {
  const pool =
    '{ apiVersion: crd.projectcalico.org/v1, kind: IPPool, metadata: { name: p }, spec: { cidr: 10.128.0.0/12, natOutgoing: true } }'
  const each = Array.from({ length: nodes }, (_, i) => {
    const address = `10.${1 + Math.floor(i / 250)}.0.${1 + (i % 250)}`
    return [
      `{ apiVersion: v1, kind: Node, metadata: { name: n${i} }, status: { addresses: [{ type: InternalIP, address: ${address} }] } }`,
      `{ apiVersion: v1, kind: Pod, metadata: { name: p${i}, namespace: default }, spec: { nodeName: n${i}, containers: [{ name: c, image: i }] } }`,
    ]
  })
  return [pool, ...each.flat()].join('\n---\n')
}

/** Once: each run of 1,000 nodes is half a million sessions. */
const once = { iterations: 1, time: 0, warmupIterations: 0, warmupTime: 0 }

describe(`Calico's mesh of ${nodes} nodes`, () => {
  const { store, settings } = loadManifests([{ path: 'mesh.yaml', text: manifests() }])
  runControlPlane(store, settings)
  bench('every session tried, every route told', () => tell(converged()), once)

  function converged(): Convergence {
    const { cluster } = buildCluster(store, settings)
    const found = cluster.bgp?.('ipv4')
    if (!found) throw new Error('no BGP')
    return found
  }

  function tell({ run, kernelRoutes }: Convergence): void {
    const sessions = (nodes * (nodes - 1)) / 2
    if (run.established !== sessions) throw new Error(`${run.established} sessions, not ${sessions}`)
    const routes = kernelRoutes('n0').filter((r) => r.kind === 'unicast').length
    console.log(`${sessions} sessions, ${totalMessages(run.messages)} messages, ${run.rounds} rounds, ${routes} routes`)
  }
})
