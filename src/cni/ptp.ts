import type { Link } from '../artefact/link.ts'
import type { ListeningSocket, NetnsAdditions, NetnsState } from '../artefact/netns.ts'
import type { Route } from '../artefact/route.ts'
import { familyOf, widthOf } from '../net/ip.ts'
import { stableMac } from '../net/mac.ts'
import { hostPrefix, networkOf } from '../net/prefix.ts'
import { forwardingSysctls, mtuOf, podOrigin } from './bridge.ts'
import { podKey } from './digest.ts'
import { type PodSetup, podNetns, podRoute } from './pod-netns.ts'
import { podDevice, type Sandbox } from './sandbox.ts'

/** No bridge: the node holds the gateway's address on every veth, and a route to each pod. */
export function ptpOnNode(mtu: number, sandboxes: readonly Sandbox[]): NetnsAdditions {
  if (sandboxes.length === 0) return {}
  const families = sandboxes.flatMap((s) => s.addresses.map((a) => familyOf(a.ip)))
  return {
    links: sandboxes.map((s) => hostVeth(mtu, s)),
    addresses: sandboxes.flatMap((s) =>
      s.addresses.map(({ gateway }) => ({
        ip: gateway,
        length: widthOf(familyOf(gateway)),
        dev: s.hostDevice,
        scope: 'global' as const,
        origin: podOrigin(s, 'ptp'),
      })),
    ),
    routes: sandboxes.flatMap(hostRoutes),
    sysctls: forwardingSysctls(families),
  }
}

const hostVeth = (mtu: number, sandbox: Sandbox): Link => ({
  name: sandbox.hostDevice,
  mac: stableMac(`veth of ${podKey(sandbox.pod)}`),
  mtu: mtuOf({ mtu }),
  up: true,
  kind: { kind: 'veth', peer: podDevice },
  origin: podOrigin(sandbox, 'ptp'),
})

const hostRoutes = (sandbox: Sandbox): readonly Route[] =>
  sandbox.addresses.map(({ ip }) => ({
    type: 'unicast',
    dst: hostPrefix(ip),
    dev: sandbox.hostDevice,
    table: 'main',
    proto: 'boot',
    scope: 'host',
    origin: podOrigin(sandbox, 'ptp'),
  }))

/** The connected route is taken away: even a neighbour in the subnet is reached by the gateway. */
export function ptpNetns(setup: PodSetup, sandbox: Sandbox, sockets: readonly ListeningSocket[]): NetnsState {
  const state = podNetns(setup, sandbox, sockets)
  const origin = podOrigin(sandbox, 'ptp')
  const own = sandbox.addresses.flatMap(({ ip, length, gateway }): Route[] => {
    const scope = familyOf(ip) === 'ipv4' ? 'link' : 'global'
    const { via: _, ...toGateway } = podRoute(hostPrefix(gateway), gateway, origin)
    return [
      { ...toGateway, scope, src: ip },
      { ...podRoute(networkOf(ip, length), gateway, origin), src: ip },
    ]
  })
  return {
    ...state,
    addresses: state.addresses.map((a) => (a.dev === podDevice ? { ...a, noPrefixRoute: true } : a)),
    routes: [...own, ...state.routes],
  }
}
