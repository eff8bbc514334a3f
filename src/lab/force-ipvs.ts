import { formatIpvsSave, type IpvsServer, type IpvsService, serviceName } from '../artefact/ipvs.ts'
import type { Visit } from '../cluster/loop.ts'
import type { NetnsId } from '../cluster/machine.ts'

/** Lines for `ipvsadm -R`: those that leave each service the server that a branch chose, and those that undo it. */
export interface ForcedServers {
  readonly forced: string
  readonly before: string
}

/** A scheduler passes over servers without weight. None where the branch asked no scheduler, or where there is no choice. */
export function forceServers(
  netns: NetnsId,
  services: readonly IpvsService[],
  visits: readonly Visit[],
): ForcedServers {
  const chosen = chosenServers(netns, visits)
  const kept = services.flatMap((service) => {
    const server = chosen.get(serviceName(service))
    return server && service.servers.length > 1 ? [{ service, server }] : []
  })
  const only = kept.map(({ service, server }) => ({
    ...service,
    servers: service.servers.map((s) => (same(s, server) ? s : { ...s, weight: 0 })),
  }))
  return { forced: edits(only), before: edits(kept.map(({ service }) => service)) }
}

function chosenServers(netns: NetnsId, visits: readonly Visit[]): ReadonlyMap<string, IpvsServer> {
  const chosen = new Map<string, IpvsServer>()
  for (const event of visits.flatMap((v) => (v.netns === netns ? v.events : [])))
    if (event.kind === 'ipvs' && event.outcome === 'scheduled' && event.server)
      chosen.set(serviceName(event.service), event.server)
  return chosen
}

const same = (a: IpvsServer, b: IpvsServer): boolean => a.address === b.address && a.port === b.port

/** The services are there: their servers are edited, not added. */
const edits = (services: readonly IpvsService[]): string =>
  formatIpvsSave(services)
    .split('\n')
    .flatMap((line) => (line.startsWith('-a ') ? [`-e ${line.slice(3)}\n`] : []))
    .join('')
