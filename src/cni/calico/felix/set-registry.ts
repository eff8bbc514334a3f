import type { IpSet, IpSetType } from '../../../artefact/ipset.ts'
import { formatSelector, type Selector, selects } from '../../../kube/calico-selector.ts'
import type { ObjectReader } from '../../../kube/store.ts'
import { type Family, familyOf, parseIp } from '../../../net/ip.ts'
import { formatPrefix, isHostPrefix, parsePrefix, prefixFamily } from '../../../net/prefix.ts'
import type { PolicyCluster, Selectable } from '../model/cluster.ts'
import { selectorId } from '../model/selector-id.ts'
import { hashedId, setName } from '../names.ts'

interface Wanted {
  readonly type: IpSetType
  /** As `ipset` writes them, of both families. */
  readonly members: () => readonly string[]
  readonly note: string
}

/** The sets that the rules of one node ask for. What nobody asks for is not made. */
export class SetRegistry {
  readonly #cluster: PolicyCluster
  readonly #wanted = new Map<string, Wanted>()
  /** Selectables by canonical selector: many rules share one. */
  static readonly #selected = new WeakMap<PolicyCluster, Map<string, readonly Selectable[]>>()

  constructor(cluster: PolicyCluster) {
    this.#cluster = cluster
  }

  /** Addresses and nets of everything that is selected. */
  selector(selector: Selector): string {
    const id = selectorId(selector)
    this.#want(id, 'hash:net', formatSelector(selector), () =>
      this.#select(selector).flatMap((s) => s.nets.flatMap(netMembers)),
    )
    return id
  }

  /** Address and port of everything that is selected and has a port of that name. */
  namedPort(selector: Selector, protocol: string, name: string): string {
    const id = hashedId('n', `${selectorId(selector)},${protocol},${name}`)
    this.#want(id, 'hash:ip,port', `port ${name}/${protocol} of ${formatSelector(selector)}`, () =>
      this.#select(selector).flatMap(({ nets, ports }) =>
        ports
          .filter((p) => p.name === name && p.protocol === protocol)
          .flatMap(({ port }) => nets.flatMap((net) => (parseIp(net) ? [`${net},${protocol}:${port}`] : []))),
      ),
    )
    return id
  }

  /** Endpoints of a Service: with their ports as a destination, without as a source. */
  service(namespace: string, name: string, withPorts: boolean): string {
    const key = `${namespace}/${name}`
    const id = hashedId(withPorts ? 'svc' : 'svcnoport', key)
    this.#want(id, withPorts ? 'hash:ip,port' : 'hash:net', `Service ${key}`, () =>
      serviceMembers(this.#cluster.objects, namespace, name, withPorts),
    )
    return id
  }

  ipSets(family: Family): readonly IpSet[] {
    return [...this.#wanted].map(([id, { type, members, note }]) => felixSet(family, id, type, members(), note))
  }

  #want(id: string, type: IpSetType, note: string, members: () => readonly string[]): void {
    if (!this.#wanted.has(id)) this.#wanted.set(id, { type, members, note })
  }

  #select(selector: Selector): readonly Selectable[] {
    const known = SetRegistry.#selected.get(this.#cluster) ?? new Map<string, readonly Selectable[]>()
    SetRegistry.#selected.set(this.#cluster, known)
    const key = formatSelector(selector)
    const found = known.get(key) ?? this.#cluster.selectables.filter((s) => selects(selector, s.labels))
    known.set(key, found)
    return found
  }
}

/** A net as hash:net takes it: host prefixes bare, and everything in halves, for no set holds /0. */
function netMembers(net: string): readonly string[] {
  const prefix = parsePrefix(net)
  if (prefix === undefined) return []
  if (prefix.length === 0) return prefixFamily(prefix) === 'ipv4' ? ['0.0.0.0/1', '128.0.0.0/1'] : ['::/1', '8000::/1']
  return [isHostPrefix(prefix) ? prefix.address : formatPrefix(prefix)]
}

export const netMembersOf = (nets: readonly string[]): readonly string[] => nets.flatMap(netMembers)

/** `maxelem` is Felix's; sizes and seeds depend on the kernel and are left out. Members of the other family are too. */
export function felixSet(family: Family, id: string, type: IpSetType, members: readonly string[], note: string): IpSet {
  const own = members.filter((m) => memberFamily(m) === family)
  return {
    name: setName(family, id),
    type,
    family,
    options: 'maxelem 1048576',
    members: [...new Set(own)].map((text) => ({ text })),
    origin: { by: 'calico', note },
  }
}

function memberFamily(member: string): Family {
  const [address = ''] = member.split(/[,/]/)
  const ip = parseIp(address)
  return ip ? familyOf(ip) : 'ipv4'
}

function serviceMembers(objects: ObjectReader, namespace: string, name: string, withPorts: boolean): readonly string[] {
  const slices = objects
    .list('EndpointSlice', { namespace })
    .filter((s) => s.metadata.labels?.['kubernetes.io/service-name'] === name)
  return slices.flatMap(({ endpoints, ports = [] }) =>
    endpoints.flatMap(({ addresses }) =>
      addresses.flatMap((address) => {
        if (!withPorts) return [address]
        return ports.flatMap(({ port, protocol = 'TCP' }) =>
          port === undefined ? [] : [`${address},${protocol.toLowerCase()}:${port}`],
        )
      }),
    ),
  )
}
