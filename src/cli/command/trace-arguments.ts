import type { Argv } from '../argv.ts'
import { type CommonArguments, number, type Raw, text } from '../common-arguments.ts'

export interface TraceArguments extends CommonArguments {
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
}

export const traceUsage = ['trace <from> <to>', 'follow one connection, request and reply'] as const

export const traceOptions = (y: Argv) =>
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
    .example('$0 trace external node/node-a:30080 -f shop.yaml', 'from outside to a node port')

export const traceArguments = (args: Raw, common: CommonArguments): TraceArguments => ({
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
})
