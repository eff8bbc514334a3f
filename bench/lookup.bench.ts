import { bench, describe } from 'vitest'
import type { Chain } from '../src/artefact/iptables/rule.ts'
import { serviceIp, servicePort, syntheticCluster } from '../src/cli/bench/synthetic-cluster.ts'
import { nodeNetns } from '../src/cluster/machine.ts'
import { nextByWalk, nextIndexed } from '../src/linux/netfilter/chain-index.ts'
import { type CompiledChain, compileChain } from '../src/linux/netfilter/compile-chain.ts'
import { addressWords, type Facts } from '../src/linux/netfilter/facts.ts'
import { ip } from '../src/net/ip.ts'

const sizes = [100, 5000, 20_000]
const lookups = 65_536

/** KUBE-SERVICES alone: the same look-up compiled, rule by rule, and the chain compiled again after one Service is gone. */
describe.each(sizes)('KUBE-SERVICES of %i Services', (services) => {
  const chain = kubeServices(services)
  const compiled = compileChain(chain, 'ipv4')
  const packets = Array.from({ length: lookups }, (_, i) => factsTo(serviceIp((i * 7919) % services)))
  const last = factsTo(serviceIp(services - 1))
  let at = 0
  report(`compiled, random Services, ${services}`, lookups, () => {
    for (const packet of packets) at += indexed(compiled, packet)
  })
  report(`rule by rule, the last Service, ${services}`, chain.rules.length * 10, () => {
    for (let i = 0; i < 10; i++) at += nextByWalk(compiled.sieve, 0, last)
  })
  report(`compiled again, one Service gone, ${services}`, 1, () => {
    compileChain({ ...chain, rules: chain.rules.toSpliced(services >> 1, 1) }, 'ipv4', chain)
  })
  if (at < 0) throw new Error('a position is below zero')
})

/** The last line of each is what counts: nanoseconds for each of `units`, the best of the rounds. */
function report(name: string, units: number, run: () => void): void {
  let best = Number.POSITIVE_INFINITY
  bench(
    name,
    () => {
      const start = performance.now()
      run()
      best = Math.min(best, ((performance.now() - start) * 1e6) / units)
    },
    {
      ...{ iterations: 15, warmupIterations: 3, time: 0, warmupTime: 0 },
      teardown: (_task, mode) => (mode === 'run' ? console.log(`${name}: ${best.toFixed(2)} ns`) : undefined),
    },
  )
}

const indexed = ({ index, sieve }: CompiledChain, packet: Facts): number =>
  index ? nextIndexed(index, sieve, 0, packet) : nextByWalk(sieve, 0, packet)

const factsTo = (address: string): Facts =>
  ({
    sourceWord: addressWords(ip('10.244.0.250'))[3],
    destinationWord: addressWords(ip(address))[3],
    protocol: 6,
    dstPort: servicePort,
  }) as Facts

function kubeServices(services: number): Chain {
  const { cluster } = syntheticCluster({ services, endpoints: 1, mode: 'iptables' })
  const state = cluster.network().machines.get(nodeNetns('node-0'))?.state()
  const nat = state?.iptables.ipv4.tables.find((t) => t.name === 'nat')
  const chain = nat?.chains.find((c) => c.name === 'KUBE-SERVICES')
  if (!chain) throw new Error('no KUBE-SERVICES')
  return chain
}
