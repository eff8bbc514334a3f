import { expect } from 'vitest'
import { bridgeGateways } from '../../src/cni/bridge.ts'
import { cniChainName, kubeletHostportChain } from '../../src/cni/chain-name.ts'
import { delegateConf, delegateIpam } from '../../src/cni/flannel/delegate.ts'
import { formatDockerOpts } from '../../src/cni/flannel/docker-opts.ts'
import { parseNetConf } from '../../src/cni/flannel/net-conf.ts'
import {
  etcdPrefix,
  formatLease,
  formatSubnetKey,
  leaseTtlSeconds,
  parseSubnetKey,
  vxlanLeaseData,
} from '../../src/cni/flannel/record.ts'
import { bridgeAddress, formatSubnetEnv, parseSubnetEnv, type SubnetEnv } from '../../src/cni/flannel/subnet-env.ts'
import { type AddressRange, addressesFrom, addressRange, HostLocal } from '../../src/cni/host-local.ts'
import { cniMac, dockerMac } from '../../src/cni/mac.ts'
import { ip } from '../../src/net/ip.ts'
import { mac } from '../../src/net/mac.ts'
import { formatInterfaceAddress, formatPrefix, prefix, prefixCovers } from '../../src/net/prefix.ts'

/** The kinds that are about texts and tables of values. Each throws where the case does not hold. */
export const textKinds: Readonly<Record<string, (golden: never) => void>> = {
  'net-conf': netConf,
  'subnet-env': subnetEnv,
  'docker-opts': dockerOpts,
  'error-text': errorText,
  'lease-key': leaseKey,
  'lease-record': leaseRecord,
  'predicate-table': containment,
  'chain-names': chainNames,
  mac: macs,
  'cni-delegate': delegate,
  'ipam-next': ipamNext,
  'ipam-sequence': ipamSequence,
  'ipam-script': ipamScript,
  'ipam-range': ipamRange,
  'bridge-addresses': bridges,
}

type Fields = Readonly<Record<string, string | number | boolean>>

function netConf(golden: {
  readonly config?: { readonly json: string }
  readonly expect?: Fields
  readonly cases?: readonly { readonly json: string; readonly expect: Fields }[]
}) {
  const single = golden.config && golden.expect ? [{ json: golden.config.json, expect: golden.expect }] : []
  for (const row of golden.cases ?? single) {
    const parsed = parseNetConf(row.json, 'etcd')
    if ('errors' in parsed) throw new Error(parsed.errors.join('\n'))
    const { ipv4, ipv6, backend } = parsed.conf
    expect({
      ...(ipv4
        ? {
            Network: formatPrefix(ipv4.network),
            SubnetMin: ipv4.subnetMin,
            SubnetMax: ipv4.subnetMax,
            SubnetLen: ipv4.subnetLength,
          }
        : {}),
      ...(ipv6
        ? {
            IPv6Network: formatPrefix(ipv6.network),
            IPv6SubnetMin: ipv6.subnetMin,
            IPv6SubnetMax: ipv6.subnetMax,
            IPv6SubnetLen: ipv6.subnetLength,
          }
        : {}),
      EnableIPv4: ipv4 !== undefined,
      EnableIPv6: ipv6 !== undefined,
      BackendType: backend.type,
    }).toMatchObject(row.expect)
  }
}

interface EnvConfig {
  readonly network: string
  readonly podCIDR: string
  readonly ipv6Network?: string
  readonly ipv6PodCIDR?: string
  readonly mtu: number
  readonly ipMasq: boolean
}

function subnetEnv({ cases }: { readonly cases: readonly { readonly config: EnvConfig; readonly expect: string }[] }) {
  for (const { config, expect: expected } of cases) {
    const env: SubnetEnv = {
      networks: [prefix(config.network)],
      subnet: bridgeAddress(prefix(config.podCIDR)),
      ipv6Networks: config.ipv6Network ? [prefix(config.ipv6Network)] : [],
      ...(config.ipv6PodCIDR ? { ipv6Subnet: bridgeAddress(prefix(config.ipv6PodCIDR)) } : {}),
      mtu: config.mtu,
      ipMasq: config.ipMasq,
    }
    expect(formatSubnetEnv(env)).toBe(expected)
    expect(parseSubnetEnv(expected)).toEqual({ env })
  }
}

