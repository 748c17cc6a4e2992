/**
 * The authorizer over rules: those that came with the client's token, then those of the rules file. The first that
 * matches wins; what none matches is denied.
 *
 * A subscription is allowed when an allowing rule covers its filter whole and no denying rule before it has a topic in
 * common with the filter: `#` does not get around a rule that denies `secret/#`.
 *
 * A client's rules are found once, at its first request, and its answers are kept for its last topics (bounded); a
 * connection compares no more than an object for the topic it publishes to again and again.
 */
import type { Authorizer, ClientIdentity } from '@dunlin/broker';
import { type ClientRule, mayConnect, type Rule, rulesFor } from './rule.ts';
import { covers, intersects, type Levels, levelsOf } from './topic-pattern.ts';

/**
 * Answers kept for one client; then all are forgotten. A client with more topics than this pays for the rules again.
 */
const answersMax = 256;
/** Characters of their topics: whoever has no right to anything may ask about long ones. */
const answersLengthMax = 16 * 1024;

/** Value of `ClientIdentity.notes`. */
class ClientNotes {
  readonly generation: number;
  readonly rules: readonly ClientRule[];
  /** Null: nothing restricts this client. */
  readonly isFree: boolean;
  /** Answers for publishes, by topic: bits 0 to 5 asked, bits 6 to 11 allowed; by QoS, and 3 more with RETAIN. */
  answers: Map<string, number> | null = null;
  /** Characters of the topics in `answers`. */
  answersLength = 0;

  constructor(generation: number, rules: readonly ClientRule[], isFree: boolean) {
    this.generation = generation;
    this.rules = rules;
    this.isFree = isFree;
  }

  keep(topic: string, answer: number, isNew: boolean): void {
    if (topic.length > answersLengthMax) return;
    this.answers ??= new Map();
    if (isNew && (this.answers.size >= answersMax || this.answersLength + topic.length > answersLengthMax)) {
      this.answers.clear();
      this.answersLength = 0;
    }
    this.answers.set(topic, answer);
    if (isNew) this.answersLength += topic.length;
  }
}

export class RulesAuthorizer implements Authorizer {
  /** Null: there is no rules file, and only what came with a token restricts anybody. */
  #rules: readonly Rule[] | null;
  #generation = 0;

  constructor(rules: readonly Rule[] | null) {
    this.#rules = rules;
  }

  /** Replaces the rules. The broker must be told: `Broker.rulesChanged`. */
  replace(rules: readonly Rule[] | null): void {
    this.#rules = rules;
    this.#generation++;
  }

  mayConnect(client: ClientIdentity): boolean {
    return mayConnect(this.#rulesOf(client), client);
  }

  authorize(
    client: ClientIdentity,
    action: 'publish' | 'subscribe',
    topic: string,
    qos: 0 | 1 | 2,
    retain: boolean,
    group?: string,
  ): boolean {
    const notes = this.#notesOf(client);
    if (notes.isFree) return true;
    if (action === 'subscribe') return maySubscribe(notes.rules, topic, qos, group);
    const bit = 1 << (qos + (retain ? 3 : 0));
    const known = notes.answers?.get(topic) ?? 0;
    if ((known & bit) !== 0) return (known & (bit << 6)) !== 0;
    const isAllowed = mayPublish(notes.rules, topic, qos, retain);
    notes.keep(topic, known | bit | (isAllowed ? bit << 6 : 0), known === 0);
    return isAllowed;
  }

  /** The answer of the first rule that matches; null: none does. */
  decide(
    client: ClientIdentity,
    action: 'publish' | 'subscribe',
    topic: string,
    qos: 0 | 1 | 2,
    retain: boolean,
    group?: string,
  ): boolean | null {
    const { rules } = this.#notesOf(client);
    if (rules.length === 0) return null;
    return action === 'publish' ? ofPublish(rules, topic, qos, retain) : ofSubscribe(rules, topic, qos, group);
  }

  #notesOf(client: ClientIdentity): ClientNotes {
    let notes = client.notes as ClientNotes | undefined;
    if (notes === undefined || notes.generation !== this.#generation) {
      notes = this.#notesFor(client);
      client.notes = notes;
    }
    return notes;
  }

  #notesFor(client: ClientIdentity): ClientNotes {
    const isFree = (client.rules ?? null) === null && this.#rules === null;
    return new ClientNotes(this.#generation, rulesFor(this.#rulesOf(client), client), isFree);
  }

  /** Rules that came with the client, then those of the file. */
  #rulesOf(client: ClientIdentity): readonly Rule[] {
    const own = (client.rules ?? []) as readonly Rule[];
    return [...own, ...(this.#rules ?? [])];
  }
}

/** False where no rule allows it. */
export function mayPublish(rules: readonly ClientRule[], topic: string, qos: number, retain: boolean): boolean {
  return ofPublish(rules, topic, qos, retain) ?? false;
}

/** False where no rule allows it. */
export function maySubscribe(rules: readonly ClientRule[], filter: string, qos: number, group?: string): boolean {
  return ofSubscribe(rules, filter, qos, group) ?? false;
}

/** Null: no rule matches. */
function ofPublish(rules: readonly ClientRule[], topic: string, qos: number, retain: boolean): boolean | null {
  const levels = levelsOf(topic);
  for (const rule of rules) {
    if (!rule.publish || (rule.qosBits & (1 << qos)) === 0) continue;
    if (rule.retain !== null && rule.retain !== retain) continue;
    // To the letter, a pattern with wildcards is no topic at all.
    const matches = rule.isExact ? isSame : covers;
    for (const pattern of rule.topics) if (matches(pattern, levels)) return rule.allows;
  }
  return null;
}

/** Null: no rule matches. */
function ofSubscribe(
  rules: readonly ClientRule[],
  filter: string,
  qos: number,
  group: string | undefined,
): boolean | null {
  const levels = levelsOf(filter);
  for (const rule of rules) {
    if (!rule.subscribe || (rule.qosBits & (1 << qos)) === 0) continue;
    if (rule.groups !== null && (group === undefined || !rule.groups.test(group))) continue;
    const matches = rule.isExact ? isSame : rule.allows ? covers : intersects;
    for (const pattern of rule.topics) if (matches(pattern, levels)) return rule.allows;
  }
  return null;
}

function isSame(pattern: Levels, levels: Levels): boolean {
  return pattern.length === levels.length && pattern.every((level, index) => level === levels[index]);
}
