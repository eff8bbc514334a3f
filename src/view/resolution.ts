import { answerSentence, answerStatus } from '../dns/answer-sentence.ts'
import type { DnsRecord } from '../dns/records.ts'
import type { ResolvConf } from '../dns/resolv-conf.ts'
import { type DnsAttempt, mayBeOutside, type Resolution } from '../dns/resolve.ts'

/** Whose question it was. */
export interface Asked {
  readonly name: string
  /** `pod shop/cart`; undefined where the cluster's DNS was asked directly. */
  readonly by: string | undefined
}

/** What a resolver would say, in the manner of dig: answer, what was tried, and the resolv.conf that led there. */
export function formatResolution(resolution: Resolution, asked: Asked): string {
  const { records, addresses, resolvConf } = resolution
  const plain = resolution.source === 'dns' ? [] : addresses
  return [
    headline(resolution, asked),
    ...records.map((r) => recordLine(r, records)),
    ...plain,
    '',
    ...(resolution.attempts.length > 0 ? [';; tried', ...attemptLines(resolution.attempts), ''] : []),
    ...(resolvConf ? [`;; /etc/resolv.conf of ${asked.by ?? ''}`, ...resolvConfLines(resolvConf), ''] : []),
  ].join('\n')
}

function headline({ outcome, source, answeredName }: Resolution, { name, by }: Asked): string {
  const whose = by === undefined ? '' : ` from ${by}`
  switch (outcome) {
    case 'found':
      return `;; ${name}${whose}: ${source === 'dns' ? `answered as ${answeredName}.` : source === 'hosts' ? 'in the /etc/hosts of the pod' : 'an address'}`
    case 'external':
      return mayBeOutside(answeredName ?? name)
        ? `;; ${name}${whose}: an outer resolver answers for ${answeredName}.`
        : `;; ${name}${whose}: not found; no resolver of the world knows a name without a dot`
    case 'nodata':
      return `;; ${name}${whose}: NODATA, ${answeredName}. has no such record`
    case 'nxdomain':
      return `;; ${name}${whose}: NXDOMAIN`
  }
}

/** Names are padded so that types stand in one column. */
function attemptLines(attempts: readonly DnsAttempt[]): readonly string[] {
  const width = Math.max(...attempts.map((a) => a.name.length + 1))
  return attempts.map(({ name, type, answer }) => {
    const count =
      answer.kind === 'records' ? `${answer.records.length} record${answer.records.length === 1 ? '' : 's'}` : ''
    return `${`${name}.`.padEnd(width)}  ${type.padEnd(5)}  ${answerStatus(answer).padEnd(9)}  ${count}${answerSentence(answer)}`.trimEnd()
  })
}

function recordLine(record: DnsRecord, all: readonly DnsRecord[]): string {
  switch (record.type) {
    case 'A':
    case 'AAAA':
      return `${record.name}.  IN ${record.type} ${record.address}`
    case 'CNAME':
      return `${record.name}.  IN CNAME ${record.target}.`
    case 'SRV':
      return `${record.name}.  IN SRV 0 ${weight(all)} ${record.port} ${record.target}.`
  }
}

/** CoreDNS shares a weight of 100 among the records of one answer (`plugin/backend_lookup.go`). */
const weight = (all: readonly DnsRecord[]): number => Math.floor(100 / all.filter((r) => r.type === 'SRV').length)

function resolvConfLines({ nameservers, searches, options }: ResolvConf): readonly string[] {
  const given = options.map((o) => (o.value === undefined ? o.name : `${o.name}:${o.value}`))
  return [
    ...(nameservers.length === 0
      ? ["; nameservers of the node's own /etc/resolv.conf"]
      : nameservers.map((ip) => `nameserver ${ip}`)),
    ...(searches.length === 0 ? [] : [`search ${searches.join(' ')}`]),
    ...(given.length === 0 ? [] : [`options ${given.join(' ')}`]),
  ]
}

/** The same as JSON; keys stay. */
export function formatResolutionJson(resolution: Resolution, { name, by }: Asked): string {
  const { outcome, source, answeredName, addresses, records, attempts, resolvConf } = resolution
  const value = {
    apiVersion: 'kubehop/v1',
    kind: 'Resolution',
    name,
    from: by ?? null,
    outcome,
    source,
    answeredName: answeredName ?? null,
    addresses,
    records: records.map((r) => recordJson(r, records)),
    attempts: attempts.map((a) => ({
      name: a.name,
      type: a.type,
      status: answerStatus(a.answer),
      reason: answerSentence(a.answer) || null,
      records: 'records' in a.answer ? a.answer.records.length : 0,
    })),
    resolvConf: resolvConf ?? null,
  }
  return `${JSON.stringify(value, undefined, 2)}\n`
}

const recordJson = (record: DnsRecord, all: readonly DnsRecord[]): object =>
  record.type === 'SRV' ? { ...record, priority: 0, weight: weight(all) } : record
