/** Keys that have another name now (renamed-keys.ts): the old name goes on working, with one warning, wherever it is given. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { configurationJsonSchema } from '../src/describe.ts';
import { type Flag, parseAssignment } from '../src/flag-layer.ts';
import { keysByPath, variableName } from '../src/keys.ts';
import { loadConfiguration } from '../src/load.ts';
import { formatProblem } from '../src/problem.ts';
import { renamedKeys } from '../src/renamed-keys.ts';

const directory = mkdtempSync(join(tmpdir(), 'dunlin-renamed-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** The sources that set `path` to the value, written as each writes it. */
function file(path: string, value: string): { file: string } {
  const name = join(directory, 'dunlin.yaml');
  const steps = path.split('.');
  const indented = steps.map((step, depth) => `${'  '.repeat(depth)}${step}:`).join('\n');
  writeFileSync(name, `${indented} ${value}\n`);
  return { file: name };
}
const environment = (path: string, value: string) => ({ environment: { [variableName(path)]: value } });
const flag = (path: string, value: string) => ({ flags: [parseAssignment(`${path}=${value}`) as Flag] });

function load(sources: Parameters<typeof loadConfiguration>[0]) {
  const { configuration, origins, warnings } = loadConfiguration(sources);
  return {
    configuration,
    origins,
    warnings: warnings.map((warning) => formatProblem(warning).replaceAll(`${directory}/`, '')),
  };
}

const oldKey = 'limits.outboxBytesMax';
const newKey = 'limits.outputBufferBytesMax';
const warning = `${oldKey} is now called ${newKey}; the old name still works`;

describe('the old name of a key', () => {
  test.each([
    ['a file', file, 'dunlin.yaml:2:3'],
    ['the environment', environment, 'environment DUNLIN_LIMITS_OUTBOX_BYTES_MAX'],
    ['a flag', flag, 'flag --set limits.outboxBytesMax'],
  ] as const)('in %s works, with one warning that says the new name', (_title, source, where) => {
    const { configuration, origins, warnings } = load(source(oldKey, '70000'));
    expect(configuration.limits.outputBufferBytesMax).toBe(70_000);
    expect(origins.get(newKey)?.replaceAll(`${directory}/`, '')).toMatch(where.replace(/:3$/, ''));
    expect(warnings).toEqual([`${where}: ${warning}`]);
  });

  test('in several sources: flags before environment before file, and one warning', () => {
    const { configuration, warnings } = load({
      ...file(oldKey, '70000'),
      ...environment(oldKey, '80000'),
      ...flag(oldKey, '90000'),
    });
    expect(configuration.limits.outputBufferBytesMax).toBe(90_000);
    expect(warnings).toEqual([`dunlin.yaml:2:3: ${warning}`]);
  });

  test('with a value that is not allowed is refused under the new name, at its place', () => {
    expect(() => load(flag(oldKey, '1'))).toThrow(
      'flag --set limits.outboxBytesMax: limits.outputBufferBytesMax: given 1, allowed: a whole number from 65536 to 1099511627776',
    );
  });

  test.each([
    ['two sources', { ...file(newKey, '70000'), ...environment(oldKey, '70000') }, /dunlin\.yaml:2:3/],
    ['one source', { flags: [...flag(oldKey, '70000').flags, ...flag(newKey, '70000').flags] }, /flag --set limits/],
  ])('beside the new one is refused, also with the same value, in %s', (_title, sources, place) => {
    if ('file' in sources) file(newKey, '70000');
    const refused = () => load(sources);
    expect(refused).toThrow(
      /limits\.outboxBytesMax is the old name of limits\.outputBufferBytesMax, which is given too \(.*\); keep limits\.outputBufferBytesMax alone$/,
    );
    expect(refused).toThrow(place);
  });
});

test('the new name gives no warning', () => {
  expect(load(flag(newKey, '70000')).warnings).toEqual([]);
});

describe('every renamed key', () => {
  test.each([...renamedKeys])('%s leads to a key of today, and is no key itself', (old, today) => {
    expect(keysByPath.has(today)).toBe(true);
    expect(keysByPath.has(old)).toBe(false);
  });

  test.each([...renamedKeys])('%s is in the JSON schema as deprecated, with the form of %s', (old, today) => {
    const find = (path: string) =>
      path.split('.').reduce((at, step) => (at.properties as Record<string, never>)[step], configurationJsonSchema());
    expect(find(old)).toEqual({ ...find(today), deprecated: true, description: `Now called \`${today}\`.` });
  });
});
