/**
 * Entries by the levels that their patterns name: a topic is looked up, and not compared with one pattern after another.
 *
 * Patterns have the same shape when they name the same levels (`a/+/b/#` and `c/+/d/#`: the first and the third of at least three). A rules file has few shapes, and
 * the patterns of one are found by one look-up in a map, whatever their number. What is found is still compared: the index may find too many, never too few.
 */
import { hasMarks, type Levels } from '../topic-pattern.ts';
import type { Asked, Decides, RuleEntry } from './rule-entry.ts';

class Shape {
  readonly #named: readonly number[];
  readonly #length: number;
  readonly #hasTail: boolean;
  readonly #places = new Map<string, RuleEntry | RuleEntry[]>();

  constructor(named: readonly number[], length: number, hasTail: boolean) {
    this.#named = named;
    this.#length = length;
    this.#hasTail = hasTail;
  }

  add(entry: RuleEntry): void {
    const key = this.#keyOf(entry.pattern);
    const there = this.#places.get(key);
    if (there === undefined) this.#places.set(key, entry);
    else if (Array.isArray(there)) there.push(entry);
    else this.#places.set(key, [there, entry]);
  }

  /** Undefined: no pattern of this shape can match. */
  find(levels: Levels): RuleEntry | readonly RuleEntry[] | undefined {
    if (this.#hasTail ? levels.length < this.#length : levels.length !== this.#length) return undefined;
    return this.#places.get(this.#keyOf(levels));
  }

  #keyOf(levels: Levels): string {
    let key = '';
    for (const at of this.#named) key += `${levels[at]}/`;
    return key;
  }
}

export class TopicIndex {
  readonly #shapes = new Map<string, Shape>();

  /** Entries are added in their order. */
  add(entry: RuleEntry): void {
    const { pattern } = entry;
    const hasTail = pattern[pattern.length - 1] === '#';
    const length = hasTail ? pattern.length - 1 : pattern.length;
    const named: number[] = [];
    for (let at = 0; at < length; at++) if (isNamed(pattern[at])) named.push(at);
    const name = `${named} ${length} ${hasTail}`;
    let shape = this.#shapes.get(name);
    if (shape === undefined) {
      shape = new Shape(named, length, hasTail);
      this.#shapes.set(name, shape);
    }
    shape.add(entry);
  }

  /** The first entry that decides and comes before `order`; null: there is none. */
  first(asked: Asked, order: number, decides: Decides): RuleEntry | null {
    let found: RuleEntry | null = null;
    let before = order;
    for (const shape of this.#shapes.values()) {
      const there = shape.find(asked.levels);
      if (there === undefined) continue;
      const one = Array.isArray(there)
        ? firstOf(there, asked, before, decides)
        : firstOf1(there as RuleEntry, asked, before, decides);
      if (one === null) continue;
      found = one;
      before = one.order;
    }
    return found;
  }
}

/** False for a level that stands for others, or for something else with each client. */
export function isNamed(level: string): boolean {
  return level !== '+' && level !== '#' && !hasMarks([level]);
}

/** The first of some entries, which are in their order. */
export function firstOf(
  entries: readonly RuleEntry[],
  asked: Asked,
  order: number,
  decides: Decides,
): RuleEntry | null {
  for (const entry of entries) {
    if (entry.order >= order) return null;
    if (decides(entry, asked)) return entry;
  }
  return null;
}

function firstOf1(entry: RuleEntry, asked: Asked, order: number, decides: Decides): RuleEntry | null {
  return entry.order < order && decides(entry, asked) ? entry : null;
}
