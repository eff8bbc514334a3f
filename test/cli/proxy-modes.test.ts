import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseIpSets } from '../../src/artefact/ipset-text.ts'
import { parseIpvs } from '../../src/artefact/ipvs.ts'
import { parseNft } from '../../src/artefact/nft/read.ts'
import { inNamespace, missingTools } from '../artefact/real-tools.ts'
import { runWith } from './memory-io.ts'

const files = Object.fromEntries(
  ['cluster.yaml', 'shop.yaml'].map((f) => [
    `small/${f}`,
    readFileSync(join(import.meta.dirname, '../../scenarios/small', f), 'utf8'),
  ]),
)
const small = (...argv: readonly string[]) => runWith(files, [...argv, '-f', 'small'])
const missing = missingTools('nft', 'ipset')

describe('show', () => {
  test('nft prints a listing that reads back, and that the real nft takes', async () => {
    const { out, status } = await small('show', 'nft', '--node', 'node-a', '--proxy-mode', 'nftables')
    expect(status).toBe(0)
    expect(parseNft(out).problems).toEqual([])
    expect(out).toContain('table ip kube-proxy {')
    if (missing === undefined)
      expect(inNamespace('cat > /run/s; nft -c -f /run/s', out)).toMatchObject({ status: 0, stderr: '' })
  })

  test('ipvs and ipset print what reads back', async () => {
    const ipvs = await small('show', 'ipvs', '--node', 'node-a', '--proxy-mode', 'ipvs')
    expect(parseIpvs(ipvs.out)).toMatchObject({ problems: [] })
    expect(ipvs.out).toContain('TCP  10.96.45.67:80 rr\n  -> 10.244.1.2:8080 ')
    const saved = await small('show', 'ipvs', '--node', 'node-a', '--proxy-mode', 'ipvs', '-o', 'save')
    expect(saved.out).toContain('-a -t 10.96.45.67:80 -r 10.244.1.2:8080 -m -w 1\n')
    const sets = await small('show', 'ipset', '--node', 'node-a', '--proxy-mode', 'ipvs')
    expect(parseIpSets(sets.out).problems).toEqual([])
    expect(sets.out).toContain('add KUBE-CLUSTER-IP 10.96.45.67,tcp:80\n')
  })

  test('in iptables mode there is nothing to show of the others', async () => {
    expect((await small('show', 'nft', '--node', 'node-a')).out).toBe('')
  })
})

describe('trace', () => {
  test.each(['iptables', 'ipvs', 'nftables'])('in %s mode a Service without endpoints names itself', async (mode) => {
    const { out, status } = await small(
      'trace',
      'pod/cart.shop',
      'svc/search.shop:80',
      '--proxy-mode',
      mode,
      '-o',
      'json',
    )
    expect(status).toBe(1)
    const { verdict } = JSON.parse(out)
    expect(verdict).toMatchObject({ result: 'rejected', reason: 'no-endpoints' })
    expect(verdict.place.origin.object).toMatchObject({ kind: 'Service', name: 'search' })
  })

  test('--compare says that nothing differs, or what does', async () => {
    const modes = 'iptables,ipvs,nftables'
    const same = await small('trace', 'pod/cart.shop', 'svc/web.shop:80', '--compare', modes)
    expect(same).toEqual({
      status: 0,
      err: '',
      out: 'same       pod shop/cart -> service shop/web:80   in iptables, ipvs, nftables\n',
    })
    const differ = await small('trace', 'pod/cart.shop', '10.96.200.200:80', '--compare', modes)
    expect(differ.status).toBe(1)
    expect(differ.out).toContain(
      'verdict      iptables, ipvs  unreachable (no-route)\n             nftables        dropped (rule-drop)\n',
    )
  })

  test('--compare wants two modes that exist', async () => {
    const { status, err } = await small('trace', 'pod/cart.shop', 'svc/web.shop:80', '--compare', 'ipvs,ebpf')
    expect(status).toBe(2)
    expect(err).toBe('kubehop: --compare ipvs,ebpf: expected two or three of iptables, ipvs, nftables\n')
  })
})
