import type { Node } from '../../kube/objects/node.ts'
import type { Container, PodSpec } from '../../kube/objects/pod.ts'
import type { DaemonSet } from '../../kube/objects/workload.ts'
import type { ObjectReader } from '../../kube/store.ts'
import { parseVersion, type Version } from '../version.ts'
import { type FlanneldArgs, manifestArgs, parseFlanneldArgs } from './args.ts'
import { newestFlannel } from './generation.ts'

/** The flanneld that runs on one node. */
export interface Daemon {
  readonly args: FlanneldArgs
  readonly version: Version
}

/** Where no DaemonSet says otherwise: the newest flanneld as its manifest starts it. */
export const defaultDaemon: Daemon = { args: manifestArgs, version: newestFlannel }

/** One DaemonSet per architecture in manifests before v0.14: each node takes the one that its labels ask for. */
export function daemonOn(objects: ObjectReader): (node: Node) => Daemon {
  const candidates = objects.list('DaemonSet').flatMap((set) => {
    const container = flanneldContainer(set)
    return container ? [{ spec: set.spec.template.spec, daemon: daemonOf(container) }] : []
  })
  return (node) => {
    const arch = architectureOf(node)
    const chosen = candidates.find((c) => architectures(c.spec)?.includes(arch) ?? true) ?? candidates[0]
    return chosen?.daemon ?? defaultDaemon
  }
}

const daemonOf = (container: Container): Daemon => ({
  args: parseFlanneldArgs(container),
  version: imageVersion(container.image) ?? newestFlannel,
})

/** By what it runs; where the image's entry point runs it, by the image: `.../flannel:v0.28.9`, `.../mirrored-flannelcni-flannel:...`. */
function flanneldContainer(set: DaemonSet): Container | undefined {
  const { containers } = set.spec.template.spec
  const runs = (c: Container): boolean => [...(c.command ?? []), ...(c.args ?? [])].some((w) => /\bflanneld\b/.test(w))
  return containers.find(runs) ?? containers.find((c) => /(^|\/|-)flannel([:@]|$)/.test(c.image ?? ''))
}

/** The tag, `v0.11.0-amd64`; undefined for a digest or a tag that is no version. */
export function imageVersion(image: string | undefined): Version | undefined {
  const tag = /:([^/:@]+)(?:@|$)/.exec(image ?? '')?.[1]
  return tag === undefined ? undefined : parseVersion(tag)
}

const architectureLabels = ['kubernetes.io/arch', 'beta.kubernetes.io/arch']

const architectureOf = (node: Node): string =>
  architectureLabels.flatMap((label) => node.metadata.labels?.[label] ?? [])[0] ?? 'amd64'

/** The architectures that a pod asks for; undefined: any. */
function architectures(spec: PodSpec): readonly string[] | undefined {
  const selected = architectureLabels.flatMap((label) => spec.nodeSelector?.[label] ?? [])
  const terms = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? []
  const required = terms
    .flatMap((term) => term.matchExpressions ?? [])
    .filter((r) => r.operator === 'In' && architectureLabels.includes(r.key))
    .flatMap((r) => r.values ?? [])
  const all = [...selected, ...required]
  return all.length === 0 ? undefined : all
}
