import { field, isObject, type JsonObject, parseJson } from './json.ts'

/** A network configuration list: `/etc/cni/net.d/10-flannel.conflist`. */
export interface CniConf {
  readonly name: string
  readonly plugins: readonly PluginConf[]
}

export interface PluginConf {
  readonly type: string
  /** The plugin's own keys. */
  readonly options: JsonObject
}

/** What kube-flannel.yml ships. */
export const defaultCniConf: CniConf = {
  name: 'cbr0',
  plugins: [
    { type: 'flannel', options: { type: 'flannel', delegate: { hairpinMode: true, isDefaultGateway: true } } },
    { type: 'portmap', options: { type: 'portmap', capabilities: { portMappings: true } } },
  ],
}

export type CniConfResult = { readonly conf: CniConf } | { readonly errors: readonly string[] }

/** A list, or the single plugin of a `.conf` file (flannel before v0.10.0). */
export function parseCniConf(text: string): CniConfResult {
  const parsed = parseJson(text)
  if ('error' in parsed) return { errors: [`cni-conf.json is no JSON: ${parsed.error}`] }
  if (!isObject(parsed.value)) return { errors: ['cni-conf.json holds no JSON object'] }
  const json = parsed.value
  const listed = field(json, 'plugins')
  const entries: readonly unknown[] = Array.isArray(listed) ? listed : [json]
  const plugins = entries.map(pluginConf)
  const name = field(json, 'name')
  const errors = plugins.flatMap((p, i) => (p ? [] : [`cni-conf.json: plugins[${i}] has no type`]))
  if (typeof name !== 'string' || name === '') errors.push('cni-conf.json: name must be a string')
  if (errors.length > 0) return { errors }
  return { conf: { name: String(name), plugins: plugins.flatMap((p) => p ?? []) } }
}

function pluginConf(value: unknown): PluginConf | undefined {
  const type = isObject(value) ? field(value, 'type') : undefined
  return isObject(value) && typeof type === 'string' ? { type, options: value } : undefined
}

export const pluginOf = (conf: CniConf, type: string): PluginConf | undefined =>
  conf.plugins.find((p) => p.type === type)

/** Readers of a plugin's keys. Go's zero values stand for what is absent. */
export const booleanOf = (options: JsonObject, name: string, fallback = false): boolean => {
  const value = field(options, name)
  return typeof value === 'boolean' ? value : fallback
}
export const textOf = (options: JsonObject, name: string): string | undefined => {
  const value = field(options, name)
  return typeof value === 'string' && value !== '' ? value : undefined
}
export const numberOf = (options: JsonObject, name: string): number | undefined => {
  const value = field(options, name)
  return typeof value === 'number' ? value : undefined
}
export const textsOf = (options: JsonObject, name: string): readonly string[] => {
  const value = field(options, name)
  return Array.isArray(value) ? value.filter((v) => typeof v === 'string') : []
}
