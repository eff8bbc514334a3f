import { knownResources } from '../kinds.ts'
import type { KnownKind, KnownObject } from '../objects/kinds.ts'
import type { Problem } from '../problem.ts'
import type { ClusterSettings, StatedSettings } from '../settings.ts'
import type { ObjectReader } from '../store.ts'
import { checkCidr } from './address-check.ts'
import { adminPolicyErrors } from './admin-policy-check.ts'
import { checkCalico } from './calico-check.ts'
import { checkEndpoints } from './endpoint-check.ts'
import type { FieldError } from './field-error.ts'
import { checkNames } from './name-check.ts'
import { networkPolicyErrors } from './network-policy-check.ts'
import { checkNodes } from './node-check.ts'
import { checkPods, podSpecErrors } from './pod-check.ts'
import { type Checking, report } from './report.ts'
import { checkServices, serviceErrors } from './service-check.ts'
import { checkUnderlays } from './underlay-check.ts'
import { workloadErrors } from './workload-check.ts'

/** Everything that can be said against objects which passed their schemas. */
export function checkObjects(
  objects: ObjectReader,
  settings: ClusterSettings,
  stated: StatedSettings,
): readonly Problem[] {
  const problems: Problem[] = []
  const checking: Checking = { objects, settings, stated, problems }
  for (const kind of Object.keys(knownResources) as KnownKind[]) {
    for (const object of objects.list(kind)) checkOne(checking, object)
  }
  checkNodes(checking)
  checkPods(checking)
  checkServices(checking)
  checkEndpoints(checking)
  checkUnderlays(checking)
  checkCalico(checking)
  return problems
}

function checkOne(checking: Checking, object: KnownObject): void {
  checkNames(checking, object)
  const errors = fieldErrors(object)
  for (const { path, ...args } of errors) report(checking, object, path, 'API_REFUSES', args)
  if (object.kind === 'NetworkPolicy' && errors.length === 0) warnOfHostBits(checking, object)
}

/** What the API server would refuse of one object on its own. */
export function fieldErrors(object: KnownObject): readonly FieldError[] {
  switch (object.kind) {
    case 'NetworkPolicy':
      return networkPolicyErrors(object)
    case 'AdminNetworkPolicy':
    case 'BaselineAdminNetworkPolicy':
    case 'ClusterNetworkPolicy':
      return adminPolicyErrors(object)
    case 'Service':
      return serviceErrors(object)
    case 'Pod':
      return podSpecErrors(['spec'], object.spec)
    case 'Deployment':
    case 'ReplicaSet':
    case 'ReplicationController':
    case 'StatefulSet':
    case 'DaemonSet':
    case 'Job':
    case 'CronJob':
      return workloadErrors(object)
    case 'Node':
    case 'Namespace':
    case 'ConfigMap':
    case 'EndpointSlice':
    case 'Endpoints':
    case 'Underlay':
    case 'NodeState':
    case 'Expectation':
      return []
  }
}

/** Accepted with a warning (KEP-4858): `10.1.2.3/24` means the network it is in. */
function warnOfHostBits(checking: Checking, policy: KnownObject & { kind: 'NetworkPolicy' }): void {
  for (const [direction, field] of [
    ['ingress', 'from'],
    ['egress', 'to'],
  ] as const) {
    policy.spec[direction]?.forEach((rule, i) => {
      const peers = 'from' in rule ? rule.from : 'to' in rule ? rule.to : undefined
      peers?.forEach(({ ipBlock }, j) => {
        const path = ['spec', direction, i, field, j, 'ipBlock']
        checkCidr(checking, policy, [...path, 'cidr'], ipBlock?.cidr)
        ipBlock?.except?.forEach((text, k) => {
          checkCidr(checking, policy, [...path, 'except', k], text)
        })
      })
    })
  }
}
