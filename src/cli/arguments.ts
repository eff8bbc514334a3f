import yargs from 'yargs'
import { version } from './version.ts'

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

export type Command =
  | (CommonArguments & {
      readonly command: 'trace'
      readonly from: string
      readonly to: string
      readonly protocol: string | undefined
      readonly srcPort: number | undefined
      readonly ttl: number | undefined
      /** `1400` or `1400,1450,1500`, as written. */
      readonly size: string | undefined
      readonly after: number | undefined
      readonly df: boolean | undefined
      /** Modes of kube-proxy, whose answers are compared. */
      readonly compare: string | undefined
      readonly backend: string | undefined
      /** Where captures are written to. */
      readonly pcapDir: string | undefined
    })
  | (CommonArguments & {
      readonly command: 'get'
      readonly resources: readonly string[]
      readonly allNamespaces: boolean
      readonly selector: string | undefined
      readonly fieldSelector: string | undefined
      readonly showLabels: boolean
      readonly noHeaders: boolean
    })
  | (CommonArguments & {
      readonly command: 'show'
      readonly what: string
      readonly node: string | undefined
      readonly pod: string | undefined
      readonly netns: string | undefined
      readonly table: string | undefined
      readonly family: 'ipv4' | 'ipv6' | undefined
    })
  | (CommonArguments & {
      readonly command: 'resolve'
      readonly name: string
      readonly from: string | undefined
      readonly type: string | undefined
    })
  | (CommonArguments & {
      readonly command: 'policy'
      /** One, or none, where `--from-labels` or `--to-labels` takes its place. */
      readonly ends: readonly string[]
      readonly protocol: string | undefined
      readonly fromLabels: string | undefined
      readonly fromNamespace: string | undefined
      readonly toLabels: string | undefined
      readonly toNamespace: string | undefined
      readonly toPort: number | undefined
    })
  | (CommonArguments & {
      readonly command: 'matrix'
      readonly group: 'pod' | 'workload' | 'namespace' | undefined
      readonly method: 'policy' | 'dataplane'
      readonly ports: string | undefined
      readonly protocol: string | undefined
      readonly outside: readonly string[]
      readonly fromSelector: string | undefined
      readonly toSelector: string | undefined
      readonly selector: string | undefined
      readonly allNamespaces: boolean
      readonly namespaceGiven: boolean
      readonly compare: readonly string[]
    })
  | (CommonArguments & { readonly command: 'check'; readonly paths: readonly string[] })
  | (CommonArguments & {
      readonly command: 'lab'
      readonly action: 'script' | 'verify'
      readonly from: string | undefined
      readonly to: string | undefined
      readonly protocol: string | undefined
      readonly ttl: number | undefined
      /** Bytes of the whole packet. */
      readonly size: number | undefined
      readonly fragment: boolean
      readonly random: number | undefined
      readonly clusters: number | undefined
      readonly run: string
      readonly remove: boolean
    })

export type ParsedArguments =
  | { readonly kind: 'command'; readonly command: Command }
  /** Help, version or a completion script: text for standard output. */
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'version'; readonly verbose: boolean }
  | { readonly kind: 'usage'; readonly message: string }

export const showable = [
  'links',
  'addresses',
  'routes',
  'rules',
  'neighbours',
  'fdb',
  'iptables',
  'ip6tables',
  'nft',
  'ipvs',
  'ipset',
  'bgp',
  'sysctl',
  'conntrack',
  'sockets',
] as const

