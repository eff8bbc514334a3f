import type { Service } from '../kube/objects/service.ts'
import type { ObjectReader } from '../kube/store.ts'
import { type Family, familyOf, parseIp } from '../net/ip.ts'

/** The nodes that have a ready endpoint of the Service, in the order of its slices; of one family where one is given. */
export function endpointNodes(objects: ObjectReader, service: Service, family?: Family): readonly string[] {
  const { namespace = 'default', name } = service.metadata
  const slices = objects.list('EndpointSlice', {
    namespace,
    labelSelector: `kubernetes.io/service-name=${name}`,
  })
  const ready = slices.flatMap((s) => s.endpoints).filter((e) => e.conditions?.ready !== false)
  const wanted = ready.filter((e) => family === undefined || e.addresses.some((a) => isOf(a, family)))
  return [...new Set(wanted.flatMap((e) => e.nodeName ?? []))]
}

function isOf(text: string, family: Family): boolean {
  const ip = parseIp(text)
  return ip !== undefined && familyOf(ip) === family
}
