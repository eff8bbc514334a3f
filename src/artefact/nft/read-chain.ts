import { parsePriority } from './priority.ts'
import type { NftReader } from './reader.ts'
import type { NftBase, NftChain, NftHook } from './ruleset.ts'

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
export type ChainHead = Omit<NftChain, 'rules'>

const hooks: readonly string[] = ['prerouting', 'input', 'forward', 'output', 'postrouting'] satisfies NftHook[]
const isHook = (text: string): text is NftHook => hooks.includes(text)
const isBaseType = (text: string): text is NftBase['type'] => ['filter', 'nat', 'route'].includes(text)

/**
 * What stands between the braces of a chain. `onRule` reads whatever is no option of the chain; it hears of the chain as
 * far as it is known by then.
 */
export function readChain(r: NftReader, name: string, onHead: (head: ChainHead) => void, onRule: () => void): void {
  const head: Mutable<ChainHead> = { name }
  let isTold = false
  r.expect('{')
  for (r.skipBlank(); !r.accept('}'); r.skipBlank()) {
    if (readChainOption(r, head)) continue
    if (!isTold) onHead(head)
    isTold = true
    onRule()
  }
  if (!isTold) onHead(head)
}

function readChainOption(r: NftReader, head: Mutable<ChainHead>): boolean {
  if (r.peek.text === 'type' && r.ahead(2).text === 'hook') {
    head.base = { ...readBase(r), ...(head.base && { policy: head.base.policy }) }
    return true
  }
  if (r.accept('policy')) {
    const policy = r.take((text) => (text === 'accept' || text === 'drop' ? text : undefined), 'accept or drop')
    if (head.base) head.base = { ...head.base, policy }
    return true
  }
  if (r.peek.text === 'comment' && r.ahead(1).kind === 'string') {
    r.next()
    head.comment = r.next().text
    return true
  }
  return false
}

function readBase(r: NftReader): NftBase {
  r.expect('type')
  const type = r.take((text) => (isBaseType(text) ? text : undefined), 'filter, nat or route')
  r.expect('hook')
  const hook = r.take((text) => (isHook(text) ? text : undefined), `a hook of IP: ${hooks.join(', ')}`)
  r.expect('priority')
  const { start } = r.peek
  let end = start
  while (!r.endsStatement) end = r.next().end
  const text = r.text.slice(start, end)
  const priority = parsePriority(text, hook)
  if (priority === undefined) r.fail(`a priority instead of "${text}": a number, or a name that the hook ${hook} knows`)
  return { type, hook, priority, policy: 'accept' }
}
