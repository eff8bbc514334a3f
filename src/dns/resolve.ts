import type { ObjectRef } from '../kube/objects/meta.ts'
import type { Pod } from '../kube/objects/pod.ts'
import type { ClusterSettings } from '../kube/settings.ts'
import type { ObjectReader } from '../kube/store.ts'
import { type Ip, parseIp } from '../net/ip.ts'
import { ownNames } from './hosts.ts'
import { type DeadAlias, type DnsAnswer, type DnsRecord, nxdomain, type RecordType } from './records.ts'
import { normalName, type ResolvConf, resolvConfOf } from './resolv-conf.ts'
import { zoneAnswer } from './zone.ts'

export interface DnsQuery {
  /** As an application would write it; a final dot keeps the search list away. */
  readonly name: string
  /** Whose resolver asks. Without a pod the name is absolute and the cluster's DNS is asked. */
  readonly from?: Pod
  /** Without one, A and AAAA, as getaddrinfo asks. */
  readonly type?: RecordType
}

/** One question that went out, with its answer. */
export interface DnsAttempt {
  readonly name: string
  readonly type: RecordType
  readonly answer: DnsAnswer
}

export interface Resolution {
  /**
   * `found`: the records below; `external`: only a resolver outside of the cluster could tell; `nodata`: a name exists, but
   * has no such record; `nxdomain`: none of the names exists.
   */
  readonly outcome: 'found' | 'external' | 'nodata' | 'nxdomain'
  /** Of the question that was answered, aliases first. */
  readonly records: readonly DnsRecord[]
  readonly addresses: readonly Ip[]
  /** The absolute name that was answered. */
  readonly answeredName: string | undefined
  /** In the order in which the resolver asks. Empty where the name was an address or stood in /etc/hosts. */
  readonly attempts: readonly DnsAttempt[]
  /** `dns`, the pod's /etc/hosts, or the name being an address. */
  readonly source: 'dns' | 'hosts' | 'address'
  readonly resolvConf: ResolvConf | undefined
}

/**
 * Looks a name up as glibc does in the pod (`res_nsearch`): with fewer dots than ndots the search list comes first, else the
 * name as it is; the next name is asked while there are no records.
 */
export function resolve(objects: ObjectReader, settings: ClusterSettings, query: DnsQuery): Resolution {
  const resolvConf = query.from && resolvConfOf(objects, settings, query.from)
  const local = localAnswer(query, settings)
  if (local) return { ...local, resolvConf }
  const types: readonly RecordType[] = query.type ? [query.type] : ['A', 'AAAA']
  const attempts: DnsAttempt[] = []
  for (const name of candidates(query.name, resolvConf)) {
    const asked = types.map((type) => ({ name, type, answer: ask(objects, settings, name, type, resolvConf) }))
    attempts.push(...asked)
    if (asked.some((a) => isPositive(a.answer))) break
  }
  return { ...conclusion(attempts), attempts, source: 'dns', resolvConf }
}

/** An alias to a name outside counts: whether that has an address is not known here. */
const isPositive = (answer: DnsAnswer): boolean =>
  answer.kind === 'records' || (answer.kind === 'forwarded' && answer.records.length > 0)

/** Absolute names in the order in which they are asked. */
export function candidates(name: string, resolvConf: ResolvConf | undefined): readonly string[] {
  const absolute = normalName(name)
  if (name.endsWith('.') || resolvConf === undefined) return [absolute]
  const searched = resolvConf.searches.map((domain) => (domain === '' ? absolute : `${absolute}.${domain}`))
  const dots = absolute.split('.').length - 1
  return [...new Set(dots >= resolvConf.ndots ? [absolute, ...searched] : [...searched, absolute])]
}

/** Whether the world may know the name. One without a dot is a slip in the name of a Service. */
export const mayBeOutside = (name: string): boolean => normalName(name).includes('.')

const maxAliases = 8

