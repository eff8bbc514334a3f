import type { EndpointSlice } from '../kube/objects/service.ts'
import type { ObjectReader } from '../kube/store.ts'
import { formatSocketAddress } from '../net/port.ts'
import type { IpPacket } from '../packet/packet.ts'
import type { EndProblem } from './end.ts'
import type { Branch } from './trace.ts'

/**
 * The branch that a person pins: by its number from 1, or by the endpoint's name, a part of it, or its address. An endpoint
 * counts by where the packet is sent, not by where it arrives: who asks about one wants to see the packet fail on its way there.
 */
export function findBackend(
  branches: readonly Branch[],
  backend: number | string,
  objects: ObjectReader,
): Branch | EndProblem {
  const text = String(backend)
  if (/^\d+$/.test(text)) {
    const ways = `${branches.length} way${branches.length === 1 ? '' : 's'}`
    return branches[Number(text) - 1] ?? { problem: `there is no endpoint ${text}: the packet can go ${ways}` }
  }
  const named = branches.map((branch) => ({ branch, names: namesOf(branch, objects) }))
  const hit =
    named.find(({ names }) => names.includes(text)) ?? named.find(({ names }) => names.some((n) => n.includes(text)))
  if (hit) return hit.branch
  const known = [...new Set(named.flatMap(({ names }) => names.slice(0, 1)))]
  return {
    problem: `no endpoint is called "${text}"; ${known.length > 0 ? `the packet can go to ${known.slice(0, 8).join(', ')}` : 'the packet goes to none, so leave --backend out'}`,
  }
}

/** The best name first. */
function namesOf(branch: Branch, objects: ObjectReader): readonly string[] {
  const { reached } = branch
  const target = translatedTo(branch)
  const address = target ?? reached
  const endpoints = target ? endpointNames(target, objects) : []
  return [
    ...[...endpoints, ...(reached ? [reached.name] : [])].flatMap((name) => [name, name.split('/').pop() ?? '']),
    ...(address ? [formatSocketAddress(address.address, address.port ?? 0), address.address] : []),
  ]
}

interface Target {
  readonly address: string
  readonly port: number
}

/** Where the request's last new DNAT sends it. */
function translatedTo({ legs }: Branch): Target | undefined {
  const events = (legs[0]?.hops ?? []).flatMap((h) => h.steps.map((s) => s.event))
  const last = events.findLast((e) => e.kind === 'nat' && e.manip === 'dst' && e.why === 'new')
  return last?.kind === 'nat' ? targetOf(last.after) : undefined
}

function targetOf({ dst, payload }: IpPacket): Target | undefined {
  return 'dstPort' in payload ? { address: dst, port: payload.dstPort } : undefined
}

function endpointNames(target: Target, objects: ObjectReader): readonly string[] {
  return objects.list('EndpointSlice').flatMap((slice) => namesIn(slice, target))
}

function namesIn({ metadata, ports, endpoints }: EndpointSlice, { address, port }: Target): readonly string[] {
  if (!ports?.some((p) => p.port === port)) return []
  return endpoints.flatMap(({ addresses, targetRef }) =>
    targetRef?.name !== undefined && addresses.includes(address)
      ? [`${targetRef.namespace ?? metadata.namespace ?? 'default'}/${targetRef.name}`]
      : [],
  )
}
