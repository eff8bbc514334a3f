import { expect, test } from 'vitest'
import { formatIpvsList, formatIpvsSave, parseIpvs } from '../../src/artefact/ipvs.ts'

const save = `-A -t 10.96.0.1:443 -s rr
-a -t 10.96.0.1:443 -r 10.0.0.2:6443 -m -w 1
-a -t 10.96.0.1:443 -r 10.0.0.10:6443 -m -w 0
-A -u 10.96.0.10:53 -s wlc -p 10800
-A -t [fd00::1]:80 -s sh
-a -t [fd00::1]:80 -r [fd00::2]:8080 -m -w 1
`
const list = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  10.96.0.1:443 rr
  -> 10.0.0.2:6443                Masq    1      0          0         
  -> 10.0.0.10:6443               Masq    0      0          0         
UDP  10.96.0.10:53 wlc persistent 10800
TCP  [fd00::1]:80 sh
  -> [fd00::2]:8080               Masq    1      0          0         
`

test('ipvsadm-save -n is printed as it was read, and ipvsadm -Ln says the same', () => {
  const { entries, problems } = parseIpvs(save)
  expect(problems).toEqual([])
  expect(formatIpvsSave(entries)).toBe(save)
  expect(formatIpvsList(entries)).toBe(list)
  expect(formatIpvsSave(parseIpvs(list).entries)).toBe(save)
})

test.each([
  ['-A -t nowhere -s rr', 1],
  ['-a -t 10.96.0.1:80 -r 10.0.0.1:80 -m', 1],
  ['-A -t 10.96.0.1:80 -s rr\nhello', 2],
])('what cannot be read is told with its line: %s', (text, line) => {
  expect(parseIpvs(text).problems.map((p) => p.line)).toEqual([line])
})
