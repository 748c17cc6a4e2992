/** One topic pattern of a rule, with the place of the rule among the others: what an index of rules holds. */
import type { ClientIdentity } from '@dunlin/broker';
import { isFor, type Rule } from '../rule.ts';
import { covers, fillIn, intersects, type Levels } from '../topic-pattern.ts';

export interface RuleEntry {
  /** Place among all rules: of two that match, the lower one decides. */
  readonly order: number;
  readonly rule: Rule;
  readonly pattern: Levels;
  /** True when `%c` or `%u` is filled in for each client. */
  readonly isMarked: boolean;
}

/** Request that entries are compared with. */
export interface Asked {
  readonly client: ClientIdentity;
  /** Levels of the topic name or filter. */
  readonly levels: Levels;
  readonly qos: number;
  readonly retain: boolean;
  /** Shared group of a subscription; undefined: none. */
  readonly group: string | undefined;
}

export type Decides = (entry: RuleEntry, asked: Asked) => boolean;
type Matches = (pattern: Levels, levels: Levels) => boolean;

export function decidesPublish(entry: RuleEntry, asked: Asked): boolean {
  const { rule } = entry;
  if (!rule.publish || (rule.qosBits & (1 << asked.qos)) === 0) return false;
  if (rule.retain !== null && rule.retain !== asked.retain) return false;
  // To the letter, a pattern with wildcards is no topic at all.
  return concerns(entry, asked, rule.isExact ? isSame : covers);
}

export function decidesSubscribe(entry: RuleEntry, asked: Asked): boolean {
  const { rule } = entry;
  if (!rule.subscribe || (rule.qosBits & (1 << asked.qos)) === 0) return false;
  if (rule.groups !== null && (asked.group === undefined || !rule.groups.test(asked.group))) return false;
  return concerns(entry, asked, rule.isExact ? isSame : rule.allows ? covers : intersects);
}

function concerns({ rule, pattern, isMarked }: RuleEntry, { client, levels }: Asked, matches: Matches): boolean {
  if (!isMarked) return matches(pattern, levels) && isFor(rule, client);
  if (!isFor(rule, client)) return false;
  const filled = fillIn(pattern, client.clientId, client.userName, !rule.allows);
  return filled !== null && matches(filled, levels);
}

function isSame(pattern: Levels, levels: Levels): boolean {
  return pattern.length === levels.length && pattern.every((level, index) => level === levels[index]);
}
