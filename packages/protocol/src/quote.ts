/** Characters of a client's own text that a sentence about it quotes at most: it is there to be recognised, not to be repeated. */
export const quotedCharactersMax = 64;

/** The text in quotes, cut where it is longer; never in the middle of a character. */
export function quote(text: string): string {
  if (text.length <= quotedCharactersMax) return `"${text}"`;
  return `"${text
    .slice(0, quotedCharactersMax)
    .toWellFormed()
    .replace(/\uFFFD$/, '')}…"`;
}
