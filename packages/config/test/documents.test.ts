import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { configurationTemplate, printConfiguration } from '../src/describe.ts';
import { generatedDocuments } from '../src/documents.ts';
import { keys } from '../src/keys.ts';
import { loadConfiguration } from '../src/load.ts';

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

const directory = mkdtempSync(join(tmpdir(), 'dunlin-template-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** The template with the `#` taken away from lines that hold a key or an entry of its list. */
function uncommented(isMeant: (path: string) => boolean): string {
  let section = '';
  let isOf = false;
  const lines = configurationTemplate()
    .split('\n')
    .map((line) => {
      section = /^\w+(?=:)/.exec(line)?.[0] ?? section;
      const [, indent, name, rest] = /^( *)# (?:(\w+):)?(.*)$/.exec(line) ?? [];
      if (indent === undefined) return line;
      if (name !== undefined) isOf = isMeant(indent === '' ? name : `${section}.${name}`);
      return isOf ? `${indent}${name === undefined ? '' : `${name}:`}${rest}` : line;
    });
  return lines.join('\n');
}

function load(text: string) {
  const file = join(directory, 'dunlin.yaml');
  writeFileSync(file, text);
  return loadConfiguration({ file });
}

describe('the template of config init', () => {
  /** Key without a default that can be written. */
  const unwritten = 'authentication.methods';
  test.each(keys.map(({ path }) => path).filter((path) => path !== unwritten))('%s can be uncommented', (path) => {
    const { configuration, origins } = load(uncommented((key) => key === path));
    expect([...origins.keys()].filter((origin) => !origin.startsWith('listeners['))).toEqual([path]);
    expect(configuration).toEqual(loadConfiguration().configuration);
  });

  test('every line of it can be uncommented at once', () => {
    expect(load(uncommented(() => true)).configuration).toEqual(loadConfiguration().configuration);
  });
});

/** Seen to fail with `tracing.endpoint`: its password was printed. */
describe('a password in a URL is not shown', () => {
  const urls = ['https://user:hunter2@host:1', 'redis://user:hunter2@host:1', 'nats://user:hunter2@host:1'];
  const withUrls = keys.filter(
    ({ path, allowed }) => path !== 'listeners' && /url/i.test(`${path} ${allowed}`.replace('://', 'url')),
  );
  test.each(withUrls.map(({ path }) => path))('%s', (path) => {
    const key = keys.find((each) => each.path === path) as (typeof keys)[number];
    const taken = urls.find((url) => key.type.safeParse(url).success) as string;
    const configuration = structuredClone(loadConfiguration().configuration) as unknown as Record<string, unknown>;
    const steps = path.split('.');
    const section = steps.slice(0, -1).reduce((at, step) => at[step] as Record<string, unknown>, configuration);
    section[steps.at(-1) as string] = `${taken}/path?token=hunter2`;
    const printed = printConfiguration(configuration as never, new Map());
    expect(printed).toContain('user:***@host:1/path');
    expect(printed).not.toContain('hunter2');
    const refused = { flag: `--set ${path}`, path, value: 'wrong://user:hunter2@host:1?token=hunter2' };
    expect(() => loadConfiguration({ flags: [refused] })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('hunter2') }),
    );
  });

  test('of every kind of server', () => {
    const paths = withUrls.map(({ path }) => path);
    for (const path of ['store.url', 'backplane.url', 'jwt.jwksUrl', 'deviceTokens.redisUrl', 'tracing.endpoint'])
      expect(paths).toContain(path);
  });
});