function parser(): ReturnType<typeof yargs> {
  return yargs()
    .scriptName('kubehop')
    .usage(
      '$0 COMMAND -f MANIFESTS\n\nWhat happens to this packet? Follows packets through a Kubernetes cluster, offline.',
    )
    .exitProcess(false)
    .parserConfiguration({ 'boolean-negation': false, 'dot-notation': false, 'parse-positional-numbers': false })
    .command('trace <from> <to>', 'follow one connection, request and reply', (y) =>
      y
        .positional('from', {
          type: 'string',
          describe: 'pod/NAME[.NS], deploy/NAME, node/NAME, an address, or external',
          demandOption: true,
        })
        .positional('to', {
          type: 'string',
          describe: 'pod, svc, deploy or node with :PORT or :PORTNAME, an address, a DNS name, or external',
          demandOption: true,
        })
        .option('protocol', { type: 'string', describe: 'tcp, udp, sctp or icmp (default: the port says, else tcp)' })
        .option('src-port', { type: 'number', describe: 'source port (default: chosen by the seed)' })
        .option('ttl', { type: 'number', describe: 'TTL that the packet starts with (default 64)' })
        .option('after', {
          type: 'number',
          describe: 'seconds since the client made such a connection (session affinity)',
        })
        .option('size', {
          type: 'string',
          describe: 'bytes of the IP packet (TCP: of the first segment of data); several, 1400,1450,1500, for a sweep',
        })
        .option('df', { type: 'boolean', describe: "set Don't Fragment (default)" })
        .option('no-df', { type: 'boolean', describe: "clear Don't Fragment", conflicts: 'df' })
        .option('compare', {
          type: 'string',
          describe: 'modes of kube-proxy, as iptables,ipvs,nftables: prints where their answers differ',
        })
        .option('backend', { type: 'string', describe: 'N-th endpoint, its name, or all (default: drawn by the seed)' })
        .option('pcap-dir', {
          type: 'string',
          describe: 'directory for captures, one file per device on the way (with any output)',
        })
        .example('$0 trace deploy/frontend svc/cart:7070 -f shop.yaml', 'from any frontend pod to a Service')
        .example('$0 trace external node/node-a:30080 -f shop.yaml', 'from outside to a node port'),
    )
    .command('policy [ends..]', 'which policies decide about a connection, and why: FROM TO', (y) =>
      y
        .positional('ends', { type: 'string', array: true, describe: 'FROM and TO, as in trace', default: [] })
        .option('protocol', { type: 'string', describe: 'tcp, udp, sctp or icmp (default: the port says, else tcp)' })
        .option('from-labels', { type: 'string', describe: 'labels of a pod that does not exist, in place of FROM' })
        .option('from-namespace', { type: 'string', describe: 'its namespace (default: that of -n)' })
        .option('to-labels', { type: 'string', describe: 'labels of a pod that does not exist, in place of TO' })
        .option('to-namespace', { type: 'string', describe: 'its namespace (default: that of -n)' })
        .option('to-port', { type: 'number', describe: 'the port of that pod' })
        .example('$0 policy deploy/frontend svc/cart:7070 -f shop.yaml', 'may the frontend open it, and by which rule')
        .example(
          '$0 policy --from-labels app=new --from-namespace shop svc/cart:7070 -f shop.yaml',
          'what would a pod that is not there yet reach',
        ),
    )
    .command('matrix', 'who reaches whom', (y) =>
      y
        .option('group', {
          type: 'string',
          choices: ['pod', 'workload', 'namespace'] as const,
          describe: 'what a row is (default: workload)',
        })
        .option('method', {
          type: 'string',
          choices: ['policy', 'dataplane'] as const,
          default: 'policy' as const,
          describe: 'what the policies mean, or every cell traced through the data plane',
        })
        .option('ports', {
          type: 'string',
          describe: 'such as 80,443/tcp,53/udp,dns (default: what the destination declares)',
        })
        .option('protocol', { type: 'string', describe: 'of ports that name none (default tcp)' })
        .option('outside', {
          type: 'string',
          array: true,
          nargs: 1,
          default: [],
          describe: 'address or CIDR outside, or none; repeatable (default: external)',
        })
        .option('selector', { alias: 'l', type: 'string', describe: 'label selector of pods, both ways' })
        .option('from', { type: 'string', describe: 'label selector of the pods that open connections' })
        .option('to', { type: 'string', describe: 'label selector of the pods that take them' })
        .option('all-namespaces', { alias: 'A', type: 'boolean', default: false, describe: 'whatever -n says' })
        .option('compare', {
          type: 'string',
          array: true,
          nargs: 1,
          default: [],
          describe: 'other manifests: tell what differs there; repeatable',
        })
        .example('$0 matrix -f shop.yaml', 'workloads against each other and the outside')
        .example('$0 matrix -f old/ --compare new/', 'what becomes reachable, and what unreachable'),
    )
    .command('get <resources..>', 'objects as the store holds them, in kubectl columns', (y) =>
      y
        .positional('resources', {
          type: 'string',
          array: true,
          describe: 'KIND [NAME...], KIND/NAME, KIND,KIND or all',
          demandOption: true,
        })
        .option('all-namespaces', { alias: 'A', type: 'boolean', default: false, describe: 'of all namespaces' })
        .option('selector', { alias: 'l', type: 'string', describe: 'label selector' })
        .option('field-selector', { type: 'string', describe: 'field selector' })
        .option('show-labels', { type: 'boolean', default: false, describe: 'a column with labels' })
        .option('no-headers', { type: 'boolean', default: false, describe: 'rows only' }),
    )
    .command('show <what>', "a namespace's artefacts in their native text", (y) =>
      y
        .positional('what', { type: 'string', choices: showable, demandOption: true })
        .option('node', { type: 'string', describe: 'of this node' })
        .option('pod', { type: 'string', describe: 'of this pod, NAME[.NS]' })
        .option('netns', {
          type: 'string',
          describe: 'of any namespace by its name in a trace (router router, host external, switch lan)',
        })
        .option('table', { alias: 't', type: 'string', describe: 'only this table (iptables, routes)' })
        .option('family', { type: 'string', choices: ['ipv4', 'ipv6'] as const, describe: 'address family' }),
    )
    .command('resolve <name>', 'what DNS answers, and every name tried on the way', (y) =>
      y
        .positional('name', { type: 'string', describe: 'as an application would write it', demandOption: true })
        .option('from', { type: 'string', describe: 'pod/NAME[.NS], or a workload: whose resolver asks' })
        .option('type', { type: 'string', describe: 'A, AAAA, SRV or CNAME (default: A and AAAA)' }),
    )
    .command('check [paths..]', 'run the Expectations in files and directories', (y) =>
      y.positional('paths', { type: 'string', array: true, describe: 'manifests with Expectations', default: [] }),
    )
    .command('lab <action> [from] [to]', 'the cluster as real network namespaces: printed, or built and probed', (y) =>
      y
        .positional('action', {
          type: 'string',
          choices: ['script', 'verify'] as const,
          describe: 'script: print a shell script that builds it; verify: build it, send packets, compare',
          demandOption: true,
        })
        .positional('from', { type: 'string', describe: 'as for trace (verify; default: the Expectations)' })
        .positional('to', { type: 'string', describe: 'as for trace' })
        .option('protocol', { type: 'string', describe: 'tcp, udp or icmp' })
        .option('ttl', { type: 'number', describe: 'TTL that the packet starts with' })
        .option('size', { type: 'number', describe: 'bytes of the whole packet (udp, icmp)' })
        .option('fragment', { type: 'boolean', default: false, describe: "without Don't Fragment" })
        .option('random', { type: 'number', describe: 'so many random probes, by the seed' })
        .option('clusters', { type: 'number', describe: 'in so many random clusters, in place of the input' })
        .option('run', { type: 'string', default: 'lab', describe: 'part of every namespace name (script)' })
        .option('remove', { type: 'boolean', default: false, describe: 'print the script that removes it' }),
    )
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
      describe: 'text, minimal, json, json-lines, pcap, pcapng, html, svg, mermaid, dot (trace); wide, yaml, json, name, env (get); text, json (resolve)',
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
    .completion('completion', 'print a completion script for bash or zsh')
    .strict()
    .demandCommand(1, 'a command is missing')
    .help()
    .alias('help', 'h')
    .version(version)
    .wrap(Math.min(120, process.stdout.columns ?? 100))
}

