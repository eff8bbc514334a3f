import { compareIps, familyOf, type Ip, parseIp } from '../net/ip.ts'
import { formatSocketAddress, parsePort, type TransportProtocol } from '../net/port.ts'
import type { Origin } from './origin.ts'
import type { TextProblem } from './problem.ts'
import type { Parsed } from './text-line.ts'

/** A virtual service of IPVS, with its real servers in the order in which they were added. */
export interface IpvsService {
  readonly protocol: TransportProtocol
  readonly address: Ip
  readonly port: number
  /** `rr`, `wlc`, ... */
  readonly scheduler: string
  /** Seconds; undefined without persistence. */
  readonly persistent?: number
  /** `-b`: flags of the scheduler, `sh-port`, `sh-fallback`. */
  readonly flags?: string
  readonly servers: readonly IpvsServer[]
  readonly origin?: Origin
}

export interface IpvsServer {
  readonly address: Ip
  readonly port: number
  readonly forward: 'masq' | 'route' | 'tunnel'
  readonly weight: number
  /** What stands behind it, in words: `pod web-1`. */
  readonly note?: string
}

export const serviceName = ({ protocol, address, port }: Pick<IpvsService, 'protocol' | 'address' | 'port'>): string =>
  `${protocol} ${formatSocketAddress(address, port)}`

const options = { tcp: '-t', udp: '-u', sctp: '--sctp-service' } as const
const protocolOrder: readonly TransportProtocol[] = ['tcp', 'udp', 'sctp']

/** ipvsadm sorts what it prints: by family, protocol, address, port. */
const sortedServices = (services: readonly IpvsService[]): readonly IpvsService[] =>
  services.toSorted(
    (a, b) =>
      familyOf(a.address).localeCompare(familyOf(b.address)) ||
      protocolOrder.indexOf(a.protocol) - protocolOrder.indexOf(b.protocol) ||
      compareIps(a.address, b.address) ||
      a.port - b.port,
  )

const sortedServers = ({ servers }: IpvsService): readonly IpvsServer[] =>
  servers.toSorted((a, b) => compareIps(a.address, b.address) || a.port - b.port)

const forwardOption = { masq: '-m', route: '-g', tunnel: '-i' } as const
const forwardName = { masq: 'Masq', route: 'Route', tunnel: 'Tunnel' } as const

/** `ipvsadm-save -n`. */
export const formatIpvsSave = (services: readonly IpvsService[]): string =>
  sortedServices(services)
    .flatMap((service) => {
      const name = `${options[service.protocol]} ${formatSocketAddress(service.address, service.port)}`
      const persistent = service.persistent === undefined ? '' : ` -p ${service.persistent}`
      const flags = service.flags === undefined ? '' : ` -b ${service.flags}`
      return [
        `-A ${name} -s ${service.scheduler}${persistent}${flags}`,
        ...sortedServers(service).map(
          (s) => `-a ${name} -r ${formatSocketAddress(s.address, s.port)} ${forwardOption[s.forward]} -w ${s.weight}`,
        ),
      ]
    })
    .map((line) => `${line}\n`)
    .join('')

/** Connections of a real server. */
export type IpvsCounts = (
  service: IpvsService,
  server: IpvsServer,
) => { readonly active: number; readonly inactive: number }

/** `ipvsadm -Ln`. */
export function formatIpvsList(
  services: readonly IpvsService[],
  countsOf: IpvsCounts = () => ({ active: 0, inactive: 0 }),
): string {
  const lines = [
    'IP Virtual Server version 1.2.1 (size=4096)',
    'Prot LocalAddress:Port Scheduler Flags',
    '  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn',
    ...sortedServices(services).flatMap((service) => [
      serviceLine(service),
      ...sortedServers(service).map((server) => serverLine(server, countsOf(service, server))),
    ]),
  ]
  return lines.map((line) => `${line}\n`).join('')
}

function serviceLine({ protocol, address, port, scheduler, persistent, flags }: IpvsService): string {
  const extra = [persistent === undefined ? '' : `persistent ${persistent}`, flags === undefined ? '' : `(${flags})`]
  const name = `${protocol.toUpperCase().padEnd(4)} ${formatSocketAddress(address, port)} ${scheduler}`
  return [name, ...extra].filter((part) => part !== '').join(' ')
}

function serverLine(
  { address, port, forward, weight }: IpvsServer,
  { active, inactive }: ReturnType<IpvsCounts>,
): string {
  const name = formatSocketAddress(address, port).padEnd(28)
  const numbers = [String(weight).padEnd(6), String(active).padEnd(10), String(inactive).padEnd(10)].join(' ')
  return `  -> ${name} ${forwardName[forward].padEnd(7)} ${numbers}`
}

