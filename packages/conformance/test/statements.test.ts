import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { type LocatedConversation, locateConversations } from '../src/collect.ts';
import { conformanceDocument, documentPath } from '../src/document.ts';
import { knownDifferences } from '../src/known-differences.ts';
import { levelNames } from '../src/statement.ts';
import { statementCounts, statementsByLevel } from '../src/statements.ts';

let conversations: LocatedConversation[] = [];

beforeAll(async () => {
  conversations = await locateConversations();
});

describe.each([4, 5] as const)('the statements of level %i', (level) => {
  test('are as many as the text lists, each once', () => {
    const numbers = statementsByLevel[level].map((statement) => statement.number);
    expect(numbers.length).toBe(statementCounts[level]);
    expect(new Set(numbers).size).toBe(numbers.length);
  });

  test('have numbers that leave no gap but where the text does', () => {
    const bySection = new Map<string, number[]>();
    for (const { number } of statementsByLevel[level]) {
      const [, section, index] = /^(MQTT-[0-9.]+)-([0-9]+)$/.exec(number) ?? [];
      expect(section, number).toBeDefined();
      bySection.set(section, [...(bySection.get(section) ?? []), Number(index)]);
    }
    for (const [section, indexes] of bySection) {
      // MQTT 5.0 has no [MQTT-2.2.1-1].
      const first = level === 5 && section === 'MQTT-2.2.1' ? 2 : 1;
      expect([section, indexes]).toEqual([section, indexes.map((_, position) => position + first)]);
    }
  });

  test('that bind a server have a test or a reason, and not both', () => {
    const shown = new Set(conversations.filter((one) => one.level === level).flatMap((one) => one.statements));
    const missing = statementsByLevel[level]
      .filter((one) => one.binds !== 'client' && one.unobservable === undefined && !shown.has(one.number))
      .map((one) => one.number);
    const needless = statementsByLevel[level]
      .filter((one) => one.unobservable !== undefined && shown.has(one.number))
      .map((one) => one.number);
    expect({ missing, needless }).toEqual({ missing: [], needless: [] });
  });

  test('are the only ones that titles cite', () => {
    const known = new Set(statementsByLevel[level].map((one) => one.number));
    const unknown = conversations
      .filter((one) => one.level === level)
      .flatMap((one) =>
        one.statements.filter((number) => !known.has(number)).map((number) => `${number}: ${one.title}`),
      );
    expect(unknown).toEqual([]);
  });
});

test('titles are unique, start with the version and end with the numbers', () => {
  const titles = conversations.map((one) => one.title);
  expect(titles.filter((title, index) => titles.indexOf(title) !== index)).toEqual([]);
  for (const { title, level } of conversations) {
    expect(title.startsWith(`${levelNames[level]}: `), title).toBe(true);
    expect(title.replace(/( \[MQTT-[^\]]+\])+$/, ''), title).not.toContain('[MQTT-');
  }
});

test('known differences name tests that exist, once, and say what happens', () => {
  const titles = new Set(conversations.map((one) => one.title));
  for (const differences of Object.values(knownDifferences)) {
    const listed = differences.flatMap((one) => one.titles);
    expect(listed.filter((title) => !titles.has(title))).toEqual([]);
    expect(new Set(listed).size).toBe(listed.length);
    for (const { does } of differences) expect(does).not.toBe('');
  }
});

test('docs/conformance.md is fresh: npm run docs -w @dunlin/conformance', async () => {
  expect(await readFile(documentPath, 'utf8')).toBe(await conformanceDocument());
});
