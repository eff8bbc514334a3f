import type { NetnsAdditions } from '../artefact/netns.ts'

/** One addition out of several, in order; a later sysctl replaces an earlier one. */
export const mergeAdditions = (parts: readonly NetnsAdditions[]): NetnsAdditions => ({
  links: parts.flatMap((p) => p.links ?? []),
  addresses: parts.flatMap((p) => p.addresses ?? []),
  routes: parts.flatMap((p) => p.routes ?? []),
  rules: parts.flatMap((p) => p.rules ?? []),
  neighbours: parts.flatMap((p) => p.neighbours ?? []),
  fdb: parts.flatMap((p) => p.fdb ?? []),
  sysctls: Object.assign({}, ...parts.map((p) => p.sysctls ?? {})),
  sockets: parts.flatMap((p) => p.sockets ?? []),
  ...(parts.some((p) => p.ipsets) ? { ipsets: parts.flatMap((p) => p.ipsets ?? []) } : {}),
})
