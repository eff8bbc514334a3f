import type { Machine, MachineKind, NetnsId } from '../cluster/machine.ts'

/** Short names of the lab's namespaces, `khRUN-n1` for the first node: unique on the machine if the run id is. */
export type LabNames = ReadonlyMap<NetnsId, string>

const letters: Readonly<Record<MachineKind, string>> = {
  node: 'n',
  pod: 'p',
  host: 'h',
  router: 'r',
  'load-balancer': 'b',
  switch: 's',
}

/** A run id is part of every name, so it is short and plain. */
export const isRunId = (text: string): boolean => /^[a-z0-9]{1,6}$/.test(text)

export function labNames(machines: readonly Machine[], run: string): LabNames {
  const counts = new Map<MachineKind, number>()
  return new Map(
    machines.map(({ id, kind }) => {
      const n = (counts.get(kind) ?? 0) + 1
      counts.set(kind, n)
      return [id, `kh${run}-${letters[kind]}${n}`]
    }),
  )
}
