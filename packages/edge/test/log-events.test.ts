import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { bare, eventTables, logReference } from '../src/log-document.ts';
import { logFields } from '../src/log-fields.ts';

const root = join(import.meta.dirname, '../../..');

/** Sources of a package, without its tables of events. */
function sources(name: string): { path: string; text: string }[] {
  const folder = join(root, 'packages', name, 'src');
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !/log-(events|meanings)\.ts$/.test(path))
    .map((path) => ({ path: `packages/${name}/src/${path}`, text: readFileSync(join(folder, path), 'utf8') }));
}

const names = eventTables.flatMap(({ events }) => Object.keys(events));

describe('the tables of log events', () => {
  test('docs/log.md is fresh (npm run docs)', () => {
    expect(readFileSync(join(root, 'docs/log.md'), 'utf8')).toBe(logReference());
  });

  test('each name once, as CONTRIBUTING.md says', () => {
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
    expect(names.filter((name) => !/^[a-z]+(-[a-z]+)*\.[a-z]+(-[a-z]+)*$/.test(name))).toEqual([]);
  });

  test('every event is logged in the sources of its package, and no other is', () => {
    for (const { package: name, events } of eventTables) {
      const named = sources(name).flatMap(({ text }) =>
        [...text.matchAll(/\bevents\[([^\]]*)\]/g)].flatMap(([, key]) => key.match(/[a-z-]+\.[a-z-]+/g) ?? []),
      );
      expect([...new Set(named)].sort(), name).toEqual(Object.keys(events).sort());
    }
  });

  test('no line has a free text', () => {
    const texts = eventTables.flatMap(({ package: name }) =>
      sources(name).filter(({ text }) => /[lL]ogger\)?\.(debug|info|warn|error)\(\s*['"`]/.test(text)),
    );
    expect(texts.map(({ path }) => path)).toEqual([]);
  });

  test('messages are plain lines, levels and fields what they may be', () => {
    for (const { events } of eventTables)
      for (const [name, { message, fields }] of Object.entries(events)) {
        expect(message, name).toMatch(/^\S.*[^.\s]$/);
        for (const field of fields) expect(logFields[bare(field)], `${name}: ${field}`).toBeDefined();
      }
  });

  test('every field that is explained is a field of some event', () => {
    const used = new Set(
      eventTables.flatMap(({ events }) => Object.values(events).flatMap(({ fields }) => fields.map(bare))),
    );
    expect(Object.keys(logFields).filter((name) => !used.has(name))).toEqual([]);
  });
});
