/**
 * The authorizer over rules: those that came with the client's token, then those of the rules file. The first that
 * matches wins; what none matches is denied.
 *
 * A subscription is allowed when an allowing rule covers its filter whole and no denying rule before it has a topic in
 * common with the filter: `#` does not get around a rule that denies `secret/#`.
 *
 * Where a client's rules are is found once, at its first request, and its answers are kept for its last topics (bounded);
 * a connection compares no more than an object for the topic it publishes to again and again.
 */
import type { Authorizer, ClientIdentity } from '@dunlin/broker';
import type { Rule } from './rule.ts';
import type { RuleGroup } from './rules/rule-group.ts';
import { mayPublish, maySubscribe, RuleSet } from './rules/rule-set.ts';
import { levelsOf } from './topic-pattern.ts';

/**
 * Answers kept for one client; then all are forgotten. A client with more topics than this pays for the rules again.
 */
const answersMax = 256;
/** Characters of their topics: whoever has no right to anything may ask about long ones. */
const answersLengthMax = 16 * 1024;

/** Value of `ClientIdentity.notes`. */
class ClientNotes {
  readonly generation: number;
  /** Groups of the rules that came with the client, and of those of the file; null: there are no such rules. */
  readonly own: readonly RuleGroup[] | null;
  readonly file: readonly RuleGroup[] | null;
  /** Answers for publishes, by topic: bits 0 to 5 asked, bits 6 to 11 allowed; by QoS, and 3 more with RETAIN. */
  answers: Map<string, number> | null = null;
  /** Characters of the topics in `answers`. */
  answersLength = 0;

  constructor(generation: number, own: readonly RuleGroup[] | null, file: readonly RuleGroup[] | null) {
    this.generation = generation;
    this.own = own;
    this.file = file;
  }

  /** True: nothing restricts this client. */
  get isFree(): boolean {
    return this.own === null && this.file === null;
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
  #rules: RuleSet | null;
  #generation = 0;
  /** Sets of rules that came with clients: some, such as those for who may do everything, come with many. */
  readonly #ownSets = new WeakMap<readonly Rule[], RuleSet>();

  constructor(rules: RuleSet | null) {
    this.#rules = rules;
  }

  /** Replaces the rules. The broker must be told: `Broker.rulesChanged`. */
  replace(rules: RuleSet | null): void {
    this.#rules = rules;
    this.#generation++;
  }

  mayConnect(client: ClientIdentity): boolean {
    const own = this.#ownOf(client);
    const file = this.#rules;
    if (own?.hasConnect !== true && file?.hasConnect !== true) return true;
    return own?.mayConnect(client) ?? file?.mayConnect(client) ?? false;
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
    if (action === 'subscribe') return decided(notes, client, action, topic, qos, false, group, false) ?? false;
    const bit = 1 << (qos + (retain ? 3 : 0));
    const known = notes.answers?.get(topic) ?? 0;
    if ((known & bit) !== 0) return (known & (bit << 6)) !== 0;
    const isAllowed = decided(notes, client, action, topic, qos, retain, undefined, false) ?? false;
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
    return decided(this.#notesOf(client), client, action, topic, qos, retain, group, true);
  }

  #notesOf(client: ClientIdentity): ClientNotes {
    let notes = client.notes as ClientNotes | undefined;
    if (notes === undefined || notes.generation !== this.#generation) {
      const own = this.#ownOf(client)?.groupsFor(client) ?? null;
      notes = new ClientNotes(this.#generation, own, this.#rules?.groupsFor(client) ?? null);
      client.notes = notes;
    }
    return notes;
  }

  #ownOf({ rules }: ClientIdentity): RuleSet | null {
    const own = (rules ?? null) as readonly Rule[] | null;
    if (own === null) return null;
    let set = this.#ownSets.get(own);
    if (set === undefined) {
      set = RuleSet.of(own);
      this.#ownSets.set(own, set);
    }
    return set;
  }
}

/** Null: no rule matches. `isNullTold`: somebody else is asked then, and not where a rule denies. */
function decided(
  { own, file }: ClientNotes,
  client: ClientIdentity,
  action: 'publish' | 'subscribe',
  topic: string,
  qos: 0 | 1 | 2,
  retain: boolean,
  group: string | undefined,
  isNullTold: boolean,
): boolean | null {
  const asked = { client, levels: levelsOf(topic), qos, retain, group };
  const ask = (groups: readonly RuleGroup[] | null, isNullOfUse: boolean): boolean | null => {
    if (groups === null) return null;
    return action === 'publish' ? mayPublish(groups, asked) : maySubscribe(groups, asked, isNullOfUse);
  };
  // Behind the client's own rules come those of the file.
  return ask(own, file !== null || isNullTold) ?? ask(file, isNullTold);
}
