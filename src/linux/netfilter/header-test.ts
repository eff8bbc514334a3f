import { protocolName, protocolNumberOf } from '../../artefact/iptables/protocol.ts'
import type { Negatable, Rule } from '../../artefact/iptables/rule.ts'
import type { DeviceName } from '../../artefact/link.ts'
import { formatPrefix, type Prefix, prefixFamily } from '../../net/prefix.ts'
import { type AddressWords, addressWords, maskWords } from './facts.ts'
import type { RuleTest } from './rule-test.ts'

/** The conditions on the IP header and the devices, in the order in which ip_packet_match tries them. */
export function headerTests(rule: Rule): readonly RuleTest[] {
  return [
    ...(rule.source ? [addressTest('source', rule.source)] : []),
    ...(rule.destination ? [addressTest('destination', rule.destination)] : []),
    ...(rule.inInterface ? [deviceTest('in', rule.inInterface)] : []),
    ...(rule.outInterface ? [deviceTest('out', rule.outInterface)] : []),
    ...(rule.protocol ? [protocolTest(rule.protocol)] : []),
    ...(rule.fragment ? [fragmentTest(rule.fragment)] : []),
  ]
}

/** Interface patterns end in `+` for any continuation. An absent device is the empty name. */
export function deviceMatches(pattern: string, device: DeviceName | undefined): boolean {
  const name = device ?? ''
  return pattern.endsWith('+') ? name.startsWith(pattern.slice(0, -1)) : name === pattern
}

export const contains = (prefix: Prefix): ((words: AddressWords) => boolean) => {
  const [v0, v1, v2, v3] = addressWords(prefix.address)
  const [m0, m1, m2, m3] = maskWords(prefix.length, prefixFamily(prefix))
  return (w) => (w[3] & m3) === v3 && (w[2] & m2) === v2 && (w[1] & m1) === v1 && (w[0] & m0) === v0
}

function addressTest(side: 'source' | 'destination', { not, value }: Negatable<Prefix>): RuleTest {
  const inside = contains(value)
  const wanted = not !== true
  return {
    passes: (f) => inside(f[side]) === wanted,
    miss: (f) => {
      const address = side === 'source' ? f.skb.packet.src : f.skb.packet.dst
      return `${side} ${address} is ${wanted ? 'outside' : 'in'} ${formatPrefix(value)}`
    },
  }
}

function deviceTest(side: 'in' | 'out', { not, value }: Negatable<string>): RuleTest {
  const wanted = not !== true
  const word = side === 'in' ? 'incoming' : 'outgoing'
  return {
    passes: (f) => deviceMatches(value, f[side]) === wanted,
    miss: (f) => `${word} device ${f[side] ?? '(none)'} ${wanted ? 'is not' : 'is'} ${value}`,
  }
}

function protocolTest({ not, value }: Negatable<string>): RuleTest {
  const number = protocolNumberOf(value)
  const wanted = not !== true
  return {
    passes:
      number === undefined ? () => undefined : number === 0 ? () => true : (f) => (f.protocol === number) === wanted,
    miss: (f) => `protocol ${protocolName(f.protocol)} ${wanted ? 'is not' : 'is'} ${value}`,
  }
}

function fragmentTest({ not }: Negatable<true>): RuleTest {
  const wanted = not !== true
  return {
    passes: (f) => f.laterFragment === wanted,
    miss: () => (wanted ? 'it is no further fragment' : 'it is a further fragment'),
  }
}
