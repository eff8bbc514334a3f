import { describe, expect, test } from 'vitest'
import { rig, states, tcp } from '../netfilter/rig.ts'

const client = '10.0.0.1:40000'
const server = '10.0.0.2:80'
const nat = '*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n'

/** `>` from the client, `<` from the server; then flags, and `seq,ack,data` where they matter. */
function play(segments: string, sysctls: Record<string, string> = {}) {
  const r = rig({ v4: nat, sysctls })
  for (const segment of segments.split(' ')) {
    const [, arrow, flags = '', numbers = ''] = /^([<>])([SFRP.]*):?([\d,]*)$/.exec(segment) ?? []
    const [seq = 0, ack = 0, data = 0] = numbers === '' ? [] : numbers.split(',').map(Number)
    const more = { seq, ack, data }
    r.forward(arrow === '>' ? tcp(client, server, flags, more) : tcp(server, client, flags, more))
  }
  return {
    states: states(r),
    entry: r
      .connections()[0]
      ?.split(' ')
      .filter((_, i) => i !== 0 && i !== 2 && i !== 3)
      .join(' '),
    r,
  }
}

describe('TCP states', () => {
  test.each([
    ['a SYN alone', '>S', ['NEW'], 'SYN_SENT UNREPLIED'],
    ['a SYN sent twice is still new', '>S >S', ['NEW', 'NEW'], 'SYN_SENT UNREPLIED'],
    ['SYN and its answer', '>S <S.', ['NEW', 'ESTABLISHED'], 'SYN_RECV'],
    ['the handshake', '>S <S.:0,1 >.:1,1', ['NEW', 'ESTABLISHED', 'ESTABLISHED'], 'ESTABLISHED ASSURED'],
    ['one side closes', '>S <S. >. >F.', ['NEW', 'ESTABLISHED', 'ESTABLISHED', 'ESTABLISHED'], 'FIN_WAIT ASSURED'],
    ['both sides close', '>S <S. >. >F. <. <F. >.', ['NEW', ...Array(6).fill('ESTABLISHED')], 'TIME_WAIT ASSURED'],
    ['a closed port: the RST removes the entry', '>S <R.:0,1', ['NEW', 'ESTABLISHED'], undefined],
    [
      'a RST after the handshake',
      '>S <S. >. <R',
      ['NEW', 'ESTABLISHED', 'ESTABLISHED', 'ESTABLISHED'],
      'CLOSE ASSURED',
    ],
    ['an ACK picks up a connection', '>.', ['NEW'], 'ESTABLISHED UNREPLIED'],
    [
      'which is assured by what follows its answer',
      '>. <. >.',
      ['NEW', 'ESTABLISHED', 'ESTABLISHED'],
      'ESTABLISHED ASSURED',
    ],
    ['a SYN-ACK of nothing', '<S.', ['INVALID'], undefined],
    ['a RST of nothing', '>R', ['INVALID'], undefined],
    ['a FIN of nothing', '>F.', ['INVALID'], undefined],
    ['flags that nobody sends', '>SF', ['INVALID'], undefined],
    ['no flags at all', '>', ['INVALID'], undefined],
    ['an ACK before the SYN-ACK', '>S >.', ['NEW', 'INVALID'], 'SYN_SENT UNREPLIED'],
    ['simultaneous open', '>S <S >S. <S.', ['NEW', 'ESTABLISHED', 'ESTABLISHED', 'ESTABLISHED'], 'SYN_RECV'],
  ])('%s', (_, segments, expected, entry) => {
    const played = play(segments)
    expect({ states: played.states, entry: played.entry }).toEqual({ states: expected, entry })
  })

  test('with tcp_loose off nothing is picked up', () => {
    expect(play('>.', { 'net.netfilter.nf_conntrack_tcp_loose': '0' }).states).toEqual(['INVALID'])
  })

  test('a SYN reopens a connection in TIME_WAIT', () => {
    const { states, entry, r } = play('>S <S. >. >F. <. <F. >. >S')
    expect({ last: states.at(-1), entry }).toEqual({ last: 'NEW', entry: 'SYN_SENT UNREPLIED' })
    expect(r.events.some((e) => e.kind === 'conntrack-destroy' && e.why === 'reopened')).toBe(true)
  })

  test('a SYN within an established connection passes without effect, and its confirmation starts over', () => {
    const { entry } = play('>S:100 <S.:900,101 >.:101,901 >S:5000 <S.:7000,5001')
    expect(entry).toBe('SYN_RECV ASSURED')
  })
})

describe('sequence numbers', () => {
  test.each([
    ['an acknowledgement of data never sent', '>S:100 <S.:900,101 >.:101,999', 'INVALID'],
    ['an acknowledgement of what was sent', '>S:100 <S.:900,101 >.:101,901 >P.:101,901,50 <.:901,151', 'ESTABLISHED'],
    ['one byte more than was sent', '>S:100 <S.:900,101 >.:101,901 >P.:101,901,50 <.:901,152', 'INVALID'],
    [
      'numbers that wrap around',
      '>S:4294967295 <S.:4294967290,0 >.:0,4294967291 >P.:0,4294967291,9 <.:4294967291,9',
      'ESTABLISHED',
    ],
    ['a RST from before what was acknowledged', '>S:100 <S.:900,101 >.:101,901 <R:850', 'INVALID'],
  ])('%s', (_, segments, last) => {
    expect(play(segments).states.at(-1)).toBe(last)
  })

  test('are not judged with tcp_be_liberal', () => {
    const liberal = { 'net.netfilter.nf_conntrack_tcp_be_liberal': '1' }
    expect(play('>S:100 <S.:900,101 >.:101,999', liberal).states.at(-1)).toBe('ESTABLISHED')
  })

  test('a RST beyond what was acknowledged leaves an established connection as it is', () => {
    expect(play('>S:100 <S.:900,101 >.:101,901 <R:950').entry).toBe('ESTABLISHED ASSURED')
  })
})

describe('timeouts', () => {
  test.each([
    ['>S', 120],
    ['>S <S.', 60],
    ['>S <S. >.', 432000],
    ['>.', 300],
    ['>S <S. >. >F.', 120],
    ['>S <S. >. <R', 10],
  ])('after %s the entry lasts %i s', (segments, seconds) => {
    const { r } = play(segments)
    r.clock = seconds * 1000 - 1
    expect(r.connections()).toHaveLength(1)
    r.clock = seconds * 1000
    expect(r.connections()).toEqual([])
  })

  test('a sysctl sets them, and an expired entry makes the next packet new', () => {
    const { r } = play('>S <S. >.', { 'net.netfilter.nf_conntrack_tcp_timeout_established': '60' })
    r.clock = 61_000
    r.forward(tcp(server, client, '.'))
    expect(states(r).at(-1)).toBe('NEW')
    expect(r.events.some((e) => e.kind === 'conntrack-destroy' && e.why === 'timed out')).toBe(true)
  })
})
