import type { Cluster } from '../cluster/cluster.ts'
import type { Expectation } from '../kube/objects/kubehop.ts'
import type { Place } from '../kube/problem.ts'
import { checkExpectation, type ExpectationOptions, type ExpectationResult } from './expectation.ts'

/** One expected connection of one document, and what came of it. */
export interface Checked extends ExpectationResult {
  readonly expectation: Expectation
  /** Where the connection stands. */
  readonly at: Place | undefined
}

/** Runs every Expectation of the input, in its order. `namespace`: of documents that give none. */
export function checkAll(cluster: Cluster, { namespace, seed }: ExpectationOptions): readonly Checked[] {
  const { objects } = cluster
  return objects.list('Expectation').flatMap((expectation) => {
    const source = objects.sourceOf(expectation)
    return expectation.spec.expect.map((expected, i) => ({
      ...checkExpectation(cluster, expected, { namespace: expectation.metadata.namespace ?? namespace, seed }),
      expectation,
      at: source && { file: source.file, line: source.lineOf(['spec', 'expect', i]) },
    }))
  })
}

export const holds = ({ differences }: ExpectationResult): boolean => differences.length === 0
