import type { Problem } from '../kube/problem.ts'
import type { ClusterSettings } from '../kube/settings.ts'
import type { ObjectStore } from '../kube/store.ts'
import { runApiServerService } from './api-server.ts'
import type { ControllerContext } from './context.ts'
import { runDaemonSets } from './daemon-sets.ts'
import { runDeployments } from './deployments.ts'
import { runEndpointSliceMirroring } from './endpoint-slice-mirroring.ts'
import { runEndpointSlices } from './endpoint-slices.ts'
import { runGarbageCollector } from './garbage-collector.ts'
import { hostLocalIpam, type MakePodIpam } from './host-local.ts'
import { runCronJobs, runJobs } from './jobs.ts'
import { runLoadBalancers } from './load-balancers.ts'
import { runNamespaces } from './namespaces.ts'
import { runNodePorts } from './node-ports.ts'
import { runNodes } from './nodes.ts'
import { runPodCidrs } from './pod-cidr.ts'
import { runPodStatus } from './pod-status.ts'
import { runReplicaSets } from './replica-sets.ts'
import { reportTo } from './report.ts'
import { runScheduler } from './scheduler.ts'
import { runServiceAddresses } from './services.ts'
import { runStatefulSets } from './stateful-sets.ts'

export interface ControllerOptions {
  /** Who gives pods their addresses. Default: host-local, from each node's podCIDR. */
  readonly ipam?: MakePodIpam
}

/** Each controller finds what those before it left. */
const controllers: readonly ((context: ControllerContext) => void)[] = [
  runNodes,
  runPodCidrs,
  runCronJobs,
  runDeployments,
  runReplicaSets,
  runStatefulSets,
  runDaemonSets,
  runJobs,
  runGarbageCollector,
  runScheduler,
]

const afterPods: readonly ((context: ControllerContext) => void)[] = [
  runApiServerService,
  runServiceAddresses,
  runNodePorts,
  runLoadBalancers,
  runEndpointSlices,
  runEndpointSliceMirroring,
  runNamespaces,
]

/**
 * Fills in, in place, what a control plane adds to manifests: nodes, pods, addresses, endpoints. What the input says is
 * kept. Running it again changes nothing; after a change of the objects it makes what follows from that.
 */
export function runControllers(
  store: ObjectStore,
  settings: ClusterSettings,
  { ipam = hostLocalIpam }: ControllerOptions = {},
): readonly Problem[] {
  const problems: Problem[] = []
  const context: ControllerContext = { store, settings, report: reportTo(problems, store) }
  for (const run of controllers) run(context)
  runPodStatus(context, ipam)
  for (const run of afterPods) run(context)
  return problems
}
