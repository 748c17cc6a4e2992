/**
 * Rules in their order, found by who asks and for which topic: a file may have 100,000 of them, and a worker must not look at each for every client or topic.
 *
 * ```
 *   user: ann, ops-*   ──> groups "ann" and "ops-"    rules that name users, by what the names begin with
 *   client: gauge-7    ──> group "gauge-7"            others that name clients, in the same way
 *   all others         ──> one group                  everybody's, those by address, and names such as *-x and %u
 * ```
 *
 * A client's groups are those whose beginning its name or identifier has. Each finds rules by their topics (rule-group.ts); the first of all of them decides.
 */
import type { ClientIdentity } from '@dunlin/broker';
import type { Names } from '../names.ts';
import type { Rule } from '../rule.ts';
import { hasMarks } from '../topic-pattern.ts';
import { type Asked, decidesPublish, decidesSubscribe, type RuleEntry } from './rule-entry.ts';
import { RuleGroup } from './rule-group.ts';

/** Order of what was found; of nothing: behind all rules. */
function orderOf(found: RuleEntry | null): number {
  return found?.order ?? Number.POSITIVE_INFINITY;
}

export class RuleSet {
  readonly #byUser = new NamedGroups();
  readonly #byClient = new NamedGroups();
  readonly #others = new RuleGroup();
  #size = 0;
  #hasConnect = false;

  static of(rules: Iterable<Rule>): RuleSet {
    const set = new RuleSet();
    for (const rule of rules) set.add(rule);
    return set;
  }

  /** True when a rule says connect: then none may that no rule allows. */
  get hasConnect(): boolean {
    return this.#hasConnect;
  }

  /** Adds a rule behind the others. */
  add(rule: Rule): void {
    const order = this.#size++;
    if (rule.connect) this.#hasConnect = true;
    const groups = this.#byUser.groupsOf(rule.user) ?? this.#byClient.groupsOf(rule.client) ?? [this.#others];
    for (const pattern of rule.connect ? [[]] : rule.topics) {
      const entry = { order, rule, pattern, isMarked: hasMarks(pattern) };
      for (const group of groups) group.add(entry);
    }
  }

  /** Groups whose rules may be for a client. */
  groupsFor({ clientId, userName }: ClientIdentity): readonly RuleGroup[] {
    const groups = [this.#others];
    if (userName !== null) this.#byUser.find(userName, groups);
    this.#byClient.find(clientId, groups);
    return groups;
  }

  /** Answer of the first rule about connecting that is for the client; null: there is none. */
  mayConnect(client: ClientIdentity): boolean | null {
    if (!this.#hasConnect) return null;
    let found: RuleEntry | null = null;
    for (const group of this.groupsFor(client)) found = group.firstConnect(client, orderOf(found)) ?? found;
    return found?.rule.allows ?? null;
  }
}

/** Answer of the first rule of some groups that matches; null: none does. */
export function mayPublish(groups: readonly RuleGroup[], asked: Asked): boolean | null {
  let found: RuleEntry | null = null;
  for (const group of groups) found = group.first(asked, orderOf(found), decidesPublish) ?? found;
  return found?.rule.allows ?? null;
}

/**
 * Answer of the first rule of some groups that matches; null: none does.
 *
 * Denials take longer to find than what allows, so they are looked at only where something allows, or with `isNullTold`: else what nothing allows
 * is null as well where it is denied.
 */
export function maySubscribe(groups: readonly RuleGroup[], asked: Asked, isNullTold: boolean): boolean | null {
  let found: RuleEntry | null = null;
  for (const group of groups) found = group.first(asked, orderOf(found), decidesSubscribe) ?? found;
  if (found === null ? !isNullTold : !found.rule.allows) return found?.rule.allows ?? null;
  for (const group of groups) if (group.firstDenial(asked, orderOf(found)) !== null) return false;
  return found?.rule.allows ?? null;
}

/** Groups by what the names of their rules begin with. */
class NamedGroups {
  readonly #groups = new Map<string, RuleGroup>();
  /** Lengths of the beginnings. */
  readonly #lengths: number[] = [];

  /** Null: there are no names, or one that may begin with anything. */
  groupsOf(names: Names | null): RuleGroup[] | null {
    const beginnings = names?.beginnings() ?? [];
    return beginnings.length === 0 || beginnings.includes('') ? null : beginnings.map((text) => this.#groupOf(text));
  }

  #groupOf(beginning: string): RuleGroup {
    let group = this.#groups.get(beginning);
    if (group === undefined) {
      group = new RuleGroup();
      this.#groups.set(beginning, group);
      if (!this.#lengths.includes(beginning.length)) this.#lengths.push(beginning.length);
    }
    return group;
  }

  find(name: string, groups: RuleGroup[]): void {
    for (const length of this.#lengths) {
      const group = length > name.length ? undefined : this.#groups.get(name.slice(0, length));
      if (group !== undefined) groups.push(group);
    }
  }
}
