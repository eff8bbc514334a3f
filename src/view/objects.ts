import type { KubeObject } from '../kube/objects/meta.ts'
import type { Node } from '../kube/objects/node.ts'
import type { Pod } from '../kube/objects/pod.ts'
import type { EndpointSlice, Service } from '../kube/objects/service.ts'
import { formatColumns } from './table.ts'

export interface ObjectTableOptions {
  readonly wide: boolean
  readonly namespaceColumn: boolean
  readonly showLabels: boolean
  readonly headers: boolean
}

/** One column of `kubectl get`. */
interface Column<T> {
  readonly head: string
  readonly wide?: true
  readonly cell: (object: T) => string
}

/** Objects of one kind in kubectl's columns. */
export function formatObjects(kind: string, objects: readonly KubeObject[], options: ObjectTableOptions): string {
  const columns = [
    ...(options.namespaceColumn ? [namespaceColumn] : []),
    nameColumn,
    ...columnsOf(kind).filter((c) => options.wide || !c.wide),
    ...(options.showLabels ? [labelsColumn] : []),
  ]
  return formatColumns(
    columns.map((c) => c.head),
    objects.map((o) => columns.map((c) => c.cell(o))),
    options.headers,
  )
}

const nameColumn: Column<KubeObject> = { head: 'NAME', cell: (o) => o.metadata.name }
const namespaceColumn: Column<KubeObject> = { head: 'NAMESPACE', cell: (o) => o.metadata.namespace ?? '' }
const labelsColumn: Column<KubeObject> = { head: 'LABELS', cell: (o) => pairs(o.metadata.labels) }

const pairs = (map: Readonly<Record<string, string>> | undefined): string =>
  Object.entries(map ?? {})
    .map(([k, v]) => `${k}=${v}`)
    .join(',')

function columnsOf(kind: string): readonly Column<KubeObject>[] {
  const columns: Readonly<Record<string, readonly Column<never>[]>> = {
    Pod: podColumns,
    Service: serviceColumns,
    Node: nodeColumns,
    EndpointSlice: sliceColumns,
    Namespace: [{ head: 'STATUS', cell: () => 'Active' }],
    Deployment: [{ head: 'REPLICAS', cell: replicas }],
    StatefulSet: [{ head: 'REPLICAS', cell: replicas }],
    ReplicaSet: [{ head: 'REPLICAS', cell: replicas }],
    ReplicationController: [{ head: 'REPLICAS', cell: replicas }],
    ConfigMap: [{ head: 'DATA', cell: (o: { readonly data?: object }) => String(Object.keys(o.data ?? {}).length) }],
    NetworkPolicy: [
      {
        head: 'POD-SELECTOR',
        cell: (o: {
          readonly spec: { readonly podSelector?: { readonly matchLabels?: Readonly<Record<string, string>> } }
        }) => pairs(o.spec.podSelector?.matchLabels),
      },
    ],
  }
  return (columns[kind] ?? []) as readonly Column<KubeObject>[]
}

const replicas = (o: { readonly spec: { readonly replicas?: number } }): string => String(o.spec.replicas ?? 1)

const podColumns: readonly Column<Pod>[] = [
  { head: 'READY', cell: (p) => `${readyContainers(p)}/${p.spec.containers.length}` },
  { head: 'STATUS', cell: (p) => p.status?.phase ?? 'Pending' },
  {
    head: 'IP',
    wide: true,
    cell: (p) => (p.status?.podIPs ?? []).map((i) => i.ip).join(',') || (p.status?.podIP ?? ''),
  },
  { head: 'NODE', wide: true, cell: (p) => p.spec.nodeName ?? '' },
]

function readyContainers(pod: Pod): number {
  const statuses = pod.status?.containerStatuses
  if (statuses) return statuses.filter((s) => s.ready).length
  const ready = pod.status?.conditions?.find((c) => c.type === 'Ready')
  return ready?.status === 'False' || pod.status?.phase !== 'Running' ? 0 : pod.spec.containers.length
}

const serviceColumns: readonly Column<Service>[] = [
  { head: 'TYPE', cell: (s) => s.spec.type ?? 'ClusterIP' },
  { head: 'CLUSTER-IP', cell: (s) => (s.spec.clusterIPs ?? []).join(',') || (s.spec.clusterIP ?? '') },
  { head: 'EXTERNAL-IP', cell: externalIps },
  {
    head: 'PORT(S)',
    cell: (s) =>
      (s.spec.ports ?? [])
        .map((p) => `${p.port}${p.nodePort ? `:${p.nodePort}` : ''}/${p.protocol ?? 'TCP'}`)
        .join(','),
  },
  { head: 'SELECTOR', wide: true, cell: (s) => pairs(s.spec.selector) },
]

function externalIps(service: Service): string {
  if (service.spec.type === 'ExternalName') return service.spec.externalName ?? ''
  const balancer = (service.status?.loadBalancer?.ingress ?? []).flatMap((i) => i.ip ?? i.hostname ?? [])
  const all = [...balancer, ...(service.spec.externalIPs ?? [])]
  return all.length > 0 ? all.join(',') : service.spec.type === 'LoadBalancer' ? '<pending>' : ''
}

const nodeColumns: readonly Column<Node>[] = [
  {
    head: 'STATUS',
    cell: (n) =>
      `${n.status?.conditions?.find((c) => c.type === 'Ready')?.status === 'False' ? 'NotReady' : 'Ready'}${n.spec?.unschedulable ? ',SchedulingDisabled' : ''}`,
  },
  {
    head: 'ROLES',
    cell: (n) =>
      Object.keys(n.metadata.labels ?? {})
        .flatMap((k) => (k.startsWith('node-role.kubernetes.io/') ? [k.slice(24)] : []))
        .sort()
        .join(','),
  },
  {
    head: 'INTERNAL-IP',
    wide: true,
    cell: (n) =>
      (n.status?.addresses ?? [])
        .filter((a) => a.type === 'InternalIP')
        .map((a) => a.address)
        .join(','),
  },
  {
    head: 'POD-CIDR',
    wide: true,
    cell: (n) => (n.spec?.podCIDRs ?? (n.spec?.podCIDR ? [n.spec.podCIDR] : [])).join(','),
  },
]

const sliceColumns: readonly Column<EndpointSlice>[] = [
  { head: 'ADDRESSTYPE', cell: (s) => s.addressType },
  { head: 'PORTS', cell: (s) => (s.ports ?? []).map((p) => String(p.port ?? '<unset>')).join(',') || '<unset>' },
  { head: 'ENDPOINTS', cell: (s) => s.endpoints.map((e) => e.addresses.join(',')).join(',') || '<unset>' },
]
