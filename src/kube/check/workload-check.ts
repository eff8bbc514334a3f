import type { KnownObject } from '../objects/kinds.ts'
import { matchesLabelSelector, matchesSelectorMap } from '../selector.ts'
import { type FieldError, invalid, required } from './field-error.ts'
import { labelSelectorErrors } from './label-selector-check.ts'
import { podSpecErrors } from './pod-check.ts'

const mismatch = '`selector` does not match template `labels`'

/** Selectors and templates of what makes pods (Kubernetes `pkg/apis/apps/validation`). */
export function workloadErrors(object: KnownObject): readonly FieldError[] {
  switch (object.kind) {
    case 'Deployment':
    case 'ReplicaSet':
    case 'StatefulSet':
    case 'DaemonSet': {
      const { selector, template } = object.spec
      const path = ['spec', 'selector']
      const pods = podSpecErrors(['spec', 'template', 'spec'], template?.spec)
      if (!selector) return [required(path, 'needed since apps/v1: the labels of its pods'), ...pods]
      const errors = labelSelectorErrors(path, selector)
      const fits = !template || errors.length > 0 || matchesLabelSelector(selector, template.metadata?.labels)
      return [...errors, ...(fits ? [] : [invalid(path, selector, mismatch)]), ...pods]
    }
    case 'ReplicationController': {
      const { selector = {}, template } = object.spec
      const fits = !template || matchesSelectorMap(selector, template.metadata?.labels)
      const pods = podSpecErrors(['spec', 'template', 'spec'], template?.spec)
      return [...(fits ? [] : [invalid(['spec', 'selector'], selector, mismatch)]), ...pods]
    }
    case 'Job':
      return podSpecErrors(['spec', 'template', 'spec'], object.spec.template.spec)
    case 'CronJob': {
      const { template } = object.spec.jobTemplate.spec
      return podSpecErrors(['spec', 'jobTemplate', 'spec', 'template', 'spec'], template.spec)
    }
    default:
      return []
  }
}
