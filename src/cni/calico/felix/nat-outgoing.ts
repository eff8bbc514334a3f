import type { Family } from '../../../net/ip.ts'
import { setName } from '../names.ts'
import { type FelixChain, type FelixRule, inSet, jumpTo, notInSet } from './rule.ts'

export interface NatOutgoing {
  readonly family: Family
  /** Whether any pool asks for it. */
  readonly active: boolean
  /** `network-ip-pools`, up to 3.30 `all-ipam-pools`. */
  readonly poolSet: string
  readonly excludesHosts: boolean
  /** SNAT to this address instead of the device's own. */
  readonly address: string | undefined
  /** `first:last`. */
  readonly ports: string | undefined
  /** Only what leaves by this device. */
  readonly outInterface: string | undefined
  readonly randomFully: boolean
}

/** What pods of a pool with natOutgoing send to anything outside every pool gets the node's address. */
export function natOutgoingChain(nat: NatOutgoing): FelixChain {
  return { name: 'cali-nat-outgoing', rules: nat.active ? rules(nat) : [] }
}

function rules(nat: NatOutgoing): readonly FelixRule[] {
  const { family, ports } = nat
  const set = (id: string): string => setName(family, id)
  const base = [
    inSet(set('masq-ipam-pools'), 'src'),
    notInSet(set(nat.poolSet), 'dst'),
    ...(nat.excludesHosts ? [notInSet(set('all-hosts-net'), 'dst')] : []),
  ].join(' ')
  const out = nat.outInterface === undefined ? '' : ` --out-interface ${nat.outInterface}`
  const withPorts =
    ports === undefined
      ? []
      : ['tcp', 'udp'].flatMap((protocol): FelixRule[] => {
          const match = `${base} -p ${protocol}${out}`
          return [
            { match, action: translation(nat, ports.replace(':', '-')) },
            { match, action: jumpTo('RETURN') },
          ]
        })
  return [...withPorts, { match: `${base}${out}`, action: translation(nat, undefined) }]
}

function translation({ address, randomFully }: NatOutgoing, ports: string | undefined): string {
  const random = randomFully ? ' --random-fully' : ''
  if (address !== undefined)
    return `--jump SNAT --to-source ${address}${ports === undefined ? '' : `:${ports}`}${random}`
  return `--jump MASQUERADE${ports === undefined ? '' : ` --to-ports ${ports}`}${random}`
}
