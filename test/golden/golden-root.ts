import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** Where the upstream cases of one kind are: below `KUBEHOP_GOLDEN`, or beside the checkout. They are never part of it. */
export function goldenRoot(kind: string): { readonly path: string } | { readonly missing: string } {
  const root = process.env.KUBEHOP_GOLDEN ?? resolve(import.meta.dirname, '../../../shared/golden')
  const path = join(root, kind)
  return existsSync(path)
    ? { path }
    : { missing: `no golden cases at ${kind}: set KUBEHOP_GOLDEN to their root folder` }
}
