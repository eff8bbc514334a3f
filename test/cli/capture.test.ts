import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { runWith } from './memory-io.ts'

const folder = join(import.meta.dirname, '../../scenarios/small')
const small = Object.fromEntries(readdirSync(folder).map((f) => [`in/${f}`, readFileSync(join(folder, f))]))
const question = ['trace', 'pod/cart.shop', 'svc/web.shop:80', '-f', 'in']

/** Magic numbers of the two formats, little-endian. */
const pcapMagic = 'a1b23c4d'
const pcapngMagic = '0a0d0d0a'
const magic = (bytes: Uint8Array | undefined): string =>
  bytes ? Buffer.from(bytes).readUInt32LE(0).toString(16).padStart(8, '0') : 'nothing'

describe('trace into captures', () => {
  test('-o pcap writes a file per device and lists them', async () => {
    const written = new Map<string, Uint8Array>()
    const writeFile = (path: string, bytes: Uint8Array): void => void written.set(path, bytes)
    const { status, out, err } = await runWith(small, [...question, '-o', 'pcap', '--pcap-dir', 'c/d'], { writeFile })
    expect(status).toBe(0)
    expect(out).toMatch(/^c\/d\/shop\.cart\.eth0\.pcap: \d+ packets$/m)
    expect(out.split('\n').filter(Boolean)).toHaveLength(written.size)
    expect([...new Set([...written.values()].map(magic))]).toEqual([pcapMagic])
    expect(err).toContain('-d udp.port==8472,vxlan')
  })

  test('--pcap-dir goes with any output', async () => {
    const written: string[] = []
    const writeFile = (path: string): void => void written.push(path)
    const { out } = await runWith(small, [...question, '--pcap-dir', 'c'], { writeFile })
    expect(out).toMatch(/^DELIVERED/)
    expect(written).toContain('c/node-a.eth0.pcap')
  })

  test('-o pcapng writes bytes to standard output', async () => {
    const parts: Uint8Array[] = []
    const outBytes = (bytes: Uint8Array): void => void parts.push(bytes)
    const { status, out } = await runWith(small, [...question, '-o', 'pcapng'], { outBytes })
    expect([status, out, parts.length]).toEqual([0, '', 1])
    expect(magic(parts[0])).toBe(pcapngMagic)
  })

  test.each([
    { name: 'a terminal as target', argv: ['-o', 'pcapng'], more: { outIsTerminal: true }, says: 'redirect it' },
    { name: 'no directory', argv: ['-o', 'pcap'], more: {}, says: '--pcap-dir DIR is missing' },
    { name: 'several branches', argv: ['-o', 'pcapng', '--backend', 'all'], more: {}, says: 'of one connection' },
    {
      name: 'a directory that cannot be written',
      argv: ['--pcap-dir', 'x'],
      more: {
        writeFile: () => {
          throw new Error('EACCES')
        },
      },
      says: 'cannot be written: EACCES',
    },
  ])('$name ends in a message and status 2', async ({ argv, more, says }) => {
    const { status, out, err } = await runWith(small, [...question, ...argv], more)
    expect([status, out]).toEqual([2, ''])
    expect(err).toContain(says)
  })
})
