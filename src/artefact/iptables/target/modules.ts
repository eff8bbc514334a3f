import type { ExtensionModule } from '../module.ts'
import type { Target } from '../rule.ts'
import { log, nflog, trace } from './log.ts'
import { connmark, mark } from './mark.ts'
import { dnat, masquerade, redirect, snat } from './nat.ts'
import { checksum, ct, notrack, setTarget, tcpmss } from './packet.ts'
import { reject } from './reject.ts'
import type { TargetModule } from './target-module.ts'

const verdict = <K extends 'accept' | 'drop' | 'return'>(kind: K, name: string): TargetModule<K> => ({
  names: [name],
  options: {},
  read: () => ({ kind }) as ReturnType<TargetModule<K>['read']>,
  write: () => '',
})

type ExtensionKind = Exclude<Target['kind'], 'jump' | 'goto' | 'unknown'>

const modules: { readonly [K in ExtensionKind]: TargetModule<K> } = {
  accept: verdict('accept', 'ACCEPT'),
  drop: verdict('drop', 'DROP'),
  return: verdict('return', 'RETURN'),
  reject,
  dnat,
  snat,
  masquerade,
  redirect,
  mark,
  connmark,
  notrack,
  ct,
  log,
  nflog,
  trace,
  checksum,
  tcpmss,
  'set-add': setTarget,
  'set-del': setTarget,
}

const byName = new Map<string, ExtensionModule<Target>>(
  Object.values(modules).flatMap((m) => m.names.map((name) => [name, m as ExtensionModule<Target>] as const)),
)

export const targetModule = (name: string): ExtensionModule<Target> | undefined => byName.get(name)

/** Target extensions that exist and whose arguments are kept as they stand. Any other name after `-j` is a chain. */
export const otherTargets: ReadonlySet<string> = new Set([
  'AUDIT',
  'CLASSIFY',
  'CLUSTERIP',
  'CONNSECMARK',
  'DNPT',
  'DSCP',
  'ECN',
  'HL',
  'HMARK',
  'IDLETIMER',
  'LED',
  'NETMAP',
  'NFQUEUE',
  'QUEUE',
  'RATEEST',
  'SECMARK',
  'SNPT',
  'SYNPROXY',
  'TCPOPTSTRIP',
  'TEE',
  'TOS',
  'TPROXY',
  'TTL',
  'ULOG',
])

/** `-j NAME ARGUMENTS`, or `-g CHAIN`. */
export function formatTarget(target: Target): string {
  if (target.kind === 'goto') return `-g ${target.chain}`
  if (target.kind === 'jump') return `-j ${target.chain}`
  if (target.kind === 'unknown') return `-j ${target.name}${target.text === '' ? '' : ` ${target.text}`}`
  const module = modules[target.kind] as ExtensionModule<Target>
  const text = module.write(target)
  return `-j ${module.names[0] ?? ''}${text === '' ? '' : ` ${text}`}`
}
