import { inject, test } from 'vitest';
import type { BrokerUnderTest } from './broker-under-test.ts';
import { droppingConnections } from './connected-client.ts';
import { knownDifference } from './known-differences.ts';
import { type Level, levelNames } from './statement.ts';

/** The broker that this run talks to. */
export function brokerUnderTest(): BrokerUnderTest {
  return inject('brokerUnderTest');
}

/** The statements a conversation shows, for each version it is held in: `'[MQTT-3.1.2-22] [MQTT-3.2.2-22]'`. */
export type Cited = Readonly<Partial<Record<Level, string>>>;

/** A conversation as the table test and the document see it. */
export interface CollectedConversation {
  /** The title of the test, statement numbers and all. */
  readonly title: string;
  readonly level: Level;
  /** `MQTT-3.1.2-22` … */
  readonly statements: readonly string[];
}

let collected: CollectedConversation[] | undefined;

/** Makes `conversation` write down what it is given instead of making tests; returns the list. */
export function collectConversations(): CollectedConversation[] {
  collected = [];
  return collected;
}

/** The statement numbers in a title. */
export function citedStatements(title: string): string[] {
  return [...title.matchAll(/\[(MQTT-[^\]]+)\]/g)].map((match) => match[1]);
}

/**
 * Defines one test for each version in `cited`: a client, or a few, talk to the broker under test and see what it must
 * do. The test is expected to fail when the table of known differences names it for this broker. `skip` is for what a
 * broker may leave out, and only where its own words say so.
 */
export function conversation(
  says: string,
  cited: Cited,
  hold: (level: Level, skip: (reason: string) => never) => Promise<void>,
): void {
  for (const level of [4, 5] as const) {
    const numbers = cited[level];
    if (numbers === undefined) continue;
    const title = `${levelNames[level]}: ${says} ${numbers}`.trimEnd();
    if (collected !== undefined) {
      collected.push({ title, level, statements: citedStatements(title) });
      continue;
    }
    const fails = knownDifference(brokerUnderTest().name, title) !== undefined;
    test(title, { concurrent: true, fails }, (context) =>
      droppingConnections(() => hold(level, (reason) => context.skip(reason))),
    );
  }
}
