import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Driver, drivers } from '../src/drivers.ts';
import { hasFailed, type Row, resultTable } from '../src/results.ts';
import { oneNode, type Stage } from '../src/stage.ts';
import { playStory } from '../src/story.ts';

/** Languages whose libraries `.ci/needs` installs; the others need compilers and minutes. */
const languages = ['javascript', 'python', 'c'];
/** Fourteen clients, of which each starts a dozen processes, on a busy machine. */
const storyMilliseconds = 300_000;

let stage: Stage;
beforeAll(async () => {
  stage = await oneNode();
});
afterAll(() => stage.stop());

/** A driver of this folder, which does what it must not. */
function falseDriver(fault: string): Driver {
  const program = join(import.meta.dirname, 'false-driver.js');
  return {
    name: fault,
    language: 'javascript',
    library: 'npm mqtt',
    command: { file: process.execPath, args: [program, fault] },
    requires: program,
    version: { file: join(import.meta.dirname, '..', 'package.json'), before: '"mqtt": "' },
  };
}

/** The steps of a row that went so. */
function stepsThat(row: Row, kind: string): string[] {
  return [...row.outcomes].flatMap(([step, outcome]) => (outcome.kind === kind ? [step] : []));
}

describe('client libraries go through the story on one node', () => {
  const chosen = drivers.filter(({ language }) => languages.includes(language));
  let rows: Row[];
  beforeAll(async () => {
    rows = await playStory({ drivers: chosen, stage });
  }, storyMilliseconds);

  test.each(chosen.map(({ name }) => name))('%s', (name) => {
    const own = rows.filter((row) => row.name === name || row.name.startsWith(`${name} v`));
    expect(own.length).toBeGreaterThan(0);
    expect(own.map(({ skipped }) => skipped)).toEqual(own.map(() => undefined));
    expect(hasFailed(own), resultTable(own)).toBe(false);
    for (const row of own) expect(row.outcomes.get('durable')).toEqual({ kind: 'ok' });
  });
});

describe('a client that does otherwise is found out', () => {
  let rows: Row[];
  beforeAll(async () => {
    const absent = { ...falseDriver('absent'), requires: '/nowhere' };
    rows = await playStory({ drivers: [...['twice', 'forgets', 'unmarked'].map(falseDriver), absent], stage });
  }, storyMilliseconds);
  const rowOf = (name: string) => rows.find((row) => row.name.startsWith(name)) as Row;

  test('one that gives each message to the program twice', () => {
    expect(stepsThat(rowOf('twice'), 'failed')).toEqual(['retained', 'qos0', 'qos1', 'qos2', 'durable']);
  });

  test('one whose session is gone when it comes back', () => {
    expect(stepsThat(rowOf('forgets'), 'failed')).toEqual(['durable']);
  });

  test('one that does not tell what is retained', () => {
    expect(stepsThat(rowOf('unmarked'), 'failed')).toContain('retained');
    expect(stepsThat(rowOf('unmarked'), 'ok')).toEqual(expect.arrayContaining(['qos0', 'qos1', 'qos2', 'durable']));
  });

  test('what a library has not is no failure', () => {
    for (const fault of ['twice', 'forgets', 'unmarked'])
      expect(stepsThat(rowOf(fault), 'none')).toEqual([
        'will',
        'takeover',
        'ws',
        'puback',
        'pubrec',
        'pubcomp',
        'pubrel',
      ]);
  });

  test('the table has a row for each, and the reasons below', () => {
    const table = resultTable(rows);
    expect(table).toMatch(/^forgets v4 +npm mqtt 5\.16\.0 +ok +ok +ok +ok( +-){7} +FAILED$/m);
    expect(table).toMatch(/^forgets v4 durable: FAILED: the session was not kept$/m);
    expect(table).toMatch(/^absent: skipped, not installed: \.ci\/install-client-libraries javascript$/m);
    expect(hasFailed(rows)).toBe(true);
    expect(hasFailed(rows.filter(({ name }) => name === 'absent'))).toBe(false);
  });
});
