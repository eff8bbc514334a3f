import type { Origin } from '../../../artefact/origin.ts'
import type { Generation } from '../generation.ts'
import { chainName } from '../names.ts'
import { all, type Marks } from './marks.ts'
import {
  clearMark,
  conntrackIs,
  type FelixChain,
  type FelixRule,
  jumpTo,
  markIsClear,
  markIsSet,
  nflog,
  setMark,
} from './rule.ts'

/** One policy, or a chain for several of the same selector; `id` follows `cali-pi-` or is a whole chain name. */
export type PolicyJump =
  | { readonly kind: 'policy'; readonly id: string; readonly origin?: Origin }
  | { readonly kind: 'group'; readonly chain: string; readonly origin?: Origin }

export interface EndpointTier {
  readonly name: string
  readonly defaultAction: 'Deny' | 'Pass'
  readonly ingress: readonly PolicyJump[]
  readonly egress: readonly PolicyJump[]
}

export interface EndpointRules {
  readonly interface: string
  readonly adminUp: boolean
  readonly tiers: readonly EndpointTier[]
  readonly profiles: readonly string[]
  /** Who is behind the interface, for origins: `default/web`. */
  readonly title?: string
  readonly origin?: Origin
}

export interface EndpointContext {
  readonly marks: Marks
  readonly generation: Pick<Generation, 'tierInStart' | 'tierInEnd'>
  /** Targets. */
  readonly filterAllowAction: string
  readonly mangleAllowAction: string
  readonly denyAction: string
  readonly vxlanPort: number
  readonly dropEncapFromWorkloads: { readonly vxlan: boolean; readonly ipip: boolean }
  readonly conntrackInvalidCheck: boolean
  readonly flowLogs: boolean
}

/** How the chain of one direction differs (felix/rules/endpoints.go). */
interface ChainSpec {
  readonly name: string
  readonly direction: 'ingress' | 'egress'
  readonly tracked: boolean
  readonly allowAction: string
  readonly failsafe?: 'cali-failsafe-in' | 'cali-failsafe-out'
  readonly dropsEncap: boolean
  /** Whether a tier without a verdict drops. */
  readonly endsTiers: boolean
  readonly profiles: boolean
  /** Forwarded traffic past a host endpoint without policy is let through. */
  readonly allowsWithoutPolicy: boolean
  readonly notracks: boolean
}

const base = {
  tracked: true,
  dropsEncap: false,
  endsTiers: true,
  profiles: true,
  allowsWithoutPolicy: false,
  notracks: false,
} as const

/** `cali-tw-` to the pod, and `cali-fw-` from it. */
export function workloadChains(endpoint: EndpointRules, ctx: EndpointContext): readonly FelixChain[] {
  const shared = { ...base, allowAction: ctx.filterAllowAction }
  return [
    chainOf(endpoint, ctx, { ...shared, name: 'cali-tw-', direction: 'ingress' }),
    chainOf(endpoint, ctx, { ...shared, name: 'cali-fw-', direction: 'egress', dropsEncap: true }),
  ]
}

/** Each of a host endpoint's policies acts in one table: all are ingress to `cali-fh` and egress to `cali-th`. */
export function hostFilterChains(
  endpoint: EndpointRules,
  forwarded: readonly EndpointTier[],
  ctx: EndpointContext,
): readonly FelixChain[] {
  const shared = { ...base, allowAction: ctx.filterAllowAction }
  const forward = { ...shared, profiles: false, allowsWithoutPolicy: true }
  const onForward = { ...endpoint, tiers: forwarded }
  return [
    chainOf(endpoint, ctx, { ...shared, name: 'cali-th-', direction: 'egress', failsafe: 'cali-failsafe-out' }),
    chainOf(endpoint, ctx, { ...shared, name: 'cali-fh-', direction: 'ingress', failsafe: 'cali-failsafe-in' }),
    chainOf(onForward, ctx, { ...forward, name: 'cali-thfw-', direction: 'egress' }),
    chainOf(onForward, ctx, { ...forward, name: 'cali-fhfw-', direction: 'ingress' }),
  ]
}

