/** Where a field is in its object: keys of maps, indexes of lists. */
export type FieldPath = readonly (string | number)[]

/** `spec.ports[0].targetPort`; a key that is no plain word in brackets: `metadata.labels["app.kubernetes.io/name"]`. */
export const formatPath = (path: FieldPath): string => path.map((step, i) => formatStep(step, i === 0)).join('')

function formatStep(step: string | number, first: boolean): string {
  if (typeof step === 'number') return `[${step}]`
  if (!/^[A-Za-z_$][\w$-]*$/.test(step)) return `[${JSON.stringify(step)}]`
  return first ? step : `.${step}`
}
