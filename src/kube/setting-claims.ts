import { familyOf, parseIp } from '../net/ip.ts'
import { formatPrefix, networkOf, type Prefix, prefixContains, prefixCovers, prefixFamily } from '../net/prefix.ts'
import { parseApiCidr } from './addresses.ts'
import type { FieldPath } from './field-path.ts'
import type { KubeObject } from './objects/meta.ts'
import type { ConfigMap } from './objects/node.ts'
import type { Pod } from './objects/pod.ts'
import { type Problem, problem, type Subject } from './problem.ts'
import type { ObjectReader } from './store.ts'
import { parseEmbeddedYaml } from './yaml.ts'

export type ClaimedSetting =
  | 'podNetwork'
  | 'serviceNetwork'
  | 'nodeMaskLength4'
  | 'nodeMaskLength6'
  | 'firstNodeBlock'
  | 'lastNodeBlock'
  | 'clusterDomain'
  | 'nodePorts'
  | 'kubeVersion'

/** What one object says about one setting, as it says it. */
export interface Claim {
  readonly setting: ClaimedSetting
  readonly text: string
  /** For messages: `--cluster-cidr`, `networking.podSubnet`. */
  readonly who: string
  readonly subject: Subject
  /** Concluded from what is there, not said by anybody. */
  readonly guess?: boolean
}

type Fields = Readonly<Record<string, unknown>>

/** Everything that the objects say, the most authoritative first. Documents inside ConfigMaps that don't parse are problems. */
export function claimsOf(objects: ObjectReader, problems: Problem[]): readonly Claim[] {
  const configMaps = objects.list('ConfigMap')
  const embedded = (name: RegExp, key: string): readonly Embedded[] =>
    configMaps.filter((c) => name.test(c.metadata.name)).flatMap((c) => embeddedIn(objects, c, key, problems))
  const documents = (kind: string): readonly Embedded[] =>
    objects.listAll(kind).map((o) => ({ value: { ...o }, subject: subjectOf(objects, o, []) }))
  return [
    ...[...documents('ClusterConfiguration'), ...embedded(/^kubeadm-config$/, 'ClusterConfiguration')].flatMap(kubeadm),
    ...objects.list('Pod').flatMap((pod) => controlPlane(objects, pod)),
    ...embedded(/(^|-)(flannel-cfg|canal-config)$/, 'net-conf.json').flatMap(flannel),
    ...[...documents('KubeProxyConfiguration'), ...embedded(/^kube-proxy/, 'config.conf')].flatMap(kubeProxy),
    ...objects.listAll('IPPool').flatMap((pool) => ipPool(objects, pool)),
    ...calicoEnvironment(objects),
    ...objects.listAll('ServiceCIDR').flatMap((o) => serviceCidr(objects, o)),
    ...embedded(/^kubelet-config/, 'kubelet').flatMap(kubelet),
    ...configMaps.flatMap((c) => corefile(objects, c)),
    ...fromNodes(objects),
    ...fromApiService(objects),
    ...calicoDefaultPool(objects),
  ]
}