/** One question to the pod's first nameserver, aliases followed as far as the cluster's DNS knows them. */
function ask(
  objects: ObjectReader,
  { clusterDomain }: ClusterSettings,
  asked: string,
  type: RecordType,
  resolvConf: ResolvConf | undefined,
): DnsAnswer {
  const zone = normalName(clusterDomain)
  const isOfCluster = (name: string): boolean => name === zone || name.endsWith(`.${zone}`)
  if (resolvConf?.inCluster === false) return askOutside(asked, isOfCluster)
  const aliases: DnsRecord[] = []
  let name = asked
  while (isOfCluster(name)) {
    const answer = zoneAnswer(objects, { name, type, zone })
    const alias = answer.kind === 'records' ? answer.records.find((r) => r.type === 'CNAME') : undefined
    if (alias === undefined) return aliases.length === 0 ? answer : throughAliases(answer, aliases, name)
    if (type === 'CNAME') return answer
    name = alias.target
    if (aliases.length === maxAliases) return deadAlias(answer.object, name, 'loop')
    aliases.push(alias)
  }
  return { kind: 'forwarded', name, records: aliases, object: undefined }
}

/** Resolvers of the node or the world know nothing of the cluster domain. */
const askOutside = (name: string, isOfCluster: (name: string) => boolean): DnsAnswer =>
  isOfCluster(name) ? nxdomain('not-asked-in-cluster') : { kind: 'forwarded', name, records: [], object: undefined }

function throughAliases(answer: DnsAnswer, aliases: readonly DnsRecord[], target: string): DnsAnswer {
  switch (answer.kind) {
    case 'records':
    case 'forwarded':
      return { ...answer, records: [...aliases, ...answer.records] }
    case 'nodata':
      return deadAlias(answer.object, target, 'nodata')
    case 'nxdomain':
      return deadAlias(answer.object, target, answer.reason)
  }
}

const deadAlias = (object: ObjectRef | undefined, target: string, reason: DeadAlias['reason']): DnsAnswer => ({
  kind: 'nodata',
  object,
  alias: { target, reason },
})

type Conclusion = Pick<Resolution, 'outcome' | 'records' | 'addresses' | 'answeredName'>

function conclusion(attempts: readonly DnsAttempt[]): Conclusion {
  const answered = attempts.filter((a) => a.answer.kind === 'records')
  const records = answered.flatMap((a) => (a.answer.kind === 'records' ? a.answer.records : []))
  const [first] = answered
  if (first)
    return { outcome: 'found', records: distinct(records), addresses: addressesOf(records), answeredName: first.name }
  const forwarded = attempts.filter((a) => a.answer.kind === 'forwarded')
  const outside = forwarded.find((a) => isPositive(a.answer)) ?? forwarded[0]
  if (outside?.answer.kind === 'forwarded') {
    return { outcome: 'external', records: outside.answer.records, addresses: [], answeredName: outside.answer.name }
  }
  const exists = attempts.find((a) => a.answer.kind === 'nodata')
  return { outcome: exists ? 'nodata' : 'nxdomain', records: [], addresses: [], answeredName: exists?.name }
}

const addressesOf = (records: readonly DnsRecord[]): readonly Ip[] => [
  ...new Set(records.flatMap((r) => (r.type === 'A' || r.type === 'AAAA' ? [r.address] : []))),
]

/** The alias of an A and of an AAAA answer is one. */
const distinct = (records: readonly DnsRecord[]): readonly DnsRecord[] => [
  ...new Map(records.map((r) => [JSON.stringify(r), r])).values(),
]

/** What needs no DNS: an address, and the names in the pod's /etc/hosts. */
function localAnswer(
  { name, from, type }: DnsQuery,
  settings: ClusterSettings,
): Omit<Resolution, 'resolvConf'> | undefined {
  const ip = parseIp(name)
  const found = { outcome: 'found', records: [], answeredName: normalName(name), attempts: [] } as const
  if (ip) return { ...found, addresses: [ip], source: 'address' }
  const own = type === undefined && from ? ownNames(from, settings).get(normalName(name)) : undefined
  return own && { ...found, addresses: own, source: 'hosts' }
}
