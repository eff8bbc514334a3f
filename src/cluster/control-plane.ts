import { podNetworkKind } from '../cni/calico/environment.ts'
import { startCalico } from '../cni/calico/startup.ts'
import { runControllers } from '../controllers/run.ts'
import type { Problem } from '../kube/problem.ts'
import type { ClusterSettings } from '../kube/settings.ts'
import type { ObjectStore } from '../kube/store.ts'

/** The controllers, with pod addresses from whoever gives them in the pod network that the objects tell of. */
export function runControlPlane(store: ObjectStore, settings: ClusterSettings): readonly Problem[] {
  // Canal and flannel take addresses from podCIDRs.
  return podNetworkKind(store) === 'calico'
    ? runControllers(store, settings, { ipam: () => startCalico(store, settings) })
    : runControllers(store, settings)
}
