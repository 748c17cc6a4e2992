/**
 * Rules of a file on their way to the workers. The supervisor reads YAML once, which takes seconds for 100,000 rules, and does other work in between; workers get
 * the result in memory that all threads share, and read it piece by piece.
 */
import { createHash } from 'node:crypto';
import type { Rule } from '../rule.ts';
import { AccessFileError, type SourceText } from '../source-text.ts';
import { readRules } from './read-rules.ts';
import { RuleSet } from './rule-set.ts';

export interface RuleList {
  /** Name of the file. */
  readonly name: string;
  /** Digest of the file's text: says which rules these are. */
  readonly sha256: string;
  /** Pieces of JSON, one behind the other. */
  readonly bytes: SharedArrayBuffer;
  /** Ends of the pieces. */
  readonly ends: readonly number[];
}

/** @throws AccessFileError with the line and the column of what is wrong first */
export async function readRuleList(source: SourceText): Promise<RuleList> {
  // With its parser of YAML, which workers have no use for.
  const { readRulesFile } = await import('../rules-file.ts');
  const pieces: Buffer[] = [];
  for (const { items } of readRulesFile(source)) {
    pieces.push(Buffer.from(JSON.stringify(items)));
    await nextTurn();
  }
  let size = 0;
  const ends = pieces.map((piece) => {
    size += piece.length;
    return size;
  });
  const bytes = new SharedArrayBuffer(size);
  for (const [index, piece] of pieces.entries()) new Uint8Array(bytes).set(piece, ends[index] - piece.length);
  return { name: source.name, sha256: createHash('sha256').update(source.text).digest('hex'), bytes, ends };
}

/** The whole set at once: for a worker that starts. */
export function ruleSetOf(list: RuleList): RuleSet {
  return RuleSet.of([...piecesOf(list)].flat());
}

/** The whole set, with other work in between: for a worker that serves clients. */
export async function ruleSetInTurns(list: RuleList): Promise<RuleSet> {
  const set = new RuleSet();
  let isFirst = true;
  for (const rules of piecesOf(list)) {
    if (!isFirst) await nextTurn();
    isFirst = false;
    for (const rule of rules) set.add(rule);
  }
  return set;
}

function* piecesOf({ name, bytes, ends }: RuleList): Generator<Rule[], void> {
  const all = Buffer.from(bytes);
  let start = 0;
  for (const end of ends) {
    const fail = (_: unknown, what: string): never => {
      throw new AccessFileError(`${name}: ${what}`);
    };
    yield readRules(JSON.parse(all.toString('utf8', start, end)), fail, Number.POSITIVE_INFINITY);
    start = end;
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
