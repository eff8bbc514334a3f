/** A file's bytes as text with `\n` line ends, or why they are none. */
export type Decoded =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'binary'; readonly offset: number }
  | { readonly kind: 'not-utf8'; readonly offset: number }

/** UTF-8, or UTF-16 with a byte order mark, as PowerShell's `>` writes it. */
export function decode(content: string | Uint8Array): Decoded {
  if (typeof content === 'string') return checked(content)
  const [first, second] = content
  if (first === 0xff && second === 0xfe) return checked(new TextDecoder('utf-16le').decode(content))
  if (first === 0xfe && second === 0xff) return checked(new TextDecoder('utf-16be').decode(content))
  const zero = content.indexOf(0)
  if (zero >= 0) return { kind: 'binary', offset: zero }
  try {
    return checked(new TextDecoder('utf-8', { fatal: true }).decode(content))
  } catch {
    return { kind: 'not-utf8', offset: firstBadByte(content) }
  }
}

function checked(text: string): Decoded {
  const zero = text.indexOf('\0')
  if (zero >= 0) return { kind: 'binary', offset: zero }
  const plain = text.startsWith('\ufeff') ? text.slice(1) : text
  return { kind: 'text', text: plain.includes('\r\n') ? plain.replaceAll('\r\n', '\n') : plain }
}

/** The longest prefix that decodes ends before it. */
function firstBadByte(content: Uint8Array): number {
  let [low, high] = [0, content.length]
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    if (decodes(content.subarray(0, middle))) low = middle
    else high = middle - 1
  }
  return low
}

function decodes(prefix: Uint8Array): boolean {
  try {
    // `stream` lets a character that is cut off at the end pass.
    new TextDecoder('utf-8', { fatal: true }).decode(prefix, { stream: true })
    return true
  } catch {
    return false
  }
}
