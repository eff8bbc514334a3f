import { type Ip, ip } from '../../net/ip.ts'
import { hostPrefix, prefix } from '../../net/prefix.ts'
import { isLoopback, nodePortIPs } from '../node-port-addresses.ts'
import { chain } from './chain-names.ts'
import type { Rendering } from './rendering.ts'
import { type ChainRule, comment, host, isLocalDestination, jump, origin, rule } from './rule-parts.ts'

const said = comment('kubernetes service nodeports; NOTE: this must be the last rule in this chain')
const loopbackNet = prefix('127.0.0.0/8')
const loopback6 = hostPrefix(ip('::1'))
const note = origin('node ports')

/** Whether service ports get node port rules at all. */
export const nodePortsExist = ({ settings, behaviour }: Rendering): boolean =>
  !behaviour.nodePortsNeedAddresses || nodePortIPs(settings)?.length !== 0

/** The end of KUBE-SERVICES: what is addressed to the node itself may be for a node port. */
export function nodePortJumps(r: Rendering): ChainRule[] {
  const ips = nodePortIPs(r.settings)
  if (ips === undefined) return [everyLocalAddress(r)]
  return ips
    .filter((address) => isReachable(address, r))
    .map((address) =>
      rule(chain.services, {
        destination: host(address),
        matches: [said],
        target: jump(chain.nodePorts),
        origin: note,
      }),
    )
}

const everyLocalAddress = (r: Rendering): ChainRule =>
  rule(chain.services, {
    ...exceptLoopback(r),
    matches: [said, isLocalDestination],
    target: jump(chain.nodePorts),
    origin: note,
  })

/** Loopback works for IPv4 with `route_localnet`, and never for IPv6. */
function exceptLoopback({ settings, behaviour }: Rendering): Pick<ChainRule['rule'], 'destination'> {
  if (!behaviour.localhostNodePorts) return {}
  if (settings.family === 'ipv6') return { destination: { not: true, value: loopback6 } }
  return settings.localhostNodePorts ? {} : { destination: { not: true, value: loopbackNet } }
}

const isReachable = (address: Ip, { settings, behaviour }: Rendering): boolean =>
  !behaviour.localhostNodePorts || !isLoopback(address) || (settings.family === 'ipv4' && settings.localhostNodePorts)