export function hostRawChains(endpoint: EndpointRules, ctx: EndpointContext): readonly FelixChain[] {
  const shared = {
    ...base,
    allowAction: 'ACCEPT',
    tracked: false,
    endsTiers: false,
    profiles: false,
    notracks: true,
  }
  return [
    chainOf(endpoint, ctx, { ...shared, name: 'cali-th-', direction: 'egress', failsafe: 'cali-failsafe-out' }),
    chainOf(endpoint, ctx, { ...shared, name: 'cali-fh-', direction: 'ingress', failsafe: 'cali-failsafe-in' }),
  ]
}

/** Policies in front of DNAT. */
export const hostMangleIngress = (endpoint: EndpointRules, ctx: EndpointContext): FelixChain =>
  chainOf(endpoint, ctx, {
    ...base,
    allowAction: ctx.mangleAllowAction,
    name: 'cali-fh-',
    direction: 'ingress',
    failsafe: 'cali-failsafe-in',
    endsTiers: false,
    profiles: false,
  })

/** Plain egress policies, for what was DNATed: filter OUTPUT saw the address before. */
export const hostMangleEgress = (endpoint: EndpointRules, ctx: EndpointContext): FelixChain =>
  chainOf(endpoint, ctx, {
    ...base,
    allowAction: ctx.mangleAllowAction,
    name: 'cali-th-',
    direction: 'egress',
    failsafe: 'cali-failsafe-out',
  })

function chainOf(endpoint: EndpointRules, ctx: EndpointContext, spec: ChainSpec): FelixChain {
  const name = chainName(spec.name, endpoint.interface)
  const origin = endpoint.origin ? { origin: endpoint.origin } : {}
  if (!endpoint.adminUp) {
    return { name, rules: [{ comments: ['Endpoint admin disabled'], action: jumpTo(ctx.denyAction), ...origin }] }
  }
  const tiers = endpoint.tiers.filter((tier) => tier[spec.direction].length > 0)
  const rules: FelixRule[] = [
    ...(spec.tracked ? conntrackRules(ctx, spec) : []),
    ...(spec.failsafe ? [{ action: jumpTo(spec.failsafe) }] : []),
    { action: clearMark(all(ctx.marks.accept, ctx.marks.pass)) },
    ...(spec.dropsEncap ? encapDrops(ctx) : []),
    ...tiers.flatMap((tier) => tierRules(tier, endpoint, ctx, spec)),
    ...(spec.allowsWithoutPolicy && tiers.length === 0 ? allowForwarded(ctx) : []),
    ...(spec.profiles ? profileRules(endpoint, ctx, spec) : []),
  ]
  return { name, rules: rules.map((rule) => ({ ...origin, ...rule })) }
}

function conntrackRules({ marks, denyAction, conntrackInvalidCheck }: EndpointContext, { allowAction }: ChainSpec) {
  const established = conntrackIs('RELATED,ESTABLISHED')
  const allowed: FelixRule[] =
    allowAction === 'RETURN'
      ? [
          { match: established, action: setMark(marks.accept) },
          { match: established, action: jumpTo('RETURN') },
        ]
      : [{ match: established, action: jumpTo(allowAction) }]
  return conntrackInvalidCheck ? [...allowed, { match: conntrackIs('INVALID'), action: jumpTo(denyAction) }] : allowed
}

const encapDrops = ({ vxlanPort, denyAction, dropEncapFromWorkloads }: EndpointContext): readonly FelixRule[] => [
  ...(dropEncapFromWorkloads.vxlan
    ? [
        {
          comments: ['Drop VXLAN encapped packets originating in workloads'],
          match: `-p 17 -m multiport --destination-ports ${vxlanPort}`,
          action: jumpTo(denyAction),
        },
      ]
    : []),
  ...(dropEncapFromWorkloads.ipip
    ? [
        {
          comments: ['Drop IPinIP encapped packets originating in workloads'],
          match: '-p 4',
          action: jumpTo(denyAction),
        },
      ]
    : []),
]

