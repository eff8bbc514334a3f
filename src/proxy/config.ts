import type { ObjectRef } from '../kube/objects/meta.ts'
import { readYaml } from '../kube/yaml.ts'
import type { ProxyProblem } from './problem.ts'

/** The fields of KubeProxyConfiguration that are read (kubeproxy.config.k8s.io/v1alpha1). Absent: the default. */
export interface ProxyConfig {
  readonly mode?: string
  readonly hostnameOverride?: string
  readonly bindAddress?: string
  readonly clusterCIDR?: string
  readonly detectLocalMode?: string
  readonly bridgeInterface?: string
  readonly interfaceNamePrefix?: string
  readonly masqueradeAll?: boolean
  readonly masqueradeBit?: number
  readonly localhostNodePorts?: boolean
  readonly nodePortAddresses?: readonly string[]
  readonly tcpBeLiberal?: boolean
  readonly featureGates?: Readonly<Record<string, boolean>>
  readonly ipvsScheduler?: string
  readonly strictARP?: boolean
}

/** A configuration as it was found, and in which object; `object` is undefined where there is none. */
export interface FoundConfig {
  readonly config: ProxyConfig
  readonly object: ObjectRef | undefined
  readonly problems: readonly ProxyProblem[]
}

/** The text of one `config.conf`. */
export function readProxyConfig(text: string, object: ObjectRef, key: string): FoundConfig {
  const parsed = readYaml(text)
  const root = parsed.ok ? parsed.documents[0]?.value : undefined
  if (!isRecord(root)) {
    const message = `data["${key}"] is not a KubeProxyConfiguration in YAML; the defaults are used in its place`
    return { config: {}, object, problems: [{ by: 'kube-proxy', message, object, field: `data.${key}` }] }
  }
  const reader = fieldReader(root, object)
  return { config: fieldsOf(reader), object, problems: reader.problems }
}

type Reader = ReturnType<typeof fieldReader>

function fieldsOf({ text, flag, number, texts, flags }: Reader): ProxyConfig {
  const masquerade = text('mode') === 'nftables' ? 'nftables' : 'iptables'
  return withoutUndefined({
    mode: text('mode'),
    hostnameOverride: text('hostnameOverride'),
    bindAddress: text('bindAddress'),
    clusterCIDR: text('clusterCIDR'),
    detectLocalMode: text('detectLocalMode'),
    bridgeInterface: text('detectLocal', 'bridgeInterface'),
    interfaceNamePrefix: text('detectLocal', 'interfaceNamePrefix'),
    masqueradeAll: flag(masquerade, 'masqueradeAll'),
    masqueradeBit: number(masquerade, 'masqueradeBit'),
    localhostNodePorts: flag('iptables', 'localhostNodePorts'),
    nodePortAddresses: texts('nodePortAddresses'),
    tcpBeLiberal: flag('conntrack', 'tcpBeLiberal'),
    featureGates: flags('featureGates'),
    ipvsScheduler: text('ipvs', 'scheduler'),
    strictARP: flag('ipvs', 'strictARP'),
  })
}

type Undefinable<T> = { readonly [K in keyof T]: T[K] | undefined }

/** Absent and undefined are one here. */
export function withoutUndefined(fields: Undefinable<Required<ProxyConfig>>): ProxyConfig {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as ProxyConfig
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isTextList = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string')

const isFlags = (value: unknown): value is Readonly<Record<string, boolean>> =>
  isRecord(value) && Object.values(value).every((item) => typeof item === 'boolean')

/** Reads fields by path, and keeps what is of the wrong type as a problem. Null is absent, as kubeadm writes it. */
function fieldReader(root: Readonly<Record<string, unknown>>, object: ObjectRef) {
  const problems: ProxyProblem[] = []
  const read = <T>(path: readonly string[], is: (value: unknown) => value is T, wanted: string): T | undefined => {
    const value = path.reduce<unknown>((at, step) => (isRecord(at) ? at[step] : undefined), root)
    if (value === undefined || value === null || is(value)) return value ?? undefined
    const field = path.join('.')
    const message = `${field} is ${JSON.stringify(value)}, which is not ${wanted}; its default is used`
    if (!problems.some((problem) => problem.field === field))
      problems.push({ by: 'kube-proxy', message, object, field })
    return undefined
  }
  return {
    problems,
    text: (...path: string[]) => read(path, (v): v is string => typeof v === 'string', 'a text'),
    flag: (...path: string[]) => read(path, (v): v is boolean => typeof v === 'boolean', 'true or false'),
    number: (...path: string[]) => read(path, (v): v is number => typeof v === 'number', 'a number'),
    texts: (...path: string[]) => read(path, isTextList, 'a list of texts'),
    flags: (...path: string[]) => read(path, isFlags, 'a map of true and false'),
  }
}