function envOf(text: string): SubnetEnv {
  const parsed = parseSubnetEnv(text)
  if ('error' in parsed) throw new Error(parsed.error)
  return parsed.env
}

function dockerOpts(golden: {
  readonly config: { readonly subnetEnv: string }
  readonly cases: readonly { readonly flags: readonly string[]; readonly expect: string }[]
}) {
  const env = envOf(golden.config.subnetEnv)
  for (const { flags, expect: expected } of golden.cases) {
    const key = flags[flags.indexOf('-k') + 1]
    const given = {
      ...(flags.includes('-i') ? { only: 'individual' as const } : {}),
      ...(flags.includes('-c') ? { only: 'combined' as const } : {}),
      ...(flags.includes('-k') && key ? { key } : {}),
      ...(flags.includes('-m') ? { withoutIpMasq: true } : {}),
    }
    expect(formatDockerOpts(env, given), flags.join(' ')).toBe(expected)
  }
}

function errorText({
  cases,
}: {
  readonly cases: readonly { readonly subnetEnv: string; readonly expectContains: string }[]
}) {
  for (const row of cases) {
    const parsed = parseSubnetEnv(row.subnetEnv)
    expect('error' in parsed ? parsed.error : '').toContain(row.expectContains)
  }
}

function leaseKey({
  expect: table,
}: {
  readonly expect: {
    readonly valid: readonly { readonly key: string; readonly subnet: string; readonly ipv6Subnet?: string }[]
    readonly invalid: readonly string[]
  }
}) {
  for (const { key, subnet, ipv6Subnet } of table.valid) {
    const parts = { subnet: prefix(subnet), ...(ipv6Subnet ? { ipv6Subnet: prefix(ipv6Subnet) } : {}) }
    expect(parseSubnetKey(key)).toEqual(parts)
    expect(formatSubnetKey(parts.subnet, parts.ipv6Subnet)).toBe(key)
  }
  for (const key of table.invalid) expect(parseSubnetKey(key), key).toBeUndefined()
}

function leaseRecord(golden: {
  readonly config: {
    readonly backend: string
    readonly publicIP: string
    readonly vni: number
    readonly vtepMAC: string
    readonly subnet: string
  }
  readonly expect: { readonly key: string; readonly value: string; readonly ttlSeconds: number }
}) {
  const { config } = golden
  const backendData = vxlanLeaseData(config.vni, mac(config.vtepMAC))
  expect({
    key: `${etcdPrefix}/subnets/${formatSubnetKey(prefix(config.subnet))}`,
    value: formatLease({ publicIp: ip(config.publicIP), backendType: config.backend, backendData }),
    ttlSeconds: leaseTtlSeconds,
  }).toEqual(golden.expect)
}

function containment({
  expect: rows,
}: {
  readonly expect: readonly { readonly network: string; readonly podCIDR: string; readonly contained: boolean }[]
}) {
  for (const row of rows)
    expect(prefixCovers(prefix(row.network), prefix(row.podCIDR)), JSON.stringify(row)).toBe(row.contained)
}

type ChainName =
  | { readonly network: string; readonly containerID: string; readonly prefix: string; readonly chain: string }
  | { readonly id: string; readonly hostPort: number; readonly protocol: string; readonly chain: string }

function chainNames({ expect: rows }: { readonly expect: readonly ChainName[] }) {
  for (const row of rows) {
    const name =
      'network' in row
        ? cniChainName(row.network, row.containerID, row.prefix)
        : kubeletHostportChain(row.id, row.hostPort, row.protocol)
    expect(name).toBe(row.chain)
  }
}

function macs({
  expect: rows,
}: {
  readonly expect: readonly { readonly scheme: string; readonly ip: string; readonly mac: string }[]
}) {
  for (const row of rows) expect((row.scheme.startsWith('cni') ? cniMac : dockerMac)(ip(row.ip))).toBe(row.mac)
}

interface DelegateCase {
  readonly subnetEnv: string
  readonly ipam: Readonly<Record<string, unknown>>
  readonly expect: unknown
}

