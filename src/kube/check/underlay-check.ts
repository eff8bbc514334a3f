import { parsePort } from '../../net/port.ts'
import type { FieldPath } from '../field-path.ts'
import type { Underlay } from '../objects/kubehop.ts'
import { checkCidr, checkIp } from './address-check.ts'
import { type Checking, report } from './report.ts'

/** Addresses, and references between the parts, of what the objects of a cluster can't say. */
export function checkUnderlays(checking: Checking): void {
  for (const underlay of checking.objects.list('Underlay')) checkUnderlay(checking, underlay)
}

function checkUnderlay(checking: Checking, underlay: Underlay): void {
  const { segments = [], routers = [], hosts = [], loadBalancers = [] } = underlay.spec
  const names = segments.map((s) => s.name)
  const segmentAt = (path: FieldPath, name: string | undefined): void => {
    if (name === undefined || names.includes(name)) return
    const expected = names.length === 0 ? 'a segment, but there is none' : `a segment (${names.join(', ')})`
    report(checking, underlay, path, 'BAD_VALUE', { expected, found: name })
  }
  segments.forEach(({ cidr, cidrs = [], blocks = [] }, i) => {
    const path = ['spec', 'segments', i]
    checkCidr(checking, underlay, [...path, 'cidr'], cidr)
    cidrs.forEach((text, j) => {
      checkCidr(checking, underlay, [...path, 'cidrs', j], text)
    })
    blocks.forEach((text, j) => {
      if (!isWhole(text)) checkTraffic(checking, underlay, [...path, 'blocks', j], text)
    })
  })
  routers.forEach(({ addresses = {}, segments: joined = [], routes = [], bgp }, i) => {
    const path = ['spec', 'routers', i]
    for (const [segment, text] of Object.entries(addresses)) {
      segmentAt([...path, 'addresses', segment], segment)
      checkIp(checking, underlay, [...path, 'addresses', segment], text)
    }
    joined.forEach((name, j) => {
      segmentAt([...path, 'segments', j], name)
    })
    routes.forEach(({ to, via }, j) => {
      if (to !== 'default') checkCidr(checking, underlay, [...path, 'routes', j, 'to'], to)
      checkIp(checking, underlay, [...path, 'routes', j, 'via'], via)
    })
    if (bgp?.routerId !== undefined) checkIp(checking, underlay, [...path, 'bgp', 'routerId'], bgp.routerId)
    bgp?.neighbors?.forEach(({ address }, j) => {
      checkBlock(checking, underlay, [...path, 'bgp', 'neighbors', j, 'address'], address)
    })
  })
  hosts.forEach(({ segment, address, listens = [] }, i) => {
    const path = ['spec', 'hosts', i]
    segmentAt([...path, 'segment'], segment)
    checkIp(checking, underlay, [...path, 'address'], address.replace(/\/\d+$/, ''))
    listens.forEach((text, j) => {
      checkTraffic(checking, underlay, [...path, 'listens', j], text)
    })
  })
  loadBalancers.forEach(({ addresses = [] }, i) => {
    addresses.forEach((text, j) => {
      checkBlock(checking, underlay, ['spec', 'loadBalancers', i, 'addresses', j], text)
    })
  })
}

/** A CIDR block or one address. */
function checkBlock(checking: Checking, underlay: Underlay, path: FieldPath, text: string): void {
  if (text.includes('/')) checkCidr(checking, underlay, path, text)
  else checkIp(checking, underlay, path, text)
}

/** A block of all of a protocol: `icmp`, `tcp`. */
const isWhole = (text: string): boolean => ['icmp', 'tcp', 'udp', 'sctp'].includes(text)

/** `udp/8472`, or `proto/4`. */
function checkTraffic(checking: Checking, underlay: Underlay, path: FieldPath, text: string): void {
  const [protocol = '', number = '', ...rest] = text.split('/')
  const known = ['tcp', 'udp', 'sctp'].includes(protocol) ? parsePort(number) : undefined
  const proto = protocol === 'proto' && /^\d{1,3}$/.test(number) && Number(number) < 256
  if (rest.length === 0 && (known !== undefined || proto)) return
  report(checking, underlay, path, 'BAD_VALUE', { expected: 'something such as udp/8472 or proto/4', found: text })
}
