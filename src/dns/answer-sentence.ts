import type { ObjectRef } from '../kube/objects/meta.ts'
import type { DeadAlias, DnsAnswer, NotFound } from './records.ts'

/** The status that a resolver shows (RFC 1035, 2308), `NOERROR` without records being `NODATA`. */
export function answerStatus(answer: DnsAnswer): 'NOERROR' | 'NODATA' | 'NXDOMAIN' | 'FORWARDED' {
  switch (answer.kind) {
    case 'records':
      return 'NOERROR'
    case 'nodata':
      return 'NODATA'
    case 'nxdomain':
      return 'NXDOMAIN'
    case 'forwarded':
      return 'FORWARDED'
  }
}

/** Why the answer is as it is; empty where records say it. */
export function answerSentence(answer: DnsAnswer): string {
  switch (answer.kind) {
    case 'records':
      return ''
    case 'nodata':
      return answer.alias ? aliasSentence(answer.alias) : 'the name exists, without records of this type'
    case 'nxdomain':
      return notFoundSentence(answer.reason, answer.object)
    case 'forwarded':
      return `outside of the cluster domain: an outer resolver answers for ${answer.name}`
  }
}

function aliasSentence({ target, reason }: DeadAlias): string {
  switch (reason) {
    case 'loop':
      return `the alias ends in a loop at ${target}`
    case 'nodata':
      return `the alias leads to ${target}, which has no record of this type`
    default:
      return `the alias leads to ${target}: ${notFoundSentence(reason, undefined)}`
  }
}

function notFoundSentence(reason: NotFound, object: ObjectRef | undefined): string {
  const name = object ? `${object.namespace === undefined ? '' : `${object.namespace}/`}${object.name}` : ''
  switch (reason) {
    case 'malformed':
      return 'no name of this form is served'
    case 'no-namespace':
      return `there is no namespace ${name}`.trimEnd()
    case 'no-service':
      return `there is no Service ${name}`.trimEnd()
    case 'no-ready-endpoint':
      return `Service ${name} has no ready endpoint`
    case 'no-endpoint-of-that-name':
      return `no ready endpoint of Service ${name} has this name`
    case 'no-such-port':
      return `Service ${name} has no such port`
    case 'no-such-pod':
      return 'no pod has this address'
    case 'pods-disabled':
      return 'the Corefile does not serve pod names'
    case 'external-name-is-address':
      return `externalName of Service ${name} is an address, which makes no alias`
    case 'not-asked-in-cluster':
      return "the resolver asked is not the cluster's and knows nothing of its domain"
  }
}
