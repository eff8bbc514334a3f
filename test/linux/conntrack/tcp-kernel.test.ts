import { expect, test } from 'vitest'
import { connectionsOf } from '../../../src/linux/netfilter/netfilter.ts'
import { rig, tcp } from '../netfilter/rig.ts'

/**
 * What Linux 6.18 made of raw segments sent through a forwarding namespace: the state of each (New, Established, Invalid)
 * as `-m conntrack` saw it, and the entry with its timeout in seconds that `conntrack -L` printed afterwards.
 * `>` goes from the client, `<` from the server; then flags, and sequence number, acknowledgement, bytes of data.
 */
const recorded = [
  ['>S', 'N', 'SYN_SENT UNREPLIED 120'],
  ['>S >S', 'N,N', 'SYN_SENT UNREPLIED 120'],
  ['>S <S.:0,1', 'N,E', 'SYN_RECV 60'],
  ['>S <S.:0,1 >.:1,1', 'N,E,E', 'ESTABLISHED ASSURED 432000'],
  ['>S <S.:0,1 >.:1,1 >F.:1,1', 'N,E,E,E', 'FIN_WAIT ASSURED 120'],
  ['>S <S.:0,1 >.:1,1 >F.:1,1 <.:1,2 <F.:1,2 >.:2,2', 'N,E,E,E,E,E,E', 'TIME_WAIT ASSURED 120'],
  ['>S <R.:0,1', 'N,E', 'none'],
  ['>S <S.:0,1 >.:1,1 <R:1', 'N,E,E,E', 'CLOSE ASSURED 10'],
  ['>.', 'N', 'ESTABLISHED UNREPLIED 300'],
  ['>. <.', 'N,E', 'ESTABLISHED 300'],
  ['>. <. >.', 'N,E,E', 'ESTABLISHED ASSURED 432000'],
  ['<S.', 'I', 'none'],
  ['>R', 'I', 'none'],
  ['>F.', 'I', 'none'],
  ['>SF', 'I', 'none'],
  ['>', 'I', 'none'],
  ['>S >.', 'N,I', 'SYN_SENT UNREPLIED 120'],
  ['>S <S >S.:0,1 <S.:0,1', 'N,E,E,E', 'SYN_RECV 60'],
  ['>S <S.:0,1 >.:1,1 >F.:1,1 <.:1,2 <F.:1,2 >.:2,2 >S:9000', 'N,E,E,E,E,E,E,N', 'SYN_SENT UNREPLIED 120'],
  ['>S:100 <S.:900,101 >.:101,901 >S:5000 <S.:7000,5001', 'N,E,E,E,E', 'SYN_RECV ASSURED 60'],
  ['>S:100 <S.:900,101 >.:101,999', 'N,E,I', 'SYN_RECV 60'],
  ['>S:100 <S.:900,101 >.:101,901 >P.:101,901,50 <.:901,151', 'N,E,E,E,E', 'ESTABLISHED ASSURED 432000'],
  ['>S:100 <S.:900,101 >.:101,901 >P.:101,901,50 <.:901,152', 'N,E,E,E,I', 'ESTABLISHED ASSURED 300'],
  ['>S:100 <S.:900,101 >.:101,901 <R:850', 'N,E,E,I', 'ESTABLISHED ASSURED 432000'],
  ['>S:100 <S.:900,101 >.:101,901 <R:950', 'N,E,E,E', 'ESTABLISHED ASSURED 10'],
  ['>S:100 <S.:900,101 >.:101,901 >.:101,901 <R:901', 'N,E,E,E,E', 'CLOSE ASSURED 10'],
  ['>S:100 <S.:900,101 <S.:900,101', 'N,E,E', 'SYN_RECV 60'],
  ['>S:100 <S.:900,101 >.:101,901 >S:5000 <.:901,101', 'N,E,E,E,E', 'ESTABLISHED ASSURED 432000'],
  ['>S:100 <S.:900,101 >.:101,901 <S:77', 'N,E,E,I', 'ESTABLISHED ASSURED 432000'],
  ['>S:100 <S.:900,102', 'N,I', 'SYN_SENT UNREPLIED 120'],
  ['>S >S.', 'N,I', 'SYN_SENT UNREPLIED 120'],
  ['>S <F.:0,1', 'N,I', 'SYN_SENT UNREPLIED 120'],
  ['>S <.:5,7', 'N,E', 'SYN_SENT 120'],
  ['>S:100 <S.:900,101 >.:101,901 >F.:101,901 <F.:901,102 >.:102,902 <S:5', 'N,E,E,E,E,E,N', 'SYN_SENT UNREPLIED 120'],
  ['>S:100 <S.:900,101 >R:101', 'N,E,E', 'CLOSE 10'],
  ['>S >R:1', 'N,N', 'none'],
  ['>S:100 <S.:900,101 >.:101,901 >P.:101,901,50', 'N,E,E,E', 'ESTABLISHED ASSURED 300'],
  ['>S:100 <S.:900,101 >.:101,901 >P.:101,901,50 <P.:901,151,7', 'N,E,E,E,E', 'ESTABLISHED ASSURED 300'],
  [
    '>S:100 <S.:900,101 >.:101,901 >P.:101,901,50 <P.:901,151,7 >.:151,908',
    'N,E,E,E,E,E',
    'ESTABLISHED ASSURED 432000',
  ],
  ['>S:100 <S.:900,101 >P.:101,901,50', 'N,E,E', 'ESTABLISHED ASSURED 300'],
  ['>P.:101,901,50 <.:901,151', 'N,E', 'ESTABLISHED 300'],
  ['>S:100 <S.:900,101 >.:101,901 >P.:101,901,50 <.:901,120', 'N,E,E,E,E', 'ESTABLISHED ASSURED 300'],
  [
    '>S:4294967295 <S.:4294967290,0 >.:0,4294967291 >P.:0,4294967291,9 <.:4294967291,9',
    'N,E,E,E,E',
    'ESTABLISHED ASSURED 432000',
  ],
  ['>S:100 <S.:900,101 >.:101,901 >F.:101,901 <.:901,102 >R:102', 'N,E,E,E,E,E', 'CLOSE ASSURED 10'],
  ['>S:100 <S.:900,101 >.:101,901 <R.:901,101 >S:3000', 'N,E,E,E,E', 'CLOSE ASSURED 10'],
  ['>S:100 <S.:900,101 >.:101,901 <R.:901,101 <S:3000', 'N,E,E,E,I', 'CLOSE ASSURED 10'],
  ['>S:100 <S.:900,101 <R:901', 'N,E,E', 'CLOSE 10'],
  ['>S:100 <R:0', 'N,E', 'none'],
  ['>S:100 <R.:0,101', 'N,E', 'none'],
  ['>S:100 <R.:0,500', 'N,I', 'SYN_SENT UNREPLIED 120'],
] as const

const names = { NEW: 'N', ESTABLISHED: 'E', INVALID: 'I', RELATED: 'R', UNTRACKED: 'U' } as const

test.each(recorded)('%s', (segments, expected, entry) => {
  const r = rig({ v4: '*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n' })
  for (const segment of segments.split(' ')) {
    const [, arrow, flags = '', numbers = ''] = /^([<>])([SFRP.]*):?([\d,]*)$/.exec(segment) ?? []
    const [seq = 0, ack = 0, data = 0] = numbers === '' ? [] : numbers.split(',').map(Number)
    const [from, to] = arrow === '>' ? ['10.0.0.1:40000', '10.0.1.2:80'] : ['10.0.1.2:80', '10.0.0.1:40000']
    r.forward(tcp(from ?? '', to ?? '', flags, { seq, ack, data }))
  }
  const [found] = connectionsOf(r.nf)
  const listed = found ? [found.state, ...found.status, found.timeout].join(' ') : 'none'
  const seen = r.events.flatMap((e) => (e.kind === 'conntrack' ? [names[e.state]] : []))
  expect({ seen: seen.join(','), listed }).toEqual({ seen: expected, listed: entry })
})
