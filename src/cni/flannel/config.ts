import type { ConfigMap } from '../../kube/objects/node.ts'
import type { ClusterSettings } from '../../kube/settings.ts'
import type { ObjectReader } from '../../kube/store.ts'
import { type CniConf, defaultCniConf, parseCniConf } from '../cni-conf.ts'
import type { NetworkProblem } from '../problem.ts'
import { isEmulatedBackend, isKnownBackend, knownBackends } from './backend/select.ts'
import { vxlanOptions } from './backend/vxlan-options.ts'
import { defaultNetConf, type NetConf, parseNetConf } from './net-conf.ts'

/** What flannel's ConfigMap says. Without a usable net-conf flanneld does not start; without cni-conf no pod does. */
export interface FlannelConfig {
  readonly conf: NetConf | undefined
  readonly cni: CniConf | undefined
  readonly configMap: ConfigMap | undefined
  readonly problems: readonly NetworkProblem[]
}

const configMapName = 'kube-flannel-cfg'

/**
 * In any namespace: kube-flannel since v0.19.0, kube-system before, and wherever people put it. Canal keeps net-conf.json in
 * a ConfigMap of another name.
 */
export function flannelConfig(
  objects: ObjectReader,
  settings: ClusterSettings,
  manager: 'kube' | 'etcd',
): FlannelConfig {
  const configMaps = objects.list('ConfigMap')
  const configMap =
    configMaps.find((c) => c.metadata.name === configMapName) ??
    configMaps.find((c) => c.data?.['net-conf.json'] !== undefined)
  const netConf = configMap?.data?.['net-conf.json']
  const cniConf = configMap?.data?.['cni-conf.json']
  const parsed = netConf === undefined ? { conf: defaultNetConf(settings.podNetworks) } : parseNetConf(netConf, manager)
  const cni = cniConf === undefined ? { conf: defaultCniConf } : parseCniConf(cniConf)
  const errors = 'errors' in parsed ? parsed.errors : backendErrors(parsed.conf)
  const usable = 'conf' in parsed && isKnownBackend(parsed.conf.backend.type)
  const problems = [
    ...errors.map((e) => problem(configMap, 'net-conf.json', e)),
    ...('errors' in cni
      ? cni.errors.map((e) => problem(configMap, 'cni-conf.json', `${e}; no pod gets a network`))
      : []),
  ]
  if ('conf' in cni) problems.push(...unmodelled(cni.conf).map((e) => problem(configMap, 'cni-conf.json', e)))
  return { conf: usable ? parsed.conf : undefined, cni: 'conf' in cni ? cni.conf : undefined, configMap, problems }
}

/** Main plugins are looked at where they run; of the chained ones only portmap is. */
const unmodelled = (cni: CniConf): readonly string[] =>
  cni.plugins
    .slice(1)
    .filter((p) => p.type !== 'portmap')
    .map((p) => `the CNI plugin ${JSON.stringify(p.type)} is not modelled and left out`)

function backendErrors({ backend }: NetConf): readonly string[] {
  const { type, options } = backend
  if (!isKnownBackend(type))
    return [`unknown backend type ${JSON.stringify(type)}: flanneld exits; known are ${knownBackends.join(', ')}`]
  const errors: string[] = []
  if (type === 'vxlan') vxlanOptions(options, errors)
  if (!isEmulatedBackend(type))
    errors.push(
      `the ${type} backend is not emulated: pods of one node reach each other, those of other nodes stay out of reach`,
    )
  return errors
}

const problem = (configMap: ConfigMap | undefined, key: string, message: string): NetworkProblem => ({
  by: 'flannel',
  message,
  object: {
    kind: 'ConfigMap',
    ...(configMap?.metadata.namespace ? { namespace: configMap.metadata.namespace } : {}),
    name: configMap?.metadata.name ?? configMapName,
  },
  field: `data["${key}"]`,
})
