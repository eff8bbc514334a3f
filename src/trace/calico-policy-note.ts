import { podNetworkKind } from '../cni/calico/environment.ts'
import { calicoObjects } from '../cni/calico/objects.ts'
import type { ObjectReader } from '../kube/store.ts'
import type { Note } from './trace.ts'

/** The meaning of policies is that of Kubernetes' kinds; Calico's own kinds decide too, where Calico runs. */
export function calicoPoliciesNotJudged(objects: ObjectReader): readonly Note[] {
  if (podNetworkKind(objects) === 'flannel') return []
  const policies = (['GlobalNetworkPolicy', 'NetworkPolicy'] as const).flatMap((kind) => calicoObjects(objects, kind))
  const [first] = policies
  if (!first) return []
  const { namespace, name } = first.metadata
  const rest = policies.length > 1 ? ` and ${policies.length - 1} more` : ''
  const who = `Calico's ${first.kind} ${namespace === undefined ? '' : `${namespace}/`}${name}${rest}`
  const message = `${who} may decide otherwise: this answer is about Kubernetes' kinds of policies only; kubehop trace and matrix --method dataplane ask all of them`
  return [{ level: 'warning', code: 'calico-policies-not-judged', message }]
}
