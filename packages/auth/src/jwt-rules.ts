/**
 * Rules in a token: a list as in the rules file, or lists of topics that are allowed: `{ "publish": ["a/%c"],
 * "subscribe": ["b/#"], "all": ["c"] }`.
 */
import type { Rule } from './rule.ts';
import { readRules } from './rules/read-rules.ts';
import { AccessFileError } from './source-text.ts';

/** @throws AccessFileError */
export function rulesOfClaim(claim: unknown): Rule[] {
  const fail = (path: readonly (string | number)[], what: string): never => {
    throw new AccessFileError(`${path.join('.')}: ${what}`);
  };
  if (Array.isArray(claim)) return readRules(claim, fail);
  if (typeof claim !== 'object' || claim === null) return fail([], 'a list of rules, or lists of topics');
  const given = claim as Record<string, unknown>;
  const rules: unknown[] = [];
  for (const [action, topics] of Object.entries(given)) {
    if (action !== 'publish' && action !== 'subscribe' && action !== 'all')
      return fail([action], 'allowed are publish, subscribe and all');
    if (Array.isArray(topics) && topics.length === 0) continue; // nothing is allowed
    rules.push({ allow: action, topics });
  }
  return readRules(rules, fail);
}
