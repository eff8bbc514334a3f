import { ip } from '../../../net/ip.ts'
import { present } from '../../problem.ts'
import { flagOption, type OptionReader, option, words } from '../module.ts'
import { parseFamilyIp, parseInteger } from '../value.ts'
import type { MatchModule, MatchOf } from './match-module.ts'

const operations = ['set', 'rcheck', 'update', 'remove'] as const
const fullMask = { ipv4: ip('255.255.255.255'), ipv6: ip('ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff') }

export const recent: MatchModule<'recent'> = {
  names: ['recent'],
  options: {
    set: 0,
    rcheck: 0,
    update: 0,
    remove: 0,
    seconds: 1,
    hitcount: 1,
    reap: 0,
    rttl: 0,
    name: 1,
    mask: 1,
    rsource: 0,
    rdest: 0,
  },
  read: (given) => {
    const op = readOperation(given)
    if (op === undefined) return undefined
    return present<MatchOf<'recent'>>({
      kind: 'recent',
      op,
      seconds: given.plain('seconds', parseInteger(1, 0xffffffff), 'a number of seconds, from 1'),
      reap: given.plainFlag('reap'),
      hitcount: given.plain('hitcount', parseInteger(1, 0xffffffff), 'a number of packets, from 1'),
      rttl: given.plainFlag('rttl'),
      name: given.plain('name', (text) => text, '') ?? 'DEFAULT',
      mask: given.plain('mask', parseFamilyIp(given.family), 'a netmask') ?? fullMask[given.family],
      side: given.has('rdest') ? 'destination' : 'source',
    })
  },
  write: (m) =>
    words(
      option(m.op.value, m.op, () => ''),
      m.seconds === undefined ? '' : `--seconds ${m.seconds}`,
      flagOption('reap', m.reap),
      m.hitcount === undefined ? '' : `--hitcount ${m.hitcount}`,
      flagOption('rttl', m.rttl),
      `--name ${m.name} --mask ${m.mask} ${m.side === 'source' ? '--rsource' : '--rdest'}`,
    ),
}

function readOperation(given: OptionReader): MatchOf<'recent'>['op'] | undefined {
  const [name, other] = operations.filter((op) => given.has(op))
  if (name === undefined) return given.bad('recent', 'one of --set, --rcheck, --update, --remove after -m recent')
  if (other !== undefined) return given.bad(`--${name} --${other}`, 'only one of --set, --rcheck, --update, --remove')
  return given.values(name, () => name, '')
}
