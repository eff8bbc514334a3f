import { families, familyOf } from '../net/ip.ts'
import { atFamily } from '../policy/end.ts'
import { blocksOf } from '../policy/end-class.ts'
import { buildMatrix, type Destination, type Matrix } from './matrix.ts'
import { compareMatrices, type MatrixChange } from './matrix-compare.ts'
import type { MatrixEnd, MatrixGroup } from './matrix-groups.ts'
import { policyJudge } from './matrix-policy.ts'
import type { MatrixAxes } from './matrix-question.ts'
import type { Note } from './trace.ts'

const mostNotes = 5

/**
 * Where dual-stack pods get another answer over their second family than `matrix` says, which takes each at its first. Only
 * address blocks can tell families apart.
 */
export function familyNotes(axes: MatrixAxes, matrix: Matrix): readonly Note[] {
  if (blocksOf(axes.cluster.policies).length === 0) return []
  const second = atSecondFamily(axes)
  if (!second) return []
  const { cluster, sources, destinations } = second
  const judge = policyJudge(
    cluster,
    [...sources, ...destinations].flatMap((g) => g.ends),
  )
  const other = buildMatrix(sources, destinations, judge, { method: 'policy', notes: [] })
  const changes = compareMatrices(matrix, other).changes
  const family = second.family === 'ipv6' ? 'IPv6' : 'IPv4'
  const rest = changes.length - mostNotes
  return changes.slice(0, mostNotes).map((change, i): Note => {
    const more = rest > 0 && i === mostNotes - 1 ? ` (and ${rest} more such differences)` : ''
    return { level: 'warning', code: 'families-differ', message: `${differenceText(change, family)}${more}` }
  })
}

function differenceText({ change, from, to, port, by }: MatrixChange, family: string): string {
  const answer = change === 'reachable' ? 'more is allowed' : 'less is allowed'
  const why = by.length > 0 ? `, by ${namesOf(by)}` : ''
  return `over ${family}, ${answer} from ${namesOf(from)} to ${namesOf(to)} on ${port}${why}; cells are of the pods' first address`
}

const namesOf = (names: readonly string[]): string =>
  `${names.slice(0, 3).join(', ')}${names.length > 3 ? ` and ${names.length - 3} more` : ''}`

/** The same groups at the family that is not the first of the first dual-stack pod; undefined where there is none. */
function atSecondFamily(axes: MatrixAxes): (MatrixAxes & { readonly family: 'ipv4' | 'ipv6' }) | undefined {
  const ends = [...axes.sources, ...axes.destinations].flatMap((g) => g.ends)
  const dual = ends.find(({ end }) => end.kind === 'pod' && new Set(end.pod.ips.map(familyOf)).size > 1)?.end
  if (!dual?.ip) return undefined
  const first = familyOf(dual.ip)
  const family = families.find((f) => f !== first) ?? first
  const moved = new Map<MatrixEnd, MatrixEnd>()
  for (const member of ends) {
    const end = atFamily(member.end, family)
    if (end.ip !== undefined && familyOf(end.ip) === family) moved.set(member, { ...member, end })
  }
  const endsAt = (members: readonly MatrixEnd[]): readonly MatrixEnd[] => members.flatMap((m) => moved.get(m) ?? [])
  const group = <T extends MatrixGroup>(g: T): T => ({ ...g, ends: endsAt(g.ends) })
  const present = (g: MatrixGroup): boolean => g.ends.length > 0
  const destinations = axes.destinations.map(
    (d): Destination => ({ ...group(d), ports: d.ports.map((p) => ({ ...p, ends: endsAt(p.ends) })) }),
  )
  return {
    family,
    cluster: axes.cluster,
    sources: axes.sources.map((g) => group(g)).filter(present),
    destinations: destinations.filter(present),
  }
}
