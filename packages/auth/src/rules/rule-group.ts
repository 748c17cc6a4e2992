/** Rules that are looked at for the same clients. A few are compared one after another, more are found by their topics. */
import type { ClientIdentity } from '@dunlin/broker';
import { isFor } from '../rule.ts';
import { isPlain } from '../topic-pattern.ts';
import { type Asked, type Decides, decidesSubscribe, type RuleEntry } from './rule-entry.ts';
import { firstOf, isNamed, TopicIndex } from './topic-index.ts';

/** Entries that are compared one after another. */
const listedMax = 16;

export class RuleGroup {
  #entries: RuleEntry[] = [];
  /** Null: `#entries` has all of them. */
  #indexed: IndexedEntries | null = null;
  /** Rules about connecting; null: none. */
  #connects: RuleEntry[] | null = null;

  /** Entries are added in their order. */
  add(entry: RuleEntry): void {
    if (entry.rule.connect) {
      this.#connects ??= [];
      this.#connects.push(entry);
    } else if (this.#indexed !== null) this.#indexed.add(entry);
    else {
      this.#entries.push(entry);
      if (this.#entries.length <= listedMax) return;
      this.#indexed = new IndexedEntries();
      for (const listed of this.#entries) this.#indexed.add(listed);
      this.#entries = [];
    }
  }

  /** The first entry before `order` that decides; of denials with wildcards on both sides, some may be missing (`firstDenial`). */
  first(asked: Asked, order: number, decides: Decides): RuleEntry | null {
    return this.#indexed === null
      ? firstOf(this.#entries, asked, order, decides)
      : this.#indexed.first(asked, order, decides);
  }

  /** A denial before `order` that has a topic in common with the filter, among those that `first` may have missed; null: there is none. */
  firstDenial(asked: Asked, order: number): RuleEntry | null {
    return this.#indexed?.firstDenial(asked, order) ?? null;
  }

  /** The first rule about connecting that is for the client, before `order`. */
  firstConnect(client: ClientIdentity, order: number): RuleEntry | null {
    for (const entry of this.#connects ?? []) {
      if (entry.order >= order) return null;
      if (isFor(entry.rule, client)) return entry;
    }
    return null;
  }
}

class IndexedEntries {
  readonly #index = new TopicIndex();
  /** Denials with `%c` or `%u`: for an identity that cannot be filled in they stand for more than their levels. */
  readonly #marked: RuleEntry[] = [];
  /** Denials of subscriptions, all, by their first level, and those whose first level stands for several. */
  readonly #denials: RuleEntry[] = [];
  readonly #byFirstLevel = new Map<string, RuleEntry[]>();
  readonly #ofAnyLevel: RuleEntry[] = [];

  add(entry: RuleEntry): void {
    this.#index.add(entry);
    const { rule, pattern, isMarked } = entry;
    if (rule.allows) return;
    if (isMarked) this.#marked.push(entry);
    if (!rule.subscribe) return;
    this.#denials.push(entry);
    const [level] = pattern;
    const same = isNamed(level) ? this.#byFirstLevel.get(level) : this.#ofAnyLevel;
    if (same === undefined) this.#byFirstLevel.set(level, [entry]);
    else same.push(entry);
  }

  first(asked: Asked, order: number, decides: Decides): RuleEntry | null {
    const found = this.#index.first(asked, order, decides);
    if (this.#marked.length === 0 || isFilledIn(asked.client)) return found;
    return firstOf(this.#marked, asked, found?.order ?? order, decides) ?? found;
  }

  firstDenial(asked: Asked, order: number): RuleEntry | null {
    const { levels } = asked;
    if (!levels.some((level) => level === '+' || level === '#')) return null;
    const [level] = levels;
    if (!isNamed(level)) return firstOf(this.#denials, asked, order, decidesSubscribe);
    const same = this.#byFirstLevel.get(level) ?? [];
    return firstOf(same, asked, order, decidesSubscribe) ?? firstOf(this.#ofAnyLevel, asked, order, decidesSubscribe);
  }
}

function isFilledIn({ clientId, userName }: ClientIdentity): boolean {
  return isPlain(clientId) && isPlain(userName);
}
