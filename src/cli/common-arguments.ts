import type { Argv } from './argv.ts'

/** Options of every command, as parsed. */
export interface CommonArguments {
  readonly filename: readonly string[]
  /** Manifests applied over the others. */
  readonly apply: readonly string[]
  readonly namespace: string
  readonly output: string | undefined
  readonly seed: number
  readonly color: 'auto' | 'always' | 'never'
  readonly quiet: boolean
  readonly verbose: number
  readonly podNetwork: string | undefined
  readonly serviceNetwork: string | undefined
  readonly kubeVersion: string | undefined
  readonly proxyMode: 'iptables' | 'ipvs' | 'nftables' | undefined
}

/** As yargs leaves them, names in camel case. */
export type Raw = Readonly<Record<string, unknown>> & { readonly _: readonly (string | number)[] }

/** Options that every command takes. */
export const commonOptions = <T>(y: Argv<T>) =>
  y
    .option('filename', {
      alias: 'f',
      type: 'string',
      array: true,
      nargs: 1,
      default: [],
      describe: 'manifest, directory of manifests, or - for standard input; repeatable',
    })
    .option('apply', {
      type: 'string',
      array: true,
      nargs: 1,
      default: [],
      describe: 'manifests applied over the input: they replace objects of the same name; repeatable',
    })
    .option('namespace', {
      alias: 'n',
      type: 'string',
      defaultDescription: 'default',
      describe: 'namespace of names that give none',
    })
    .option('output', {
      alias: 'o',
      type: 'string',
      describe:
        'text, minimal, json, json-lines, pcap, pcapng, html, svg, mermaid, dot (trace); wide, yaml, json, name, env (get); text, json (resolve)',
    })
    .option('seed', { type: 'number', default: 1, describe: 'for everything that chance decides' })
    .option('pod-network', { type: 'string', describe: 'pod networks, comma-separated (default: from the objects)' })
    .option('service-network', {
      type: 'string',
      describe: 'service networks, comma-separated (default: from the objects)',
    })
    .option('kube-version', {
      type: 'string',
      describe: 'Kubernetes version, as 1.34 (default: from the objects, else the newest known)',
    })
    .option('proxy-mode', {
      type: 'string',
      choices: ['iptables', 'ipvs', 'nftables'] as const,
      describe: "kube-proxy's mode (default: from the objects, else iptables)",
    })
    .option('color', {
      type: 'string',
      choices: ['auto', 'always', 'never'] as const,
      default: 'auto',
      describe: 'colours',
    })
    .option('quiet', { alias: 'q', type: 'boolean', default: false, describe: 'one line per hop' })
    .option('verbose', { alias: 'v', type: 'count', describe: 'more detail; -vv every rule' })

export const commonArguments = (args: Raw): CommonArguments => ({
  filename: texts(args.filename),
  apply: texts(args.apply),
  namespace: text(args.namespace) ?? 'default',
  output: text(args.output),
  seed: Number(args.seed),
  color: args.color === 'always' || args.color === 'never' ? args.color : 'auto',
  quiet: args.quiet === true,
  verbose: Number(args.verbose ?? 0),
  podNetwork: text(args.podNetwork),
  serviceNetwork: text(args.serviceNetwork),
  kubeVersion: text(args.kubeVersion),
  proxyMode: proxyMode(args.proxyMode),
})

/** Of an option given more than once the last counts, as with kubectl. */
const last = (value: unknown): unknown => (Array.isArray(value) ? value.at(-1) : value)
export const text = (value: unknown): string | undefined => {
  const given = last(value)
  return typeof given === 'string' ? given : undefined
}
export const number = (value: unknown): number | undefined => {
  const given = last(value)
  return typeof given === 'number' ? given : undefined
}
export const texts = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.map(String) : typeof value === 'string' ? [value] : []
const proxyMode = (value: unknown): CommonArguments['proxyMode'] =>
  value === 'iptables' || value === 'ipvs' || value === 'nftables' ? value : undefined
