import type { Argv } from '../argv.ts'
import { type CommonArguments, type Raw, text } from '../common-arguments.ts'

export interface ShowArguments extends CommonArguments {
  readonly command: 'show'
  readonly what: string
  readonly node: string | undefined
  readonly pod: string | undefined
  readonly netns: string | undefined
  readonly table: string | undefined
  readonly family: 'ipv4' | 'ipv6' | undefined
}

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

export const showUsage = ['show <what>', "a namespace's artefacts in their native text"] as const

export const showOptions = (y: Argv) =>
  y
    .positional('what', { type: 'string', choices: showable, demandOption: true })
    .option('node', { type: 'string', describe: 'of this node' })
    .option('pod', { type: 'string', describe: 'of this pod, NAME[.NS]' })
    .option('netns', {
      type: 'string',
      describe: 'of any namespace by its name in a trace (router router, host external, switch lan)',
    })
    .option('table', { alias: 't', type: 'string', describe: 'only this table (iptables, routes)' })
    .option('family', { type: 'string', choices: ['ipv4', 'ipv6'] as const, describe: 'address family' })

export const showArguments = (args: Raw, common: CommonArguments): ShowArguments => ({
  ...common,
  command: 'show',
  what: text(args.what) ?? '',
  node: text(args.node),
  pod: text(args.pod),
  netns: text(args.netns),
  table: text(args.table),
  family: args.family === 'ipv4' || args.family === 'ipv6' ? args.family : undefined,
})
