import { lazy } from './lazy.ts'
import { podRef } from './pod-addresses.ts'
import type { PodWiring } from './result.ts'
import { podDevice, type Sandbox } from './sandbox.ts'

/** The pod's namespace is worked out when it is first looked at. */
export function wiring(sandbox: Sandbox, netns: () => PodWiring['netns']): PodWiring {
  const state = lazy(netns)
  return {
    pod: podRef(sandbox.pod),
    node: sandbox.node.metadata.name,
    get netns() {
      return state()
    },
    podDevice,
    hostDevice: sandbox.hostDevice,
  }
}
