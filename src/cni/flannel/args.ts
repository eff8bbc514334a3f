import type { Container } from '../../kube/objects/pod.ts'

/** flanneld's flags that change what it installs (main.go). */
export interface FlanneldArgs {
  readonly ipMasq: boolean
  readonly kubeSubnetManager: boolean
  /** `--iface` in the order given; `--iface-regex` and `--iface-can-reach` likewise. */
  readonly interfaces: readonly string[]
  readonly interfacePatterns: readonly string[]
  readonly canReach?: string
  readonly publicIp?: string
  readonly publicIpv6?: string
  readonly forwardRules: boolean
  readonly randomFullyDisabled: boolean
  readonly blackholeRoute: boolean
  readonly annotationPrefix: string
}

/** The defaults of the binary. */
export const defaultArgs: FlanneldArgs = {
  ipMasq: false,
  kubeSubnetManager: false,
  interfaces: [],
  interfacePatterns: [],
  forwardRules: true,
  randomFullyDisabled: false,
  blackholeRoute: false,
  annotationPrefix: 'flannel.alpha.coreos.com',
}

/** What every published manifest sets. */
export const manifestArgs: FlanneldArgs = { ...defaultArgs, ipMasq: true, kubeSubnetManager: true }

const booleans = new Set([
  'ip-masq',
  'kube-subnet-mgr',
  'iptables-forward-rules',
  'ip-masq-fully-random-disable',
  'ip-blackhole-route',
])

/** Go's flag package: `-x` and `--x`, `--x=value` or `--x value`; a boolean takes a value only with `=`. */
export function parseFlanneldArgs(container: Container): FlanneldArgs {
  const values = flagValues(words(container))
  const of = (name: string): string | undefined => values.get(name)?.at(-1) ?? fromEnvironment(container, name)
  const bool = (name: string, fallback: boolean): boolean => {
    const value = of(name)
    return value === undefined ? fallback : isTrue(value)
  }
  const optional = { canReach: of('iface-can-reach'), publicIp: of('public-ip'), publicIpv6: of('public-ipv6') }
  return {
    ...defaultArgs,
    ipMasq: bool('ip-masq', defaultArgs.ipMasq),
    kubeSubnetManager: bool('kube-subnet-mgr', defaultArgs.kubeSubnetManager),
    interfaces: values.get('iface') ?? environmentList(container, 'iface'),
    interfacePatterns: values.get('iface-regex') ?? environmentList(container, 'iface-regex'),
    forwardRules: bool('iptables-forward-rules', defaultArgs.forwardRules),
    randomFullyDisabled: bool('ip-masq-fully-random-disable', defaultArgs.randomFullyDisabled),
    blackholeRoute: bool('ip-blackhole-route', defaultArgs.blackholeRoute),
    annotationPrefix: of('kube-annotation-prefix') ?? defaultArgs.annotationPrefix,
    ...(optional.canReach ? { canReach: optional.canReach } : {}),
    ...(optional.publicIp ? { publicIp: optional.publicIp } : {}),
    ...(optional.publicIpv6 ? { publicIpv6: optional.publicIpv6 } : {}),
  }
}

/** Older manifests start flanneld by a shell: `sh -c "cp ... && exec /opt/bin/flanneld --ip-masq"`. */
const words = (container: Container): readonly string[] =>
  [...(container.command ?? []), ...(container.args ?? [])].flatMap((word) =>
    /\s/.test(word) ? word.trim().split(/\s+/) : [word],
  )

function flagValues(all: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const values = new Map<string, readonly string[]>()
  const start = all.findLastIndex((word) => /(^|\/)flanneld$/.test(word)) + 1
  for (let i = start; i < all.length; i++) {
    const match = /^--?([a-z][a-z0-9-]*)(?:=(.*))?$/s.exec(all[i] ?? '')
    if (!match) continue
    const [, name = '', attached] = match
    const value = attached ?? (booleans.has(name) ? 'true' : (all[++i] ?? ''))
    values.set(name, [...(values.get(name) ?? []), value])
  }
  return values
}

/** strconv.ParseBool. */
const isTrue = (text: string): boolean => ['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)

/** FLANNELD_IP_MASQ and so on: read where the flag is not given. */
function fromEnvironment(container: Container, name: string): string | undefined {
  const variable = `FLANNELD_${name.toUpperCase().replaceAll('-', '_')}`
  return container.env?.find((e) => e.name === variable)?.value
}

function environmentList(container: Container, name: string): readonly string[] {
  const value = fromEnvironment(container, name)
  return value === undefined ? [] : value.split(',')
}
