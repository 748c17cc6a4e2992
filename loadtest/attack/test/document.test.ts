import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { attacks } from '../src/attacks/index.ts';
import { renderDocument } from '../src/document.ts';
import { Measurements } from '../src/measurements.ts';

test('docs/attacks.md is fresh (npm run docs)', () => {
  const text = readFileSync(new URL('../../../docs/attacks.md', import.meta.url), 'utf8');
  expect(text).toBe(renderDocument(Measurements.read()));
});

test('names and titles of attacks are distinct, and titles short enough for a column', () => {
  expect(new Set(attacks.map(({ name }) => name)).size).toBe(attacks.length);
  expect(new Set(attacks.map(({ title }) => title)).size).toBe(attacks.length);
  expect(attacks.filter(({ title }) => title.length > 56)).toEqual([]);
});