function tierRules(
  tier: EndpointTier,
  endpoint: EndpointRules,
  ctx: EndpointContext,
  spec: ChainSpec,
): readonly FelixRule[] {
  const { marks, generation } = ctx
  const notPassed = markIsClear(marks.pass)
  const prefix = spec.direction === 'ingress' ? 'cali-pi-' : 'cali-po-'
  const jumps = tier[spec.direction].flatMap((jump): FelixRule[] => [
    {
      match: notPassed,
      action: jumpTo(jump.kind === 'group' ? jump.chain : chainName(prefix, jump.id)),
      ...(jump.origin ? { origin: jump.origin } : {}),
    },
    ...(spec.notracks ? [{ match: markIsSet(marks.accept), action: jumpTo('NOTRACK') }] : []),
    { comments: ['Return if policy accepted'], match: markIsSet(marks.accept), action: jumpTo('RETURN') },
  ])
  const start = generation.tierInStart ? `Start of tier ${tier.name}` : 'Start of policies'
  return [
    { comments: [start], action: clearMark(marks.pass) },
    ...jumps,
    ...(spec.endsTiers && tier.defaultAction === 'Deny' ? endOfTier(tier, endpoint, ctx, spec) : []),
  ]
}

function endOfTier(
  tier: EndpointTier,
  endpoint: EndpointRules,
  { marks, generation, denyAction, flowLogs }: EndpointContext,
  { direction }: ChainSpec,
): readonly FelixRule[] {
  const match = markIsClear(marks.pass)
  const verb = denyAction === 'REJECT' ? 'Reject' : 'Drop'
  const text = `${verb} if no policies passed packet`
  const comment = generation.tierInEnd ? `End of tier ${tier.name}. ${text}` : text
  const origin = isolation(tier, endpoint, direction)
  return [
    ...(flowLogs ? [{ match, action: flowLog(direction, `DP${letterOf(direction)}|${tier.name}`) }] : []),
    { comments: [comment], match, action: jumpTo(denyAction), ...(origin ? { origin } : {}) },
  ]
}

const letterOf = (direction: 'ingress' | 'egress'): string => (direction === 'ingress' ? 'I' : 'E')
const flowLog = (direction: 'ingress' | 'egress', prefix: string): string =>
  nflog(direction === 'ingress' ? 1 : 2, prefix)

/** The policies because of which there is a verdict at all. */
function isolation(tier: EndpointTier, { title }: EndpointRules, direction: 'ingress' | 'egress'): Origin | undefined {
  const origins = tier[direction].flatMap((jump) => jump.origin ?? [])
  const [first] = origins
  if (first?.object === undefined) return undefined
  const { field: _, ...object } = first.object
  const names = origins.flatMap(({ object: o }) =>
    o ? [`${o.kind} ${o.namespace ? `${o.namespace}/` : ''}${o.name}`] : [],
  )
  const whom = title === undefined ? '' : ` of ${title}`
  return {
    by: 'calico',
    note: `${direction} policy${whom}: nothing in tier ${tier.name} (${names.join(', ')}) allows it`,
    object,
  }
}

const allowForwarded = ({ marks }: EndpointContext): readonly FelixRule[] => [
  { comments: ['Allow forwarded traffic by default'], action: setMark(marks.accept) },
  { comments: ['Return for accepted forward traffic'], action: jumpTo('RETURN') },
]

function profileRules(
  { profiles }: EndpointRules,
  { marks, denyAction, flowLogs }: EndpointContext,
  { direction }: ChainSpec,
): readonly FelixRule[] {
  const verb = denyAction === 'REJECT' ? 'Reject' : 'Drop'
  const prefix = direction === 'ingress' ? 'cali-pri-' : 'cali-pro-'
  return [
    ...profiles.flatMap((profile) => [
      { action: jumpTo(chainName(prefix, profile)) },
      { comments: ['Return if profile accepted'], match: markIsSet(marks.accept), action: jumpTo('RETURN') },
    ]),
    ...(flowLogs ? [{ action: flowLog(direction, `DR${letterOf(direction)}`) }] : []),
    { comments: [`${verb} if no profiles matched`], action: jumpTo(denyAction) },
  ]
}

/** A chain for several policies: after every fifth, a verdict ends it. */
export function groupChainOf(chain: string, policyChains: readonly string[], marks: Marks): FelixChain {
  const verdict = all(marks.accept, marks.pass)
  return {
    name: chain,
    rules: policyChains.flatMap((policy, i): FelixRule[] => {
      if (i === 0) return [{ action: jumpTo(policy) }]
      if (i % 5 !== 0) return [{ match: markIsClear(verdict), action: jumpTo(policy) }]
      return [
        {
          comments: ['Return on verdict'],
          match: `-m mark ! --mark 0/0x${verdict.toString(16)}`,
          action: jumpTo('RETURN'),
        },
        { action: jumpTo(policy) },
      ]
    }),
  }
}