function delegate(golden: {
  readonly config?: { readonly netconf: { readonly name: string }; readonly subnetEnv: string }
  readonly expect?: unknown
  readonly cases?: readonly DelegateCase[]
}) {
  if (golden.config)
    expect(delegateConf({ name: golden.config.netconf.name }, envOf(golden.config.subnetEnv))).toEqual(golden.expect)
  for (const row of golden.cases ?? []) expect(delegateIpam(row.ipam, envOf(row.subnetEnv))).toEqual(row.expect)
}

function rangeOf(subnet: string): AddressRange {
  const result = addressRange({ subnet: formatPrefix(prefix(subnet)) })
  if ('error' in result) throw new Error(result.error)
  return result.range
}

function ipamNext({
  expect: rows,
}: {
  readonly expect: readonly {
    readonly subnets: readonly string[]
    readonly used: readonly string[]
    readonly lastReserved: string
    readonly expect: string
  }[]
}) {
  for (const row of rows) {
    const store = new HostLocal(row.subnets.map(rangeOf), row.lastReserved === '' ? undefined : ip(row.lastReserved))
    for (const used of row.used) store.reserve(ip(used), 'other')
    expect(store.add('ID'), JSON.stringify(row)).toMatchObject({ ip: row.expect.replace('/29', '') })
  }
}

function ipamSequence(golden: {
  readonly config: { readonly subnet: string }
  readonly expect: readonly { readonly lastReserved: string; readonly order: readonly string[] }[]
}) {
  for (const { lastReserved, order } of golden.expect) {
    const last = lastReserved === '' ? undefined : ip(lastReserved)
    expect([...addressesFrom([rangeOf(golden.config.subnet)], last)].map((o) => o.ip)).toEqual(order)
  }
}

function ipamScript(golden: {
  readonly config: { readonly subnet: string }
  readonly expect: readonly {
    readonly script?: readonly string[]
    readonly full?: string
    readonly errorPrefix?: string
  }[]
}) {
  for (const { script, full, errorPrefix } of golden.expect) {
    const store = new HostLocal([rangeOf(golden.config.subnet)])
    for (const line of script ?? []) runScriptLine(store, line)
    const [subnet, used] = full?.split(' with ') ?? []
    if (subnet === undefined || used === undefined) continue
    const filled = new HostLocal([rangeOf(subnet)])
    filled.reserve(ip(used.replace(' used', '')), 'other')
    const answer = filled.add('ID')
    expect('error' in answer ? answer.error : '').toContain(errorPrefix)
  }
}

function runScriptLine(store: HostLocal, line: string): void {
  const [verb, id = '', , outcome] = line.split(' ')
  if (verb === 'DEL') {
    store.delete(id)
    return
  }
  const answer = store.add(id)
  const given = 'ip' in answer ? formatInterfaceAddress({ ip: answer.ip, length: answer.range.subnet.length }) : 'error'
  expect(given, line).toBe(outcome)
}

function ipamRange({
  expect: rows,
}: {
  readonly expect: readonly {
    readonly subnet: string
    readonly givenStart?: string
    readonly start?: string
    readonly end?: string
    readonly gateway?: string
    readonly error?: string
  }[]
}) {
  for (const { subnet, givenStart, error, ...texts } of rows) {
    // The case spells one address with more zero groups than RFC 5952 does.
    const expected = Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, ip(text)]))
    const result = addressRange({ subnet, ...(givenStart ? { rangeStart: givenStart } : {}) })
    if (error !== undefined) expect(result).toEqual({ error })
    else expect('range' in result && result.range).toMatchObject(expected)
  }
}

function bridges({
  expect: rows,
}: {
  readonly expect: readonly {
    readonly subnets: readonly string[]
    readonly bridge: readonly string[]
    readonly defaultVia: readonly string[]
  }[]
}) {
  for (const row of rows) {
    const { addresses, defaultVia } = bridgeGateways(row.subnets.map(prefix))
    expect({ bridge: addresses.map(formatInterfaceAddress), defaultVia }).toEqual({
      bridge: row.bridge,
      defaultVia: row.defaultVia,
    })
  }
}
