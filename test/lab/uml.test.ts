import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { describe, expect, test } from 'vitest'
import type { Cluster } from '../../src/cluster/cluster.ts'
import { nodeNetns } from '../../src/cluster/machine.ts'
import type { Hello } from '../../src/lab/observer-message.ts'
import { predict } from '../../src/lab/predict.ts'
import { isLabProblem } from '../../src/lab/session.ts'
import { startUmlObserver, umlCommand, umlMissing } from '../../src/lab/uml.ts'
import { formatVerified, probesOf, type Verified, verify } from '../../src/lab/verify.ts'
import { isEndProblem } from '../../src/trace/end.ts'
import { loadText } from '../scenario.ts'

/** Why user-mode Linux cannot be booted here: asked of itself. */
async function whyNoUml(): Promise<string | undefined> {
  const missing = umlMissing()
  if (missing !== undefined) return missing
  const observer = startUmlObserver()
  try {
    const hello = await observer.ask<Hello>({ do: 'hello' })
    if ('failed' in hello) return hello.failed.split('\n').at(-1)
    return hello.missing.length > 0 ? `needs ${hello.missing.join(', ')}` : (hello.ipvs ?? undefined)
  } finally {
    await observer.close()
  }
}

const missing = await whyNoUml()

const cluster = (...more: readonly string[]): Cluster => {
  const node = (name: string, i: number): string => `
apiVersion: v1
kind: Node
metadata: { name: ${name} }
spec: { podCIDR: 10.244.${i}.0/24 }
status: { addresses: [{ type: InternalIP, address: 192.168.50.1${i} }] }`
  const pod = (name: string, on: string): string => `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: default, labels: { app: ${name} } }
spec: { nodeName: ${on}, containers: [{ name: c, image: example.com/c:1, ports: [{ containerPort: 8080 }] }] }`
  const service = `
apiVersion: v1
kind: Service
metadata: { name: web, namespace: default }
spec: { clusterIP: 10.96.0.20, selector: { app: web }, ports: [{ port: 80, targetPort: 8080 }] }`
  const all = [node('node-a', 1), node('node-b', 2), pod('client', 'node-a'), pod('web', 'node-b'), service, ...more]
  const loaded = loadText({ path: 'cluster.yaml', text: all.join('\n---') })
  expect(loaded.problems).toEqual([])
  return loaded.cluster
}

const ipvs = `
apiVersion: v1
kind: ConfigMap
metadata: { name: kube-proxy, namespace: kube-system }
data: { config.conf: "mode: ipvs" }`

const ipip = `
apiVersion: crd.projectcalico.org/v1
kind: IPPool
metadata: { name: default-ipv4-ippool }
spec: { cidr: 10.244.0.0/16, ipipMode: Always, vxlanMode: Never, natOutgoing: true }`

async function verified(it: Cluster, questions: readonly (readonly [string, string])[]): Promise<readonly Verified[]> {
  const probes = probesOf(
    it,
    questions.map(([from, to]) => ({ from, to, namespace: 'default', seed: 1 })),
  )
  if (isEndProblem(probes)) throw new Error(probes.problem)
  const results = await verify(it, probes, { everyBranch: 0, kernel: 'uml', tell: () => undefined })
  if (isLabProblem(results)) throw new Error(results.problem)
  return results
}

const nodeA = nodeNetns('node-a')
/** What the client sends goes to INPUT and OUTPUT, each packet of it: the first rule of FORWARD meets the SYN-ACK alone. */
const onlyTheAnswer = 'filter FORWARD#1: 1 packet'

test('IPVS takes every packet of a connection, conntrack translates none of them', () => {
  const it = cluster(ipvs)
  const probes = probesOf(it, [{ from: 'pod/client', to: 'svc/web:80', namespace: 'default', seed: 1 }])
  if (isEndProblem(probes)) throw new Error(probes.problem)
  const predicted = probes.flatMap((probe) => predict(it.network(), probe, String))
  expect(predicted.map((p) => p.observation.matched.get(nodeA))).toEqual([expect.arrayContaining([onlyTheAnswer])])
})

const disagreeing = (results: readonly Verified[]): readonly string[] =>
  results.filter((r) => r.outcome.kind !== 'agrees').map(formatVerified)

describe.skipIf(missing !== undefined)(`user-mode Linux${missing === undefined ? '' : ` (${missing})`}`, () => {
  test('a Service of IPVS: handshake, rules by their counters, connections', { timeout: 60_000 }, async () => {
    const results = await verified(cluster(ipvs), [['pod/client', 'svc/web:80']])
    expect(disagreeing(results)).toEqual([])
    const [first] = results
    expect(first?.outcome.kind === 'agrees' && first.outcome.observed.matched.get(nodeA)).toContain(onlyTheAnswer)
  })

  test('pod to pod through IPIP', { timeout: 60_000 }, async () => {
    const results = await verified(cluster(ipip), [['pod/client', 'pod/web:8080']])
    expect(disagreeing(results)).toEqual([])
    const [first] = results
    const devices = first?.outcome.kind === 'agrees' ? [...first.outcome.observed.devices.values()].flat() : []
    expect(devices.some((line) => line.startsWith('tunl0 out'))).toBe(true)
  })

  test('nothing is left when whoever started it is killed', { timeout: 60_000 }, async () => {
    // A shell stands for it; its own input stays open.
    const child = spawn('sh', ['-c', 'python3 "$@"; true', 'sh', ...umlCommand])
    const ready = createInterface({ input: child.stdout })
    await new Promise<void>((resolve) => ready.on('line', (line) => line.includes('kubehop-ready') && resolve()))
    const started = descendants(child.pid)
    expect(started.length).toBeGreaterThan(3)
    child.kill('SIGKILL')
    await expect.poll(() => started.filter((pid) => parentOf(pid) !== undefined), { timeout: 10_000 }).toEqual([])
  })
})

/** Undefined once it is gone. */
function parentOf(pid: number): number | undefined {
  try {
    // The name before it may hold anything, so from the last bracket on: state, parent.
    const [, parent] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
    return Number(parent)
  } catch {
    return undefined
  }
}

function descendants(root: number | undefined): readonly number[] {
  const pids = readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []))
  const children = (of: number | undefined): readonly number[] => pids.filter((pid) => parentOf(pid) === of)
  return children(root).flatMap((pid) => [pid, ...descendants(pid)])
}

test.skipIf(process.platform !== 'linux')('a machine without it is told which packages it lacks', () => {
  const why = umlMissing(['/nowhere'])
  expect(why).toContain('linux.uml (Debian package user-mode-linux), modprobe (Debian package kmod)')
})