/** Turns the words after the program's name into a command, or into what to print instead. */
export async function parseArguments(argv: readonly string[]): Promise<ParsedArguments> {
  if (argv.includes('--version') && !argv.includes('--'))
    return { kind: 'version', verbose: argv.some((a) => a === '-v' || a === '--verbose' || a === '-vv') }
  let failure: string | undefined
  let printed = ''
  const args = await parser()
    .fail((message, error) => {
      failure = message ?? error?.message ?? 'wrong arguments'
    })
    .parseAsync(withStandardInput(argv), {}, (_error, _argv, output) => {
      printed = output
    })
  if (failure !== undefined) return { kind: 'usage', message: failure }
  if (printed !== '') return { kind: 'text', text: printed.endsWith('\n') ? printed : `${printed}\n` }
  return toCommand(args as Readonly<Record<string, unknown>> & { readonly _: readonly (string | number)[] })
}

/** yargs takes a lone `-` after an option for a missing value. */
const withStandardInput = (argv: readonly string[]): string[] =>
  argv.flatMap((word, i) => {
    if (word === '-' && ['-f', '--filename'].includes(argv[i - 1] ?? '')) return []
    return argv[i + 1] === '-' && ['-f', '--filename'].includes(word) ? ['--filename=-'] : [word]
  })