/** Reads `ipvsadm-save -n`, `ipvsadm -Ln` or the commands of `ipvsadm`. */
export function parseIpvs(text: string): Parsed<IpvsService> {
  const services = new Map<string, IpvsService & { readonly servers: IpvsServer[] }>()
  const problems: TextProblem[] = []
  let listed: (IpvsService & { readonly servers: IpvsServer[] }) | undefined
  text.split('\n').forEach((raw, index) => {
    const line = raw.trim().replace(/^(?:sudo\s+)?ipvsadm\s+(?=-)/, '')
    if (line === '' || line.startsWith('#') || /^(IP Virtual Server|Prot |-> RemoteAddress)/.test(line)) return
    const tell = (expected: string): void => void problems.push({ line: index + 1, found: raw.trim(), expected })
    const words = line.split(/\s+/)
    const made = serviceOf(words)
    if (made) {
      listed = { ...made, servers: [] }
      services.set(serviceName(made), listed)
      return
    }
    const added = serverOf(words, listed)
    const owner = added && services.get(added.service)
    if (added && owner) owner.servers.push(added.server)
    else tell(added ? 'a virtual service that a line above adds' : expected)
  })
  return { entries: [...services.values()], problems }
}

const expected = '-A -t ADDRESS:PORT -s SCHEDULER, or -a -t ADDRESS:PORT -r ADDRESS:PORT -m'

function serviceOf(words: readonly string[]): Omit<IpvsService, 'servers'> | undefined {
  const listed = /^(TCP|UDP|SCTP)$/.exec(words[0] ?? '')
  const isCommand = words[0] === '-A' || words[0] === '--add-service'
  if (!listed && !isCommand) return undefined
  const end = listed ? endOf(words[1]) : endOf(after(words, ...Object.values(options)))
  const protocol = listed ? protocolOf(listed[1]?.toLowerCase()) : protocolIn(words)
  if (!end || !protocol) return undefined
  const scheduler = (listed ? words[2] : after(words, '-s', '--scheduler')) ?? 'wlc'
  const persistent = after(words, '-p', '--persistent', 'persistent')
  const flags = after(words, '-b', '--sched-flags')
  return {
    protocol,
    ...end,
    scheduler,
    ...(persistent !== undefined && { persistent: Number(persistent) || 300 }),
    ...(flags !== undefined && { flags }),
  }
}

function serverOf(
  words: readonly string[],
  listed: IpvsService | undefined,
): { readonly service: string; readonly server: IpvsServer } | undefined {
  if (words[0] === '->') {
    const end = endOf(words[1])
    const forward = (Object.keys(forwardName) as IpvsServer['forward'][]).find((f) => forwardName[f] === words[2])
    const weight = Number(words[3])
    if (!end || !forward || !listed || !Number.isInteger(weight)) return undefined
    return { service: serviceName(listed), server: { ...end, forward, weight } }
  }
  if (words[0] !== '-a' && words[0] !== '--add-server') return undefined
  const service = endOf(after(words, ...Object.values(options)))
  const end = endOf(after(words, '-r', '--real-server'))
  const protocol = protocolIn(words)
  const weight = Number(after(words, '-w', '--weight') ?? 1)
  if (!service || !end || !protocol || !Number.isInteger(weight)) return undefined
  const forward = words.includes('-m') ? 'masq' : words.includes('-i') ? 'tunnel' : 'route'
  return { service: serviceName({ protocol, ...service }), server: { ...end, forward, weight } }
}

function after(words: readonly string[], ...names: readonly string[]): string | undefined {
  const at = words.findIndex((word) => names.includes(word))
  return at < 0 ? undefined : words[at + 1]
}

const protocolOf = (text: string | undefined): TransportProtocol | undefined =>
  protocolOrder.find((protocol) => protocol === text)
const protocolIn = (words: readonly string[]): TransportProtocol | undefined =>
  protocolOrder.find((protocol) => words.includes(options[protocol]))

/** `10.0.0.1:80`, `[fd00::1]:80`. */
function endOf(text: string | undefined): { readonly address: Ip; readonly port: number } | undefined {
  const found = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(text ?? '')
  const address = parseIp(found?.[1] ?? found?.[2] ?? '')
  const port = parsePort(found?.[3] ?? '')
  return address === undefined || port === undefined ? undefined : { address, port }
}
