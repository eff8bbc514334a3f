import { type DeviceName, deviceName, type Link } from '../artefact/link.ts'
import { addToNetns, emptyNetns, type NetnsState } from '../artefact/netns.ts'
import type { Route } from '../artefact/route.ts'
import { familyOf, type Ip } from '../net/ip.ts'
import { stableMac, zeroMac } from '../net/mac.ts'
import { anyPrefix, hostPrefix, type Prefix, prefixContains } from '../net/prefix.ts'
import type { Segment, UnderlayPlan } from './underlay.ts'

export const loopback: Link = { name: deviceName('lo'), mac: zeroMac, mtu: 65536, up: true, kind: { kind: 'loopback' } }
export const loopbackOnly: NetnsState = addToNetns(emptyNetns, { links: [loopback] })

/** A network card; the seed fixes its address. */
export const card = (name: DeviceName, seed: string, mtu: number): Link => ({
  name,
  mac: stableMac(seed),
  mtu,
  up: true,
  kind: { kind: 'physical' },
})

/** The address with the length of the segment's prefix that holds it. */
export const onSegment = (ip: Ip, segment: Segment): { readonly ip: Ip; readonly length: number } => {
  const prefix = segment.prefixes.find((p) => prefixContains(p, ip))
  return { ip, length: prefix?.length ?? hostPrefix(ip).length }
}

/** The way out: the router's address on the segment, for each family that the station has. */
export function defaultRoutes(
  segment: Segment,
  plan: UnderlayPlan,
  dev: DeviceName,
  own: readonly Ip[],
): readonly Route[] {
  const port = plan.routers.flatMap((r) => r.ports).find((p) => p.segment === segment.name)
  const families = new Set(own.map(familyOf))
  return (port?.addresses ?? [])
    .filter((via) => families.has(familyOf(via)))
    .map((via) => unicast(anyPrefix(familyOf(via)), dev, via))
}

export const unicast = (dst: Prefix, dev: DeviceName, via?: Ip): Route => ({
  type: 'unicast',
  dst,
  dev,
  ...(via === undefined ? {} : { via }),
  table: 'main',
  proto: 'boot',
  scope: via === undefined ? 'link' : 'global',
})
