import { formatPrefix, prefixFamily } from '../../net/prefix.ts'
import { type MasqueradePlan, multicast } from './masquerade.ts'

/** The two base chains of nftables mode (since v0.25.0), each as `nft list chain` prints it. */
export interface NftChains {
  readonly postrtg?: string
  readonly forward?: string
}

/**
 * pkg/trafficmngr/nftables. Not the iptables rules in other words: the mark is compared whole, and rule 4 returns for
 * whatever is not from this node's pods, so that rule 6 never matches.
 */
export function nftChains(plan: MasqueradePlan): NftChains {
  return {
    ...(plan.ipMasq ? { postrtg: listChain(plan, postrtg, masqueradeLines(plan)) } : {}),
    ...(plan.forwardRules ? { forward: listChain(plan, forward, forwardLines(plan)) } : {}),
  }
}

const postrtg = {
  name: 'postrtg',
  comment: 'chain to manage traffic masquerading by flannel',
  hook: 'type nat hook postrouting priority srcnat; policy accept;',
}
const forward = {
  name: 'forward',
  comment: 'chain to accept flannel traffic',
  hook: 'type filter hook forward priority filter; policy accept;',
}

function masqueradeLines(plan: MasqueradePlan): readonly string[] {
  const { keyword, network, subnet } = words(plan)
  const source = (text: string): string => `${keyword} saddr ${text}`
  const destination = (text: string): string => `${keyword} daddr ${text}`
  const masquerade = plan.randomFully ? 'masquerade fully-random' : 'masquerade'
  const groups = formatPrefix(multicast[prefixFamily(plan.network)])
  return [
    'meta mark 0x00004000 return',
    `${source(subnet)} ${destination(network)} return`,
    `${source(network)} ${destination(subnet)} return`,
    `${source(`!= ${subnet}`)} ${destination(network)} return`,
    `${source(network)} ${destination(`!= ${groups}`)} ${masquerade}`,
    `${source(`!= ${network}`)} ${destination(network)} ${masquerade}`,
  ]
}

function forwardLines(plan: MasqueradePlan): readonly string[] {
  const { keyword, network } = words(plan)
  return [`${keyword} saddr ${network} accept`, `${keyword} daddr ${network} accept`]
}

const words = (plan: MasqueradePlan) => ({
  keyword: prefixFamily(plan.network) === 'ipv4' ? 'ip' : 'ip6',
  network: formatPrefix(plan.network),
  subnet: formatPrefix(plan.subnet),
})

function listChain(plan: MasqueradePlan, chain: typeof postrtg, lines: readonly string[]): string {
  const { keyword } = words(plan)
  const body = [`comment "${chain.comment}"`, chain.hook, ...lines].map((line) => `\t\t${line}`)
  const table = `table ${keyword} flannel-${prefixFamily(plan.network)} {`
  return [table, `\tchain ${chain.name} {`, ...body, '\t}', '}'].join('\n')
}
