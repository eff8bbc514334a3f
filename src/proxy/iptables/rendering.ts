import type { ServicePortPlan } from '../plan.ts'
import type { ProxySettings } from '../proxy-settings.ts'
import { behaviourOf, type ProxyBehaviour } from '../version.ts'
import type { ChainRule } from './rule-parts.ts'

/** What the rules of every service depend on. */
export interface Rendering {
  readonly settings: ProxySettings
  readonly behaviour: ProxyBehaviour
  /** More than 1000 endpoints over all service ports: the per-endpoint rules lose their comments. */
  readonly large: boolean
}

/** The rules of one service port, in the order in which kube-proxy writes them. */
export interface ServiceRules {
  /** Its own nat chains, in the order of their chain lines. */
  readonly chains: readonly string[]
  readonly filter: readonly ChainRule[]
  /** Both in its own chains and in those that all services share. */
  readonly nat: readonly ChainRule[]
}

const largeClusterEndpoints = 1000

export const rendering = (plans: readonly ServicePortPlan[], settings: ProxySettings): Rendering => ({
  settings,
  behaviour: behaviourOf(settings.minor, settings.featureGates),
  large: plans.reduce((sum, plan) => sum + plan.endpoints.length, 0) > largeClusterEndpoints,
})
