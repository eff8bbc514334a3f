import { isAtLeast } from '../../version.ts'
import { count, flag } from '../net-conf.ts'
import { alloc, nothingOnHost } from './alloc.ts'
import type { Backend, BackendContext } from './backend.ts'
import { hostGw } from './host-gw.ts'
import { ipip } from './ipip.ts'
import { udp } from './udp.ts'
import { vxlan } from './vxlan.ts'
import { vxlanByMiss } from './vxlan-miss.ts'

type MakeBackend = (context: BackendContext) => Backend

/** By `Backend.Type`. */
const backends: Readonly<Record<string, MakeBackend>> = {
  vxlan: (context) => (isAtLeast(context.version, 'v0.9.0') ? vxlan(context) : vxlanByMiss(context)),
  'host-gw': hostGw,
  udp,
  ipip,
  alloc,
  'tencent-vpc': alloc,
  'aws-vpc': alloc,
  'ali-vpc': alloc,
  gce: alloc,
}

/** Backends that write each lease into the route table of the cloud's network, with the instance as the way to it. */
const ofClouds: ReadonlySet<string> = new Set(['tencent-vpc', 'aws-vpc', 'ali-vpc', 'gce'])

/** Backends whose device or policies are not emulated: pods get their MTU, the other nodes' pods stay out of reach. */
const unemulated: Readonly<Record<string, MakeBackend>> = {
  wireguard: ({ conf, uplink }) => nothingOnHost((count(conf.backend.options, 'MTU', []) ?? uplink.mtu) - 80),
  ipsec: ({ conf, uplink }) =>
    nothingOnHost(uplink.mtu - (flag(conf.backend.options, 'UDPEncap', false, []) ? 85 : 77)),
  extension: alloc,
}

export const isKnownBackend = (type: string): boolean => type in backends || type in unemulated
export const isEmulatedBackend = (type: string): boolean => type in backends
export const usesCloudRoutes = (type: string): boolean => ofClouds.has(type)
export const knownBackends: readonly string[] = [...Object.keys(backends), ...Object.keys(unemulated)]

export const makeBackend = (context: BackendContext): Backend | undefined =>
  (backends[context.conf.backend.type] ?? unemulated[context.conf.backend.type])?.(context)
