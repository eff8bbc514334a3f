import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { formatRuleset } from '../artefact/iptables/print.ts'
import type { NetnsState } from '../artefact/netns.ts'
import { formatNft } from '../artefact/nft/print.ts'
import { emptyNft } from '../artefact/nft/ruleset.ts'

/** Addresses and ports that the packets of one burst go round. */
export type Burst = readonly (readonly [address: string, port: number])[]

export interface KernelTimes {
  readonly loadMs: number
  /** For each burst, nanoseconds a packet, sending and forwarding included: median of rounds in which they alternate. */
  readonly ns: readonly number[]
  /** The same for the bare bursts, before any rule was loaded. */
  readonly bareNs: readonly number[]
}

const program = join(import.meta.dirname, 'lookup_timer.py')
const rounds = 5
const packets = 400
const mostSeconds = 300

/** Without root only small rule sets load: a socket's buffer may not grow in a user namespace. */
const own = process.getuid?.() === 0 ? ['-nm'] : ['-Urnm', '--map-root-user']

/** New connections through the running kernel with these rules, in namespaces that end with the measurement. */
export function timeKernel(
  state: NetnsState,
  bursts: readonly Burst[],
  bare: readonly Burst[],
): KernelTimes | { readonly failed: string } {
  if (state.ipvs && state.ipvs.length > 0) return { failed: 'IPVS mode is not measured in the kernel' }
  const input = JSON.stringify({ load: loadCommands(state), rounds, packets, bursts, bare })
  const { status, stdout, stderr, error } = spawnSync('unshare', [...own, 'python3', '-I', program], {
    input,
    encoding: 'utf8',
    timeout: mostSeconds * 1000,
    maxBuffer: 2 ** 26,
  })
  if (error) return { failed: `unshare: ${error.message}` }
  return status === 0
    ? (JSON.parse(stdout) as KernelTimes)
    : { failed: stderr.trim() || `it ended with status ${status}` }
}

const loadCommands = ({ iptables, nftables = emptyNft }: NetnsState): readonly unknown[] => [
  ...(iptables.ipv4.tables.length > 0 ? [[['iptables-restore'], formatRuleset(iptables.ipv4)]] : []),
  ...(nftables.tables.length > 0 ? [[['nft', '-f', '-'], formatNft(nftables)]] : []),
]
