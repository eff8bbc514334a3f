import type { Origin } from '../artefact/origin.ts'

/** `Service shop/web ports[0] (cluster IP), web.yaml:12`; `flannel, node-b`. */
export function formatOrigin(origin: Origin): string {
  const { object, note, by } = origin
  if (!object) return note === undefined ? by : `${by}, ${note}`
  const name = object.namespace === undefined ? object.name : `${object.namespace}/${object.name}`
  const field = object.field === undefined ? '' : ` ${object.field}`
  const file = object.file === undefined ? '' : `, ${object.file}${object.line === undefined ? '' : `:${object.line}`}`
  return `${object.kind} ${name}${field}${note === undefined ? '' : ` (${note})`}${file}`
}
