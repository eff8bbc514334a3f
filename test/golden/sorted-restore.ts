const shared = ['KUBE-SERVICES', 'KUBE-NODEPORTS', 'KUBE-EXTERNAL-SERVICES', 'KUBE-PROXY-FIREWALL']
const last = 'NOTE: this must be the last rule'

const chainOf = (line: string): string => line.split(' ')[1] ?? ''

/** KUBE-NODEPORTS, KUBE-SERVICES, the other KUBE chains by name. */
function byChain(a: string, b: string): number {
  const rank = (chain: string): string =>
    chain === 'KUBE-NODEPORTS' ? '0' : chain === 'KUBE-SERVICES' ? '1' : `2${chain}`
  return rank(a) < rank(b) ? -1 : rank(a) > rank(b) ? 1 : 0
}

/** `namespace/name`, then the port's name, of a rule's comment. */
function serviceOf(line: string): string {
  if (line.includes(last)) return '\uffff'
  const name = /--comment "?([^ "]+)/.exec(line)?.[1] ?? ''
  const [service = '', port = ''] = name.split(':')
  return `${service}\u0000${port}`
}

function byService(a: string, b: string): number {
  const [x, y] = [serviceOf(a), serviceOf(b)]
  return x < y ? -1 : x > y ? 1 : 0
}

/** Restore input in the order in which texts of kube-proxy are compared: its own is random (golden README). */
export function sortedRestore(text: string): readonly string[] {
  return text
    .split(/^(?=\*)/m)
    .filter((part) => part.startsWith('*'))
    .sort()
    .flatMap((part) => sortedTable(part.trimEnd().split('\n')))
}

function sortedTable(lines: readonly string[]): readonly string[] {
  const starting = (prefix: string) => lines.filter((line) => line.startsWith(prefix))
  const chains = starting(':').sort((a, b) => byChain(a.slice(1).split(' ')[0] ?? '', b.slice(1).split(' ')[0] ?? ''))
  const rules = starting('-A ').sort((a, b) => {
    const order = byChain(chainOf(a), chainOf(b))
    return order !== 0 || !shared.includes(chainOf(a)) ? order : byService(a, b)
  })
  return [lines[0] ?? '', ...chains, ...rules, ...starting('-X ').sort(), 'COMMIT']
}
