import type { FieldPath } from '../field-path.ts'
import { isLabelValue } from '../name-rules.ts'
import type { LabelRequirement, LabelSelector } from '../objects/meta.ts'
import { type FieldError, forbidden, invalid, labelErrors, labelKeyErrors, required, valueRule } from './field-error.ts'

/** ValidateLabelSelector (apimachinery `pkg/apis/meta/v1/validation`). */
export function labelSelectorErrors(path: FieldPath, selector: LabelSelector | undefined): readonly FieldError[] {
  if (!selector) return []
  const expressions = selector.matchExpressions ?? []
  return [
    ...labelErrors([...path, 'matchLabels'], selector.matchLabels),
    ...expressions.flatMap((e, i) => requirementErrors([...path, 'matchExpressions', i], e)),
  ]
}

function requirementErrors(path: FieldPath, requirement: Partial<LabelRequirement>): readonly FieldError[] {
  const { key = '', values = [] } = requirement
  const bad = values.flatMap((v, i) => (isLabelValue(v) ? [] : [invalid([...path, 'values', i], v, valueRule)]))
  return [...operatorErrors(path, requirement), ...labelKeyErrors([...path, 'key'], key), ...bad]
}

function operatorErrors(path: FieldPath, { operator, values = [] }: Partial<LabelRequirement>): readonly FieldError[] {
  switch (operator) {
    case 'In':
    case 'NotIn':
      if (values.length > 0) return []
      return [required([...path, 'values'], "must be specified when `operator` is 'In' or 'NotIn'")]
    case 'Exists':
    case 'DoesNotExist':
      if (values.length === 0) return []
      return [forbidden([...path, 'values'], "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")]
    default:
      return [invalid([...path, 'operator'], operator, 'must be In, NotIn, Exists or DoesNotExist')]
  }
}
