import { emptyRuleset } from '../artefact/iptables/rule.ts'
import type { NetnsState } from '../artefact/netns.ts'
import type { Machine } from '../cluster/machine.ts'
import type { Hello } from './observer-message.ts'

/** What a kernel can be given of a machine's artefacts, and by name what not: no packet that visits it is comparable. */
export interface Buildable {
  readonly state: NetnsState
  readonly lacking: readonly string[]
}

export function buildable(machine: Machine, hello: Hello): Buildable {
  const steps = [withStandIns, withoutDevices, withoutConnections, withoutIpvs, withoutNft]
  return steps.reduce<Buildable>(
    (sofar, step) => {
      const { state, lacking } = step(sofar.state, hello)
      return { state, lacking: [...sofar.lacking, ...lacking] }
    },
    { state: machine.state(), lacking: [] },
  )
}

/** A cable to nowhere holds addresses as well as a dummy device does; what is sent by it is not comparable. */
const withStandIns = (state: NetnsState, { kinds }: Hello): Buildable => ({
  state: kinds.includes('dummy')
    ? { ...state, links: state.links.map((l) => (l.kind.kind === 'dummy' ? { ...l, kind: { kind: 'physical' } } : l)) }
    : state,
  lacking: [],
})

/** Without the devices that this kernel cannot make. */
function withoutDevices(state: NetnsState, { kinds }: Hello): Buildable {
  const missing = state.links.filter((l) => kinds.includes(l.kind.kind))
  if (missing.length === 0) return { state, lacking: [] }
  const gone = new Set<string>(missing.map((l) => l.name))
  const kept = <T extends { readonly dev?: string }>(all: readonly T[]): readonly T[] =>
    all.filter((x) => !gone.has(x.dev ?? ''))
  return {
    state: {
      ...state,
      links: state.links.filter((l) => !gone.has(l.name)),
      addresses: kept(state.addresses),
      routes: kept(state.routes),
      neighbours: kept(state.neighbours),
      fdb: kept(state.fdb),
    },
    lacking: missing.map((l) => `${l.name} (a device of kind ${l.kind.kind})`),
  }
}

const withoutConnections = (state: NetnsState, { conntrack }: Hello): Buildable =>
  state.conntrack.length > 0 && !conntrack
    ? {
        state: { ...state, conntrack: [] },
        lacking: ['connections that are there before the first packet: the tool conntrack is missing'],
      }
    : { state, lacking: [] }

/** The rules go with it: some of them ask what IPVS did, which the kernel would not load. */
function withoutIpvs(state: NetnsState, { ipvs: why }: Hello): Buildable {
  const { ipvs, ...others } = state
  if (why === null || ipvs === undefined || ipvs.length === 0) return { state, lacking: [] }
  return {
    state: { ...others, iptables: { ipv4: emptyRuleset('ipv4'), ipv6: emptyRuleset('ipv6') } },
    lacking: [`IPVS (${why})`],
  }
}

function withoutNft(state: NetnsState, { nft: why }: Hello): Buildable {
  const { nftables, ...others } = state
  if (why === null || nftables === undefined || nftables.tables.length === 0) return { state, lacking: [] }
  return { state: others, lacking: [`rules of nftables (${why})`] }
}