type Raw = Readonly<Record<string, unknown>> & { readonly _: readonly (string | number)[] }

function toCommand(args: Raw): ParsedArguments {
  const numbers = ['seed', 'srcPort', 'ttl', 'size', 'random', 'clusters'].filter(
    // `trace --size` is a list, and text.
    (k) => typeof args[k] === 'number' && !Number.isInteger(args[k]),
  )
  const [wrong] = numbers
  if (wrong !== undefined)
    return { kind: 'usage', message: `--${wrong === 'srcPort' ? 'src-port' : wrong} takes a whole number` }
  const common: CommonArguments = {
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
  }
  switch (args._[0]) {
    case 'trace':
      return {
        kind: 'command',
        command: {
          ...common,
          command: 'trace',
          from: text(args.from) ?? '',
          to: text(args.to) ?? '',
          protocol: text(args.protocol),
          srcPort: number(args.srcPort),
          ttl: number(args.ttl),
          size: text(args.size),
          after: number(args.after),
          df: args.noDf === true ? false : args.df === true ? true : undefined,
          compare: text(args.compare),
          backend: text(args.backend),
          pcapDir: text(args.pcapDir),
        },
      }
    case 'policy':
      return {
        kind: 'command',
        command: {
          ...common,
          command: 'policy',
          ends: texts(args.ends),
          protocol: text(args.protocol),
          fromLabels: text(args.fromLabels),
          fromNamespace: text(args.fromNamespace),
          toLabels: text(args.toLabels),
          toNamespace: text(args.toNamespace),
          toPort: number(args.toPort),
        },
      }
    case 'matrix':
      return {
        kind: 'command',
        command: {
          ...common,
          command: 'matrix',
          group:
            args.group === 'pod' || args.group === 'workload' || args.group === 'namespace' ? args.group : undefined,
          method: args.method === 'dataplane' ? 'dataplane' : 'policy',
          ports: text(args.ports),
          protocol: text(args.protocol),
          outside: texts(args.outside),
          fromSelector: text(args.from),
          toSelector: text(args.to),
          selector: text(args.selector),
          allNamespaces: args.allNamespaces === true,
          namespaceGiven: args.namespace !== undefined,
          compare: texts(args.compare),
        },
      }
    case 'get':
      return {
        kind: 'command',
        command: {
          ...common,
          command: 'get',
          resources: texts(args.resources),
          allNamespaces: args.allNamespaces === true,
          selector: text(args.selector),
          fieldSelector: text(args.fieldSelector),
          showLabels: args.showLabels === true,
          noHeaders: args.noHeaders === true,
        },
      }
    case 'show':
      return {
        kind: 'command',
        command: {
          ...common,
          command: 'show',
          what: text(args.what) ?? '',
          node: text(args.node),
          pod: text(args.pod),
          netns: text(args.netns),
          table: text(args.table),
          family: args.family === 'ipv4' || args.family === 'ipv6' ? args.family : undefined,
        },
      }
    case 'resolve':
      return {
        kind: 'command',
        command: {
          ...common,
          command: 'resolve',
          name: text(args.name) ?? '',
          from: text(args.from),
          type: text(args.type),
        },
      }
    case 'check':
      return { kind: 'command', command: { ...common, command: 'check', paths: texts(args.paths) } }
    case 'lab':
      return {
        kind: 'command',
        command: {
          ...common,
          command: 'lab',
          action: args.action === 'verify' ? 'verify' : 'script',
          from: text(args.from),
          to: text(args.to),
          protocol: text(args.protocol),
          ttl: number(args.ttl),
          size: number(args.size),
          fragment: args.fragment === true,
          random: number(args.random),
          clusters: number(args.clusters),
          run: text(args.run) ?? 'lab',
          remove: args.remove === true,
        },
      }
    default:
      return { kind: 'usage', message: `no command is called ${String(args._[0] ?? '')}` }
  }
}

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
const number = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined)
const texts = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.map(String) : typeof value === 'string' ? [value] : []
const proxyMode = (value: unknown): CommonArguments['proxyMode'] =>
  value === 'iptables' || value === 'ipvs' || value === 'nftables' ? value : undefined
