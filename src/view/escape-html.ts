/** Text as content or quoted attribute of HTML and SVG. XML has no form for control characters. */
export const escapeHtml = (text: string): string =>
  text
    .replaceAll(/(?![\n\t])\p{Cc}/gu, '\uFFFD')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
