import type { CalicoRule } from '../../../kube/objects/calico.ts'
import type { Labels } from '../../../kube/objects/meta.ts'

/** Rules for those that no policy selects, and labels for all who have the profile. Derived, never written by hand. */
export interface Profile {
  readonly name: string
  readonly ingress: readonly CalicoRule[]
  readonly egress: readonly CalicoRule[]
  readonly labelsToApply: Labels
}

const allow: readonly CalicoRule[] = [{ action: 'Allow' }]

const prefixed = (prefix: string, labels: Labels): Labels =>
  Object.fromEntries(Object.entries(labels).map(([key, value]) => [`${prefix}${key}`, value]))

/** Every pod of a namespace: all is allowed, and `pcns.` labels are the namespace's. */
export const namespaceProfile = (name: string, labels: Labels = {}): Profile => ({
  name: `kns.${name}`,
  ingress: allow,
  egress: allow,
  labelsToApply: { ...prefixed('pcns.', labels), 'pcns.projectcalico.org/name': name },
})

/** Every pod of a service account: labels alone. */
export const accountProfile = (namespace: string, name: string, labels: Labels = {}): Profile => ({
  name: `ksa.${namespace}.${name}`,
  ingress: [],
  egress: [],
  labelsToApply: { ...prefixed('pcsa.', labels), 'pcsa.projectcalico.org/name': name },
})
