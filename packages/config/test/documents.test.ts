import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { configurationTemplate } from '../src/describe.ts';
import { generatedDocuments } from '../src/documents.ts';
import { keys } from '../src/keys.ts';

describe('docs/', () => {
  test.each(generatedDocuments())('%s is fresh (npm run docs)', (name, text) => {
    expect(readFileSync(new URL(`../../../docs/${name}`, import.meta.url), 'utf8')).toBe(text);
  });
});

test('the template of config init is YAML that sets nothing, and names every key', () => {
  const template = configurationTemplate();
  expect(Object.values(parse(template)).every((value) => value === null)).toBe(true);
  for (const key of keys) expect(template).toContain(`# ${key.path.split('.').at(-1)}:`);
});
