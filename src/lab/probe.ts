import type { Cluster } from '../cluster/cluster.ts'
import type { NetnsId } from '../cluster/machine.ts'
import type { SendRequest } from '../linux/kernel.ts'
import type { EndProblem } from '../trace/end.ts'
import { isEndProblem } from '../trace/end.ts'
import { type ResolvedRequest, resolveRequest, type TraceRequest } from '../trace/request.ts'
import { sendRequest } from '../trace/run.ts'

/** One packet to send, in the emulated cluster and in the real one. */
export interface Probe {
  readonly title: string
  readonly netns: NetnsId
  readonly request: SendRequest
  readonly asked: TraceRequest
  readonly outside: ResolvedRequest['outside']
}

export function probeOf(cluster: Cluster, asked: TraceRequest, srcPort: number): Probe | EndProblem {
  const resolved = resolveRequest(cluster, asked)
  if (isEndProblem(resolved)) return resolved
  const request = sendRequest(resolved, { ...asked, srcPort: asked.srcPort ?? srcPort })
  return { title: titleOf(asked), netns: resolved.from.netns, request, asked, outside: resolved.outside }
}

/** As one would type it after `kubehop trace`. */
export function titleOf({ from, to, protocol, ttl, size, df }: TraceRequest): string {
  return [
    `${from} ${to}`,
    protocol === undefined ? '' : ` --protocol ${protocol}`,
    ttl === undefined ? '' : ` --ttl ${ttl}`,
    size === undefined ? '' : `, ${size} bytes`,
    df === false ? ' without DF' : '',
  ].join('')
}
