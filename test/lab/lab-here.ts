import type { Hello } from '../../src/lab/observer-message.ts'
import { startObserver } from '../../src/lab/observer-process.ts'

/** Why no lab can be built on this machine; undefined where one can. */
export async function whyNoLab(): Promise<string | undefined> {
  if (process.platform !== 'linux') return `needs Linux, this is ${process.platform}`
  const observer = startObserver()
  try {
    const hello = await observer.ask<Hello>({ do: 'hello' })
    if ('failed' in hello) return hello.failed
    if (hello.missing.length > 0) return `needs ${hello.missing.join(', ')}`
    const lacking = hello.kinds.filter((k) => ['veth', 'bridge', 'vxlan'].includes(k))
    return lacking.length > 0 ? `this kernel has no ${lacking.join(', ')}` : undefined
  } finally {
    await observer.close()
  }
}
