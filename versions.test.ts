import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { envelopeVersions } from './packages/backplane-nats/src/envelope.ts';
import { frameVersion } from './packages/broker/src/cluster/frames.ts';
import { otherVersions, statedVersions } from './packages/deployment/src/release/versions.ts';
import { RECORD_VERSION } from './packages/store-lmdb/src/records.ts';

// One version in every place that states it. `npm run release` asks for the same places (packages/deployment/src/release/versions.ts).

const root = import.meta.dirname;
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

const { version } = JSON.parse(read('package.json')) as { version: string };

test('packages, what they depend on of each other, the lock file and the chart state it', () => {
  const places = [...statedVersions().keys()];
  const workspaces = globSync('{packages,loadtest}/*/package.json', { cwd: root }).map((path) => dirname(path));
  expect(workspaces.length).toBeGreaterThan(15);
  const expected = workspaces.flatMap((path) => [`${path}/package.json`, `package-lock.json ${path}`]);
  const chart = ['version', 'appVersion'].map((key) => `charts/dunlin/Chart.yaml, ${key}`);
  expect(places).toEqual(expect.arrayContaining(['package.json', 'package-lock.json', ...expected, ...chart]));
  expect(places).toContain('packages/cli/package.json, @dunlin/edge');
  expect(otherVersions(version)).toEqual([]);
});

test('a place that states another version is named', () => {
  expect(otherVersions('0.0.1')).toContain(`charts/dunlin/Chart.yaml, version: ${version}`);
});

test('the changelog has a section for it, with a date, above those of older versions', () => {
  const sections = [...read('CHANGELOG.md').matchAll(/^## \[([^\]]+)\](?: - (\S+))?$/gm)];
  const [newest] = sections.filter(([, name]) => name !== 'Unreleased');
  expect(newest[1]).toBe(version);
  expect(newest[2]).toMatch(/^\d{4}-\d\d-\d\d$/);
});

test('README.md, SECURITY.md and the compatibility policy name it', () => {
  const series = version.replace(/\.\d+$/, '');
  for (const path of ['README.md', 'SECURITY.md', 'docs/compatibility.md']) {
    const [, named] = /version (\d+\.\d+)\b/i.exec(read(path)) ?? [];
    expect([path, named]).toEqual([path, series]);
  }
});

test('docs/compatibility.md has the versions of what nodes send each other, and of records', () => {
  const text = read('docs/compatibility.md');
  const stated = [...text.matchAll(/^\| (envelope|frame) \|.*\| (\d+) since [\d.]+ \|$/gm)].map(([, of, number]) => [
    of,
    number,
  ]);
  expect(stated).toEqual([
    ['envelope', String(envelopeVersions[0].version)],
    ['frame', String(frameVersion)],
  ]);
  expect(text).toContain(`one in every record (both ${RECORD_VERSION})`);
});
