/** A piece of nft text. */
export interface NftToken {
  readonly kind: 'word' | 'string' | 'mark' | 'newline' | 'end'
  /** Without quotes. */
  readonly text: string
  readonly line: number
  readonly start: number
  readonly end: number
}

const pattern =
  /(\n)|([ \t\r]+|\\\n|#[^\n]*)|"([^"\n]*)"|(==|!=|<=|>=|<<|>>|[{};,=!<>|&^()])|([^\s{};,=!<>|&^()"]+)|(.)/gy

/** `;` and the end of a line end a statement; a colon at the end of a word is a word of its own. */
export function nftTokens(text: string): readonly NftToken[] {
  const tokens: NftToken[] = []
  let line = 1
  pattern.lastIndex = 0
  for (let found = pattern.exec(text); found; found = pattern.exec(text)) {
    const [all, newline, blank, quoted, mark, word, stray] = found
    const [start, end] = [found.index, found.index + all.length]
    if (newline !== undefined) tokens.push({ kind: 'newline', text: '\n', line: line++, start, end })
    else if (blank !== undefined) line += blank === '\\\n' ? 1 : 0
    else if (quoted !== undefined) tokens.push({ kind: 'string', text: quoted, line, start, end })
    else if (mark !== undefined) tokens.push({ kind: 'mark', text: mark, line, start, end })
    else tokens.push(...wordTokens(word ?? stray ?? '', line, start))
  }
  tokens.push({ kind: 'end', text: 'the end of the text', line, start: text.length, end: text.length })
  return tokens
}

/** `80:drop`, where nobody put blanks around the colon of a map. */
const mapping = /^([^:]+):(accept|drop|continue|return|jump|goto)$/

function wordTokens(text: string, line: number, start: number): readonly NftToken[] {
  const end = start + text.length
  const [, key, verdict] = mapping.exec(text) ?? []
  if (key !== undefined && verdict !== undefined) {
    const colon = start + key.length
    return [
      { kind: 'word', text: key, line, start, end: colon },
      { kind: 'word', text: ':', line, start: colon, end: colon + 1 },
      { kind: 'word', text: verdict, line, start: colon + 1, end },
    ]
  }
  if (text.length < 2 || !text.endsWith(':') || text.endsWith('::')) return [{ kind: 'word', text, line, start, end }]
  return [
    { kind: 'word', text: text.slice(0, -1), line, start, end: end - 1 },
    { kind: 'word', text: ':', line, start: end - 1, end },
  ]
}
