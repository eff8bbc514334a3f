import { exactFields, integer, type JsonSchema, listOf, oneOf, text, textMap, texts } from './json-schema.ts'
import { exactObjectWith } from './meta-schema.ts'

const segment = exactFields(
  {
    name: text,
    cidr: text,
    cidrs: texts,
    nodes: texts,
    mtu: { type: 'integer', minimum: 68, maximum: 65535 },
    blocks: texts,
  },
  'name',
)

const asNumber: JsonSchema = { type: 'integer', minimum: 1, maximum: 4294967295 }

const bgp = exactFields(
  {
    as: asNumber,
    routerId: text,
    neighbors: listOf(exactFields({ address: text, as: asNumber, reflectorClient: { type: 'boolean' } }, 'address')),
  },
  'as',
)

const router = exactFields(
  {
    name: text,
    addresses: textMap,
    segments: texts,
    routes: listOf(exactFields({ to: text, via: text }, 'to', 'via')),
    bgp,
  },
  'name',
)

const host = exactFields({ name: text, segment: text, address: text, listens: texts }, 'name', 'address')

const loadBalancer = exactFields({ name: text, addresses: texts, mode: oneOf('preserve', 'proxy') }, 'name')

export const underlay: JsonSchema = exactObjectWith(
  {
    spec: exactFields({
      segments: listOf(segment),
      routers: listOf(router),
      hosts: listOf(host),
      loadBalancers: listOf(loadBalancer),
    }),
  },
  'spec',
)

export const nodeState: JsonSchema = exactObjectWith(
  {
    spec: exactFields({
      node: text,
      mode: oneOf('merge', 'replace'),
      sysctl: text,
      iptables: text,
      ip6tables: text,
      nftables: text,
      ipset: text,
      ipvs: text,
      routes: text,
      rules: text,
      neighbours: text,
      fdb: text,
      links: text,
      addresses: text,
      conntrack: text,
      remove: exactFields({ routes: text, neighbours: text, fdb: text, iptables: text, ip6tables: text }),
    }),
  },
  'spec',
)

const connection = exactFields(
  {
    name: text,
    from: text,
    to: text,
    protocol: oneOf('tcp', 'udp', 'sctp', 'icmp'),
    backend: { type: ['integer', 'string'] },
    seed: integer,
    size: { type: 'integer', minimum: 28, maximum: 65535 },
    df: { type: 'boolean' },
    verdict: text,
    reason: text,
    place: exactFields({ node: text, hook: text, table: text, chain: text, device: text }),
    backendReached: text,
    backends: texts,
    sourceSeen: text,
    peerSeen: text,
    passes: texts,
    policy: oneOf('allowed', 'denied', 'mixed'),
    deniedBy: text,
    nearestMiss: text,
    notes: texts,
  },
  'from',
  'to',
  'verdict',
)

export const expectation: JsonSchema = exactObjectWith(
  { spec: exactFields({ expect: listOf(connection) }, 'expect') },
  'spec',
)
