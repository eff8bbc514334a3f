import { parseApiIp } from '../kube/addresses.ts'
import type { Pod } from '../kube/objects/pod.ts'
import type { Ip } from '../net/ip.ts'

/** Its containers have ended for good, and its address is given back. */
export const isFinished = ({ status }: Pod): boolean => status?.phase === 'Succeeded' || status?.phase === 'Failed'

export const isTerminating = ({ metadata }: Pod): boolean => metadata.deletionTimestamp !== undefined

/** `podutil.IsPodReady`. */
export const isReady = ({ status }: Pod): boolean =>
  (status?.conditions ?? []).some((c) => c.type === 'Ready' && c.status === 'True')

/** The addresses of the pod in the order of its status; none once it has finished. */
export function podIpsOf(pod: Pod): readonly Ip[] {
  if (isFinished(pod)) return []
  const { podIP, podIPs = [] } = pod.status ?? {}
  const texts = podIPs.length > 0 ? podIPs.map((p) => p.ip) : podIP === undefined ? [] : [podIP]
  return texts.map(parseApiIp).filter((ip) => ip !== undefined)
}
