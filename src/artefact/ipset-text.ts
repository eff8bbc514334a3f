import type { IpSet, IpSetMember, IpSetType } from './ipset.ts'
import { ipSetTypes } from './ipset.ts'
import type { TextProblem } from './problem.ts'

/** `create NAME TYPE family inet ...` and an `add` line per member: `ipset save`. */
export const formatIpSet = (set: IpSet): string =>
  [formatCreate(set), ...set.members.map((m) => `add ${set.name} ${m.text}${m.nomatch ? ' nomatch' : ''}`)]
    .map((line) => `${line}\n`)
    .join('')

export function formatCreate({ name, type, family, options }: IpSet): string {
  const inet = type === 'bitmap:port' ? '' : ` family ${family === 'ipv4' ? 'inet' : 'inet6'}`
  return `create ${name} ${type}${inet}${options === '' ? '' : ` ${options}`}`
}

export const formatIpSets = (sets: readonly IpSet[]): string => sets.map(formatIpSet).join('')

export interface ParsedIpSets {
  /** Without the lines that have a problem. */
  readonly sets: readonly IpSet[]
  readonly problems: readonly TextProblem[]
}

/** Reads `ipset save`, or what is handed to `ipset restore`. */
export function parseIpSets(text: string): ParsedIpSets {
  const sets = new Map<string, IpSet & { readonly members: IpSetMember[] }>()
  const problems: TextProblem[] = []
  text.split('\n').forEach((raw, index) => {
    const [command, name = '', ...rest] = raw.trim().split(/\s+/)
    const bad = (found: string, expected: string): void => {
      problems.push({ line: index + 1, found, expected })
    }
    if (command === undefined || command === '' || command.startsWith('#') || command === 'COMMIT') return
    switch (command) {
      case 'create':
      case '-N': {
        const set = created(name, rest)
        if (typeof set === 'string') bad(raw.trim(), set)
        else sets.set(name, set)
        return
      }
      case 'add':
      case '-A': {
        const set = sets.get(name)
        const [member, ...options] = rest
        if (!set) bad(name, 'a set that a create line above makes')
        else if (member === undefined) bad(raw.trim(), 'add SET MEMBER')
        else set.members.push({ text: member, ...(options.includes('nomatch') ? { nomatch: true as const } : {}) })
        return
      }
      default:
        bad(raw.trim(), 'a line of ipset save: create SET TYPE ..., add SET MEMBER')
    }
  })
  return { sets: [...sets.values()], problems }
}

function created(name: string, words: readonly string[]): (IpSet & { readonly members: IpSetMember[] }) | string {
  const [type, ...rest] = words
  if (name === '' || !ipSetTypes.some((t) => t === type)) return `create NAME TYPE with one of ${ipSetTypes.join(', ')}`
  const at = rest.indexOf('family')
  const family = at >= 0 && rest[at + 1] === 'inet6' ? 'ipv6' : 'ipv4'
  const options = at < 0 ? rest : [...rest.slice(0, at), ...rest.slice(at + 2)]
  return { name, type: type as IpSetType, family, options: options.join(' '), members: [] }
}
