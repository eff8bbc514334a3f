import { formatInterfaceAddress } from '../../net/prefix.ts'
import type { SubnetEnv } from './subnet-env.ts'

export interface DockerOptsFlags {
  /** `-i`: only the single options; `-c`: only the combined one; without either, both. */
  readonly only?: 'individual' | 'combined'
  /** `-k`: name of the combined option. */
  readonly key?: string
  /** `-m`: leave `--ip-masq` out. */
  readonly withoutIpMasq?: boolean
}

/** What `mk-docker-opts.sh` makes of subnet.env. `--ip-masq` is the negation of FLANNEL_IPMASQ: one of the two does it. */
export function formatDockerOpts(env: SubnetEnv, flags: DockerOptsFlags = {}): string {
  const options: readonly (readonly [string, string])[] = [
    ...(env.subnet ? [['BIP', `--bip=${formatInterfaceAddress(env.subnet)}`] as const] : []),
    ...(flags.withoutIpMasq ? [] : [['IPMASQ', `--ip-masq=${!env.ipMasq}`] as const]),
    ['MTU', `--mtu=${env.mtu}`],
  ]
  const individual = options.map(([name, value]) => `DOCKER_OPT_${name}="${value}"`)
  const combined = `${flags.key ?? 'DOCKER_OPTS'}="${options.map(([, value]) => ` ${value}`).join('')}"`
  const lines = [...(flags.only === 'combined' ? [] : individual), ...(flags.only === 'individual' ? [] : [combined])]
  return `${lines.join('\n')}\n`
}
