/**
 * A list of names in which `*` stands for any run of characters. Each is looked through once, so that no name given by
 * a client can make it slow.
 */
export class Names {
  readonly #names: readonly (readonly string[])[];

  constructor(names: readonly string[]) {
    this.#names = names.map((name) => name.split(/\*+/));
  }

  test(text: string): boolean {
    for (const pieces of this.#names) if (fits(pieces, text)) return true;
    return false;
  }
}

/**
 * `pieces` in this order, the first at the beginning, the last at the end, anything between. The leftmost place is as
 * good as any.
 */
function fits(pieces: readonly string[], text: string): boolean {
  const first = pieces[0];
  if (pieces.length === 1) return text === first;
  const last = pieces[pieces.length - 1];
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
  const end = text.length - last.length;
  let at = first.length;
  for (let i = 1; i < pieces.length - 1; i++) {
    const found = text.indexOf(pieces[i], at);
    if (found === -1 || found + pieces[i].length > end) return false;
    at = found + pieces[i].length;
  }
  return true;
}