interface Embedded {
  readonly value: Fields
  readonly subject: Subject
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const fieldsOf = (value: unknown): Fields => (isFields(value) ? value : {})

function subjectOf(objects: ObjectReader, object: KubeObject, path: FieldPath): Subject {
  const source = objects.sourceOf(object)
  const { name, namespace } = object.metadata
  const ref = { kind: object.kind, name, ...(namespace === undefined ? {} : { namespace }) }
  const file = source?.file ?? '(made up)'
  return {
    // The line costs a second reading of the document; most claims need none.
    get at() {
      return source ? { file, line: source.lineOf(path) } : { file }
    },
    object: ref,
    path,
  }
}

function embeddedIn(objects: ObjectReader, map: ConfigMap, key: string, problems: Problem[]): readonly Embedded[] {
  const text = map.data?.[key]
  if (text === undefined) return []
  const subject = subjectOf(objects, map, ['data', key])
  const value = parseEmbeddedYaml(text)
  if (isFields(value)) return [{ value, subject }]
  problems.push(problem('BAD_SETTING', subject, { setting: key, expected: 'a JSON or YAML map', found: text.trim() }))
  return []
}

/** One claim where there is a text or a number, none otherwise. */
function claim(setting: ClaimedSetting, value: unknown, who: string, subject: Subject): readonly Claim[] {
  if (typeof value !== 'string' && typeof value !== 'number') return []
  return value === '' || value === 0 ? [] : [{ setting, text: String(value), who, subject }]
}

/** kubeadm.k8s.io ClusterConfiguration; `extraArgs` is a map, since v1beta4 a list of names and values. */
function kubeadm({ value, subject }: Embedded): readonly Claim[] {
  const networking = fieldsOf(value.networking)
  const argumentsOf = (component: string) => extraArgs(fieldsOf(value[component]).extraArgs)
  return [
    ...claim('podNetwork', networking.podSubnet, 'networking.podSubnet', subject),
    ...claim('serviceNetwork', networking.serviceSubnet, 'networking.serviceSubnet', subject),
    ...claim('clusterDomain', networking.dnsDomain, 'networking.dnsDomain', subject),
    ...claim('kubeVersion', value.kubernetesVersion, 'kubernetesVersion', subject),
    ...argumentClaims(argumentsOf('controllerManager'), subject),
    ...argumentClaims(argumentsOf('apiServer'), subject),
  ]
}

function extraArgs(value: unknown): ReadonlyMap<string, string> {
  const entries = Array.isArray(value)
    ? value.map((arg) => [fieldsOf(arg).name, fieldsOf(arg).value])
    : Object.entries(fieldsOf(value))
  return new Map(entries.map(([name, text]) => [String(name), String(text)]))
}

/** Flags of kube-apiserver and kube-controller-manager. */
const flagSettings: Readonly<Record<string, readonly ClaimedSetting[]>> = {
  'cluster-cidr': ['podNetwork'],
  'service-cluster-ip-range': ['serviceNetwork'],
  'node-cidr-mask-size': ['nodeMaskLength4'],
  'node-cidr-mask-size-ipv4': ['nodeMaskLength4'],
  'node-cidr-mask-size-ipv6': ['nodeMaskLength6'],
  'service-node-port-range': ['nodePorts'],
}

function argumentClaims(args: ReadonlyMap<string, string>, subject: Subject): readonly Claim[] {
  return Object.entries(flagSettings).flatMap(([flag, settings]) => {
    const text = args.get(flag)
    return settings.flatMap((setting) => claim(setting, text, `--${flag}`, subject))
  })
}

/** The static pods of the control plane, with their flags as `--name=value`, or `--name` and `value`. */
function controlPlane(objects: ObjectReader, pod: Pod): readonly Claim[] {
  return pod.spec.containers.flatMap((container, i) => {
    if (!/^kube-(apiserver|controller-manager|proxy)$/.test(container.name)) return []
    const words = [...(container.command ?? []), ...(container.args ?? [])]
    const subject = subjectOf(objects, pod, ['spec', 'containers', i])
    const version = /:(v?1\.\d+[^@]*)/.exec(container.image ?? '')?.[1]
    return [...argumentClaims(flagsIn(words), subject), ...claim('kubeVersion', version, 'image', subject)]
  })
}

function flagsIn(words: readonly string[]): ReadonlyMap<string, string> {
  const flags = new Map<string, string>()
  words.forEach((word, i) => {
    const [, name, value] = /^--([\w-]+)(?:=([\s\S]*))?$/.exec(word) ?? []
    if (name !== undefined) flags.set(name, value ?? words[i + 1] ?? '')
  })
  return flags
}

/** flannel's net-conf.json; its keys are read in any case, as Go's decoder does. */
function flannel({ value, subject }: Embedded): readonly Claim[] {
  const fields = new Map(Object.entries(value).map(([key, v]) => [key.toLowerCase(), v]))
  return [
    ...claim('podNetwork', fields.get('network'), 'Network', subject),
    ...claim('podNetwork', fields.get('ipv6network'), 'IPv6Network', subject),
    ...claim('nodeMaskLength4', fields.get('subnetlen'), 'SubnetLen', subject),
    ...claim('nodeMaskLength6', fields.get('ipv6subnetlen'), 'IPv6SubnetLen', subject),
    ...claim('firstNodeBlock', fields.get('subnetmin'), 'SubnetMin', subject),
    ...claim('firstNodeBlock', fields.get('ipv6subnetmin'), 'IPv6SubnetMin', subject),
    ...claim('lastNodeBlock', fields.get('subnetmax'), 'SubnetMax', subject),
    ...claim('lastNodeBlock', fields.get('ipv6subnetmax'), 'IPv6SubnetMax', subject),
  ]
}

const kubeProxy = ({ value, subject }: Embedded): readonly Claim[] =>
  claim('podNetwork', value.clusterCIDR, 'clusterCIDR', subject)

const kubelet = ({ value, subject }: Embedded): readonly Claim[] =>
  claim('clusterDomain', value.clusterDomain, 'clusterDomain', subject)

const specOf = (object: KubeObject): Fields => ('spec' in object ? fieldsOf(object.spec) : {})

function ipPool(objects: ObjectReader, pool: KubeObject): readonly Claim[] {
  const { cidr, disabled } = specOf(pool)
  return disabled === true ? [] : claim('podNetwork', cidr, 'spec.cidr', subjectOf(objects, pool, ['spec', 'cidr']))
}

/** Where calico-node makes its first pools from its environment. */
function calicoEnvironment(objects: ObjectReader): readonly Claim[] {
  return objects.list('DaemonSet').flatMap((set) =>
    set.spec.template.spec.containers.flatMap((container, i) =>
      (container.env ?? []).flatMap(({ name, value }, j) => {
        if (!/^CALICO_IPV[46]POOL_CIDR$/.test(name)) return []
        const path = ['spec', 'template', 'spec', 'containers', i, 'env', j]
        return claim('podNetwork', value, name, subjectOf(objects, set, path))
      }),
    ),
  )
}

/**
 * calico-node that is told of no pool makes one in the first usual network that no node is in (node/pkg/lifecycle/startup).
 * Nodes that nobody described get addresses in 192.168.50.0/24.
 */
function calicoDefaultPool(objects: ObjectReader): readonly Claim[] {
  const set = objects
    .list('DaemonSet')
    .find((d) => d.spec.template.spec.containers.some((c) => c.name === 'calico-node'))
  const policyOnly = objects.list('ConfigMap').some((c) => c.data?.['net-conf.json'] !== undefined)
  if (!set || policyOnly) return []
  const nodes = objects
    .list('Node')
    .flatMap((n) => (n.status?.addresses ?? []).flatMap((a) => parseIp(a.address) ?? []))
  const isTaken = (text: string): boolean => {
    const network = parseApiCidr(text)
    return network !== undefined && nodes.some((ip) => prefixContains(network, ip))
  }
  const usual = ['192.168.0.0/16', ...Array.from({ length: 16 }, (_, i) => `172.${16 + i}.0.0/16`)]
  const text = nodes.length === 0 ? usual[1] : usual.find((u) => !isTaken(u))
  return claim('podNetwork', text, 'calico-node', subjectOf(objects, set, ['spec'])).map((c) => ({ ...c, guess: true }))
}

function serviceCidr(objects: ObjectReader, object: KubeObject): readonly Claim[] {
  const { cidrs } = specOf(object)
  if (object.metadata.name !== 'kubernetes' || !Array.isArray(cidrs)) return []
  const subject = subjectOf(objects, object, ['spec', 'cidrs'])
  return cidrs.flatMap((text) => claim('serviceNetwork', text, 'spec.cidrs', subject))
}

/** CoreDNS is told the domain in its `kubernetes` line. */
function corefile(objects: ObjectReader, map: ConfigMap): readonly Claim[] {
  const text = map.data?.Corefile
  const zone = text === undefined ? undefined : /^\s*kubernetes\s+(?!in-addr\.arpa|ip6\.arpa)([^\s{]+)/m.exec(text)?.[1]
  return claim('clusterDomain', zone, 'the kubernetes line', subjectOf(objects, map, ['data', 'Corefile']))
}

/** Versions of kubelets; and podCIDRs that were given out already, with the network around them. */
function fromNodes(objects: ObjectReader): readonly Claim[] {
  const nodes = objects.list('Node')
  const [first] = nodes
  if (!first) return []
  const cidrs = nodes.flatMap((n) => n.spec?.podCIDRs ?? n.spec?.podCIDR ?? []).flatMap((t) => parseApiCidr(t) ?? [])
  const subject = subjectOf(objects, first, ['spec'])
  const guesses = (['ipv4', 'ipv6'] as const).flatMap((family) => {
    const own = cidrs.filter((c) => prefixFamily(c) === family)
    const network = around(own)
    if (!network) return []
    const setting = family === 'ipv4' ? ('nodeMaskLength4' as const) : ('nodeMaskLength6' as const)
    return [
      ...claim('podNetwork', formatPrefix(network), 'spec.podCIDR', subject),
      ...claim(setting, Math.max(...own.map((c) => c.length)), 'spec.podCIDR', subject),
    ].map((c) => ({ ...c, guess: true }))
  })
  const { kubeletVersion } = first.status?.nodeInfo ?? {}
  return [...claim('kubeVersion', kubeletVersion, 'kubeletVersion', subject), ...guesses]
}

/** The smallest usual block that holds them all: at most /16, for IPv6 /48. */
function around(cidrs: readonly Prefix[]): Prefix | undefined {
  const [first] = cidrs
  if (!first) return undefined
  for (let length = Math.min(first.length, prefixFamily(first) === 'ipv4' ? 16 : 48); length > 0; length--) {
    const network = networkOf(first.address, length)
    if (cidrs.every((c) => prefixCovers(network, c))) return network
  }
  return undefined
}

/** The API server's own Service takes the first address of its range, whose length nobody sees: 16 is usual. */
function fromApiService(objects: ObjectReader): readonly Claim[] {
  const service = objects.get('Service', 'kubernetes', 'default')
  if (!service) return []
  return [...new Set([...(service.spec.clusterIPs ?? []), service.spec.clusterIP ?? ''])].flatMap((text) => {
    const ip = parseIp(text)
    if (!ip) return []
    const network = networkOf(ip, familyOf(ip) === 'ipv4' ? 16 : 108)
    const subject = subjectOf(objects, service, ['spec', 'clusterIP'])
    return claim('serviceNetwork', formatPrefix(network), 'spec.clusterIP', subject).map((c) => ({ ...c, guess: true }))
  })
}
