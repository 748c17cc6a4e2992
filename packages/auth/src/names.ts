/**
 * A list of names in which `*` stands for any run of characters, and `%u` for the user name. Each is looked through
 * once, so that no name given by a client can make it slow.
 */
export class Names {
  readonly #names: readonly (readonly string[])[];

  constructor(names: readonly string[]) {
    this.#names = names.map((name) => name.split(/\*+/));
  }

  /** Beginnings of the names, before anything that stands for others. */
  beginnings(): string[] {
    return [...new Set(this.#names.map(([first]) => first.split(userMark, 1)[0]))];
  }

  /** `userName`: for `%u`; null: a name with it fits nothing. */
  test(text: string, userName: string | null = null): boolean {
    for (const pieces of this.#names) {
      const filled = pieces.some((piece) => piece.includes(userMark)) ? fillIn(pieces, userName) : pieces;
      if (filled !== null && fits(filled, text)) return true;
    }
    return false;
  }
}

const userMark = '%u';

/** After the name was split: a `*` in a user name stands for itself. */
function fillIn(pieces: readonly string[], userName: string | null): readonly string[] | null {
  if (userName === null || userName === '') return null;
  return pieces.map((piece) => piece.replaceAll(userMark, () => userName));
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
