import { parseRuleset, restoreNoflush } from '../../src/artefact/iptables/parse.ts'
import { type DeviceName, defaultPortSettings, deviceName, type Link, type LinkKind } from '../../src/artefact/link.ts'
import { emptyNetns, type NetnsState } from '../../src/artefact/netns.ts'
import { runNft } from '../../src/artefact/nft/read.ts'
import { emptyNft } from '../../src/artefact/nft/ruleset.ts'
import { parseRoutes } from '../../src/artefact/route-text.ts'
import { ip } from '../../src/net/ip.ts'
import { mac, zeroMac } from '../../src/net/mac.ts'
import { parseInterfaceAddress } from '../../src/net/prefix.ts'

type Draft = { -readonly [K in keyof NetnsState]: NetnsState[K] }

/** The namespaces of a recorded lab, built from its own command lines. */
export class Lab {
  readonly spaces = new Map<string, Draft>()
  readonly wires = new Map<string, { readonly ns: string; readonly device: DeviceName }>()

  space(name: string): Draft {
    const known = this.spaces.get(name)
    if (known) return known
    const lo: Link = { name: deviceName('lo'), mac: zeroMac, mtu: 65536, up: true, kind: { kind: 'loopback' } }
    const made: Draft = { ...emptyNetns, links: [lo] }
    this.spaces.set(name, made)
    return made
  }

  /** One line of a shell or of `ip -batch`. */
  run(ns: string, line: string, files: (name: string) => string): void {
    const [program = '', ...words] = line.trim().split(/\s+/)
    if (program === 'ip') {
      this.ip(ns, words)
      return
    }
    if (program === 'bridge') {
      this.bridge(ns, words)
      return
    }
    if (program === 'sysctl') {
      this.sysctl(
        ns,
        words.filter((w) => w.includes('=')),
      )
      return
    }
    if (program === 'iptables') {
      this.iptables(ns, line)
      return
    }
    if (program === 'iptables-restore') {
      this.iptables(ns, files(words.at(-1) ?? ''))
      return
    }
    if (program === 'nft') {
      const space = this.space(ns)
      const { ruleset, problems } = runNft(space.nftables ?? emptyNft, files(words.at(-1) ?? ''))
      if (problems.length > 0) throw new Error(JSON.stringify(problems))
      space.nftables = ruleset
      return
    }
    throw new Error(`no such command in the lab: ${line}`)
  }

  iptables(ns: string, text: string): void {
    const space = this.space(ns)
    const { ruleset, problems } = restoreNoflush(space.iptables.ipv4, text)
    if (problems.length > 0) throw new Error(JSON.stringify(problems))
    space.iptables = { ...space.iptables, ipv4: ruleset }
  }

  restore(ns: string, text: string): void {
    const space = this.space(ns)
    space.iptables = { ...space.iptables, ipv4: parseRuleset(text, 'ipv4').ruleset }
  }

  sysctl(ns: string, pairs: readonly string[]): void {
    const space = this.space(ns)
    space.sysctls = { ...space.sysctls, ...Object.fromEntries(pairs.map((p) => p.split('='))) }
  }

  ip(ns: string, [object = '', verb = '', ...rest]: readonly string[]): void {
    if (object === 'link') {
      this.link(ns, verb, rest)
      return
    }
    if (object === 'addr') {
      this.address(ns, rest)
      return
    }
    if (object === 'route') {
      this.route(ns, rest)
      return
    }
    if (object === 'neigh') {
      this.neighbour(ns, verb, rest)
      return
    }
    throw new Error(`ip ${object}`)
  }

  private link(ns: string, verb: string, words: readonly string[]): void {
    const space = this.space(ns)
    if (verb === 'add') {
      this.addLink(ns, words)
      return
    }
    const name = deviceName(words[0] === 'dev' ? (words[1] ?? '') : (words[0] ?? ''))
    if (verb === 'del') {
      space.links = space.links.filter((l) => l.name !== name)
      space.addresses = space.addresses.filter((a) => a.dev !== name)
      space.routes = space.routes.filter((r) => r.dev !== name)
      space.neighbours = space.neighbours.filter((n) => n.dev !== name)
      space.fdb = space.fdb.filter((n) => n.dev !== name)
      return
    }
    space.links = space.links.map((l) => (l.name === name ? changed(l, words.slice(1)) : l))
  }

