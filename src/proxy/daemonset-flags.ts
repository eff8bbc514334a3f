import type { ObjectRef } from '../kube/objects/meta.ts'
import type { Container } from '../kube/objects/pod.ts'
import type { ObjectReader } from '../kube/store.ts'
import { type FoundConfig, type ProxyConfig, withoutUndefined } from './config.ts'
import type { ProxyProblem } from './problem.ts'

interface KubeProxyContainer {
  readonly container: Container
  readonly object: ObjectRef
}

/** The container named `kube-proxy` of a DaemonSet in kube-system. */
function kubeProxyContainer(objects: ObjectReader): KubeProxyContainer | undefined {
  for (const daemonSet of objects.list('DaemonSet', { namespace: 'kube-system' })) {
    const { kind, metadata } = daemonSet
    const container = daemonSet.spec.template.spec.containers.find(({ name }) => name === 'kube-proxy')
    if (container) return { container, object: { kind, namespace: 'kube-system', name: metadata.name } }
  }
  return undefined
}

/** The version that the image's tag says: `v1.30.5` of `registry.k8s.io/kube-proxy:v1.30.5`. */
export function imageVersion(objects: ObjectReader): string | undefined {
  const image = kubeProxyContainer(objects)?.container.image
  return image === undefined ? undefined : /:(v?\d+\.\d+[^@/]*)/.exec(image)?.[1]
}

/**
 * The settings that the container's flags make (cmd/kube-proxy/app/options.go); undefined without a DaemonSet, and where
 * it reads a file.
 */
export function daemonSetFlags(objects: ObjectReader): FoundConfig | undefined {
  const found = kubeProxyContainer(objects)
  if (found === undefined) return undefined
  const { container, object } = found
  const flags = parseFlags([...(container.command ?? []), ...(container.args ?? [])])
  if (flags.has('config')) return undefined
  const problems: ProxyProblem[] = []
  return { config: configOf(flags, object, problems), object, problems }
}

/** `--name=value`, `--name value`, and `--name` alone for true. A shell line is read word by word. */
function parseFlags(words: readonly string[]): ReadonlyMap<string, string> {
  const flags = new Map<string, string>()
  const split = words.flatMap((word) => word.split(/\s+/))
  for (const [index, word] of split.entries()) {
    const found = /^--?([a-z][a-z0-9-]*)(?:=(.*))?$/.exec(word)
    if (!found) continue
    const next = split[index + 1]
    const value = found[2] ?? (next !== undefined && !next.startsWith('-') ? next : 'true')
    flags.set(found[1] ?? '', value)
  }
  return flags
}

function configOf(flags: ReadonlyMap<string, string>, object: ObjectRef, problems: ProxyProblem[]): ProxyConfig {
  const flag = (name: string) => readFlag(name, flags.get(name), object, problems)
  const bit = flags.get('iptables-masquerade-bit')
  return withoutUndefined({
    mode: flags.get('proxy-mode'),
    hostnameOverride: flags.get('hostname-override'),
    bindAddress: flags.get('bind-address'),
    clusterCIDR: flags.get('cluster-cidr'),
    detectLocalMode: flags.get('detect-local-mode'),
    bridgeInterface: flags.get('pod-bridge-interface'),
    interfaceNamePrefix: flags.get('pod-interface-name-prefix'),
    masqueradeAll: flag('masquerade-all'),
    masqueradeBit: bit === undefined ? undefined : Number(bit),
    localhostNodePorts: flag('iptables-localhost-nodeports'),
    nodePortAddresses: flags.get('nodeport-addresses')?.split(','),
    tcpBeLiberal: flag('conntrack-tcp-be-liberal'),
    featureGates: gatesOf(flags.get('feature-gates')),
    ipvsScheduler: flags.get('ipvs-scheduler'),
    strictARP: flag('ipvs-strict-arp'),
  })
}

function readFlag(
  name: string,
  value: string | undefined,
  object: ObjectRef,
  problems: ProxyProblem[],
): boolean | undefined {
  if (value === undefined || value === 'true' || value === 'false') return value && value === 'true'
  const message = `--${name} is ${JSON.stringify(value)}, which is neither true nor false; its default is used`
  problems.push({ by: 'kube-proxy', message, object, field: `--${name}` })
  return undefined
}

/** `A=true,B=false`. */
function gatesOf(text: string | undefined): Readonly<Record<string, boolean>> | undefined {
  if (text === undefined) return undefined
  const pairs = text.split(',').map((pair) => pair.split('='))
  return Object.fromEntries(pairs.map(([name = '', value]) => [name.trim(), value?.trim() === 'true']))
}
