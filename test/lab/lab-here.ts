import type { Hello } from '../../src/lab/observer-message.ts'
import { startObserver } from '../../src/lab/observer-process.ts'

export interface LabHere {
  /** Why no lab can be built on this machine; undefined where one can. */
  readonly missing: string | undefined
  /** Kinds of device that this kernel cannot make. */
  readonly kinds: readonly string[]
}

export async function labHere(): Promise<LabHere> {
  if (process.platform !== 'linux') return { missing: `needs Linux, this is ${process.platform}`, kinds: [] }
  const observer = startObserver()
  try {
    const hello = await observer.ask<Hello>({ do: 'hello' })
    if ('failed' in hello) return { missing: hello.failed, kinds: [] }
    if (hello.missing.length > 0) return { missing: `needs ${hello.missing.join(', ')}`, kinds: [] }
    const lacking = hello.kinds.filter((k) => ['veth', 'bridge', 'vxlan'].includes(k))
    const missing = lacking.length > 0 ? `this kernel has no ${lacking.join(', ')}` : undefined
    return { missing, kinds: hello.kinds }
  } finally {
    await observer.close()
  }
}

export const whyNoLab = async (): Promise<string | undefined> => (await labHere()).missing
