import type { Pod } from '../kube/objects/pod.ts'

interface HostPort {
  readonly ip: string
  readonly protocol: string
  readonly port: number
}

const anyAddress = ['', '0.0.0.0', '::']

/** Ports of the node that the pod takes; with hostNetwork those are all its container ports (API defaulting). */
export function hostPortsOf({ spec }: Pod): readonly HostPort[] {
  const sidecars = (spec.initContainers ?? []).filter((c) => c.restartPolicy === 'Always')
  return [...spec.containers, ...sidecars]
    .flatMap((c) => c.ports ?? [])
    .map((p) => ({
      ip: p.hostIP ?? '',
      protocol: p.protocol ?? 'TCP',
      port: p.hostPort ?? (spec.hostNetwork ? p.containerPort : 0),
    }))
    .filter((p) => p.port > 0)
}

/** The scheduler's NodePorts plugin: the same port on the same address, or where one of the two wants every address. */
export const hostPortsConflict = (wanted: readonly HostPort[], used: readonly HostPort[]): boolean =>
  wanted.some((w) =>
    used.some(
      (u) =>
        u.port === w.port &&
        u.protocol === w.protocol &&
        (u.ip === w.ip || anyAddress.includes(u.ip) || anyAddress.includes(w.ip)),
    ),
  )
