import { compareIps, type Ip, ipToBigInt } from '../../net/ip.ts'
import {
  formatPrefix,
  type Prefix,
  prefixContains,
  prefixCovers,
  prefixesOverlap,
  prefixFamily,
} from '../../net/prefix.ts'
import type { FieldPath } from '../field-path.ts'
import type { Node } from '../objects/node.ts'
import { formatRef } from '../problem.ts'
import { checkCidr, checkIp } from './address-check.ts'
import { type Checking, placeOf, refTo, report } from './report.ts'

interface Block {
  readonly node: Node
  readonly path: FieldPath
  readonly cidr: Prefix
}

/** Who has an InternalIP. */
interface Owner {
  readonly node: Node
  readonly path: FieldPath
}

/** Addresses and podCIDRs of nodes, each on its own and among each other. */
export function checkNodes(checking: Checking): void {
  const blocks: Block[] = []
  const owners = new Map<Ip, Owner>()
  for (const node of checking.objects.list('Node')) {
    checkNodeAddresses(checking, node, owners)
    for (const block of podCidrsOf(checking, node)) {
      blocks.push(block)
      checkInside(checking, block)
    }
  }
  checkOverlaps(checking, blocks)
}

function checkNodeAddresses(checking: Checking, node: Node, owners: Map<Ip, Owner>): void {
  node.status?.addresses?.forEach(({ type, address }, i) => {
    if (type !== 'InternalIP' && type !== 'ExternalIP') return
    const path = ['status', 'addresses', i, 'address']
    const ip = checkIp(checking, node, path, address)
    if (!ip || type !== 'InternalIP') return
    const owner = owners.get(ip)
    if (owner && owner.node !== node) reportTaken(checking, node, path, ip, owner)
    else owners.set(ip, { node, path })
    const inside = [
      ...checking.settings.podNetworks.map((network) => ({ network, of: 'pod' as const })),
      ...checking.settings.serviceNetworks.map((network) => ({ network, of: 'service' as const })),
    ].find(({ network }) => prefixContains(network, ip))
    if (inside)
      report(checking, node, path, 'NODE_IP_INSIDE', { ip, network: formatPrefix(inside.network), of: inside.of })
  })
}

function reportTaken(checking: Checking, node: Node, path: FieldPath, ip: Ip, owner: Owner): void {
  const by = formatRef(refTo(owner.node))
  report(checking, node, path, 'ADDRESS_TAKEN', { ip, by, at: placeOf(checking.objects, owner.node, owner.path) })
}

/** `podCIDR` is the first of `podCIDRs`; older dumps have it alone. */
function podCidrsOf(checking: Checking, node: Node): readonly Block[] {
  const { podCIDR, podCIDRs } = node.spec ?? {}
  const fields: readonly (readonly [FieldPath, string | undefined])[] = podCIDRs?.length
    ? podCIDRs.map((text, i) => [['spec', 'podCIDRs', i], text] as const)
    : [[['spec', 'podCIDR'], podCIDR]]
  return fields.flatMap(([path, text]) => {
    const cidr = checkCidr(checking, node, path, text)
    return cidr ? [{ node, path, cidr }] : []
  })
}

function checkInside(checking: Checking, { node, path, cidr }: Block): void {
  const networks = checking.settings.podNetworks.filter((n) => prefixFamily(n) === prefixFamily(cidr))
  if (networks.length === 0 || networks.some((n) => prefixCovers(n, cidr))) return
  const args = { cidr: formatPrefix(cidr), networks: networks.map(formatPrefix) }
  report(checking, node, path, 'POD_CIDR_OUTSIDE', args)
}

/** Sorted by address, wider first, a block overlaps another only if it overlaps one whose end was the farthest so far. */
function checkOverlaps(checking: Checking, blocks: readonly Block[]): void {
  const sorted = blocks.toSorted((a, b) => compareIps(a.cidr.address, b.cidr.address) || a.cidr.length - b.cidr.length)
  let widest: Block | undefined
  for (const block of sorted) {
    if (widest && prefixesOverlap(widest.cidr, block.cidr)) reportOverlap(checking, widest, block)
    if (!widest || endOf(block.cidr) > endOf(widest.cidr) || !sameFamily(widest.cidr, block.cidr)) widest = block
  }
}

const sameFamily = (a: Prefix, b: Prefix): boolean => prefixFamily(a) === prefixFamily(b)
const endOf = (p: Prefix): bigint =>
  ipToBigInt(p.address) + (1n << BigInt((prefixFamily(p) === 'ipv4' ? 32 : 128) - p.length))

/** Of the two, the node that came later is told. */
function reportOverlap(checking: Checking, a: Block, b: Block): void {
  const nodes = checking.objects.list('Node')
  const [first, second] = nodes.indexOf(a.node) <= nodes.indexOf(b.node) ? [a, b] : [b, a]
  report(checking, second.node, second.path, 'POD_CIDR_OVERLAP', {
    cidr: formatPrefix(second.cidr),
    other: formatPrefix(first.cidr),
    node: first.node.metadata.name,
    at: placeOf(checking.objects, first.node, first.path),
  })
}