  private addLink(ns: string, words: readonly string[]): void {
    const space = this.space(ns)
    const name = deviceName(words[0] ?? '')
    const kind = after(words, 'type')
    const address =
      words.indexOf('address') < words.indexOf('peer') || !words.includes('peer') ? after(words, 'address') : undefined
    const add = (to: Draft, link: Omit<Link, 'up'>): void => {
      to.links = [...to.links, { ...link, up: false }]
    }
    const own = address && words.indexOf('address') < words.indexOf('type') ? mac(address) : generatedMac(ns, name)
    if (kind === 'veth') {
      const peer = deviceName(after(words, 'name') ?? '')
      const peerNs = after(words, 'netns') ?? ns
      add(space, { name, mac: own, mtu: 1500, kind: { kind: 'veth', peer } })
      const tail = words.slice(words.indexOf('peer'))
      const mtu = Number(after(tail, 'mtu') ?? 1500)
      add(this.space(peerNs), {
        name: peer,
        mac: mac(after(tail, 'address') ?? ''),
        mtu,
        kind: { kind: 'veth', peer: name },
      })
      this.wires.set(`${ns} ${name}`, { ns: peerNs, device: peer })
      this.wires.set(`${peerNs} ${peer}`, { ns, device: name })
      return
    }
    const made = kindOf(kind ?? '', words)
    add(space, {
      name,
      mac: made.kind === 'ipip' || made.kind === 'tun' ? zeroMac : own,
      mtu: made.kind === 'vxlan' ? 1450 : 1500,
      kind: made,
    })
  }

  private address(ns: string, words: readonly string[]): void {
    const space = this.space(ns)
    const parsed = parseInterfaceAddress(words[0] ?? '')
    if (!parsed) throw new Error(`address ${words[0]}`)
    const dev = deviceName(after(words, 'dev') ?? '')
    space.addresses = [...space.addresses, { ...parsed, dev, scope: 'global' }]
  }

  private route(ns: string, words: readonly string[]): void {
    const space = this.space(ns)
    const { entries } = parseRoutes(words.join(' '), words.some((w) => w.includes(':')) ? 'ipv6' : 'ipv4')
    const [route] = entries
    if (!route) throw new Error(`route ${words.join(' ')}`)
    const others = space.routes.filter((r) => r.dst.address !== route.dst.address || r.dst.length !== route.dst.length)
    space.routes = [...others, route]
  }

  neighbour(ns: string, verb: string, words: readonly string[]): void {
    const space = this.space(ns)
    const address = ip(words[0] ?? '')
    const dev = deviceName(after(words, 'dev') ?? '')
    space.neighbours = space.neighbours.filter((n) => n.ip !== address || n.dev !== dev)
    if (verb === 'del') return
    const entry = { ip: address, dev, mac: mac(after(words, 'lladdr') ?? ''), state: 'permanent' } as const
    space.neighbours = [...space.neighbours, entry]
  }

  bridge(ns: string, [, verb = '', ...words]: readonly string[]): void {
    const space = this.space(ns)
    const address = mac(words[0] ?? '')
    const dev = deviceName(after(words, 'dev') ?? '')
    const dst = after(words, 'dst')
    if (verb === 'del') {
      space.fdb = space.fdb.filter((e) => e.mac !== address || e.dev !== dev)
      return
    }
    const entry = dst
      ? ({ mac: address, dev, dst: ip(dst), flags: ['self', 'permanent'] } as const)
      : ({ mac: address, dev, flags: ['master', 'static'] } as const)
    space.fdb = [...space.fdb, entry]
  }
}

const after = (words: readonly string[], key: string): string | undefined => {
  const at = words.indexOf(key)
  return at < 0 ? undefined : words[at + 1]
}

function kindOf(kind: string, words: readonly string[]): LinkKind {
  if (kind === 'bridge') return { kind: 'bridge', stp: false, vlanFiltering: false }
  if (kind === 'dummy' || kind === 'tun') return { kind }
  if (kind === 'ipip') return { kind: 'ipip', local: undefined, remote: undefined }
  if (kind !== 'vxlan') throw new Error(`link type ${kind}`)
  return {
    kind: 'vxlan',
    vni: Number(after(words, 'id')),
    local: ip(after(words, 'local') ?? ''),
    dev: deviceName(after(words, 'dev') ?? ''),
    dstPort: Number(after(words, 'dstport')),
    learning: !words.includes('nolearning'),
  }
}

function changed(link: Link, words: readonly string[]): Link {
  let result = link
  const mtu = after(words, 'mtu')
  if (mtu) result = { ...result, mtu: Number(mtu) }
  const address = after(words, 'address')
  if (address) result = { ...result, mac: mac(address) }
  if (words.includes('up')) result = { ...result, up: true }
  if (words.includes('down')) result = { ...result, up: false }
  const master = after(words, 'master')
  if (master) result = { ...result, master: deviceName(master) }
  if (words.includes('nomaster')) {
    const { master: _, ...free } = result
    result = free
  }
  const hairpin = after(words, 'hairpin')
  if (hairpin) result = { ...result, port: { ...defaultPortSettings, ...result.port, hairpin: hairpin === 'on' } }
  return result
}

/** A device that was given no address has a random one; any will do. */
function generatedMac(ns: string, name: string) {
  let h = 7
  for (const c of `${ns}/${name}`) h = (Math.imul(h, 31) + c.charCodeAt(0)) >>> 0
  const octets = [0x06, 0x00, h >>> 24, h >>> 16, h >>> 8, h].map((o) => (o & 255).toString(16).padStart(2, '0'))
  return mac(octets.join(':'))
}
