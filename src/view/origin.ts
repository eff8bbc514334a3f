import type { Origin } from '../artefact/origin.ts'

/** `kube-proxy: Service shop/web ports[0] (cluster IP), web.yaml:12`; `flannel: Node node-b spec.podCIDR`. */
export function formatOrigin(origin: Origin): string {
  const { object, note, by } = origin
  if (!object) return note === undefined ? by : `${by}: ${note}`
  const name = object.namespace === undefined ? object.name : `${object.namespace}/${object.name}`
  const field = object.field === undefined ? '' : ` ${object.field}`
  const file = object.file === undefined ? '' : `, ${object.file}${object.line === undefined ? '' : `:${object.line}`}`
  const said = `${object.kind} ${name}${field}`
  const news = note !== undefined && !said.toLowerCase().includes(note.toLowerCase()) ? ` (${note})` : ''
  return `${by}: ${said}${news}${file}`
}
