import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { envelopeVersions } from './packages/backplane-nats/src/envelope.ts';
import { frameVersion } from './packages/broker/src/cluster/frames.ts';
import { RECORD_VERSION } from './packages/store-lmdb/src/records.ts';

// One version in every place that says one: packages, what they depend on of each other, the lock file, the chart, the changelog, the documents.

const root = import.meta.dirname;
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

interface Manifest {
  name?: string;
  version?: string;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}

const { version } = JSON.parse(read('package.json')) as { version: string };
const manifests = globSync('{package.json,{packages,loadtest}/*/package.json}', { cwd: root });

/** Its own version and those of our packages that it asks for, where they are others. */
function differing(where: string, { name, version: own, dependencies, devDependencies }: Manifest): string[] {
  const wanted = Object.entries({ ...dependencies, ...devDependencies }).filter(([other]) => /^@?dunlin\b/.test(other));
  return [[name, own], ...wanted].filter(([, found]) => found !== version).map((pair) => `${where}: ${pair.join(' ')}`);
}

test('all packages have the version of the checkout', () => {
  expect(manifests.length).toBeGreaterThan(15);
  expect(manifests.flatMap((path) => differing(path, JSON.parse(read(path))))).toEqual([]);
});

test('the lock file has it', () => {
  const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, Manifest> };
  const own = Object.entries(packages).filter(([path]) => /^((packages|loadtest)\/[^/]+)?$/.test(path));
  expect(own.length).toBe(manifests.length);
  expect(own.flatMap(([path, entry]) => differing(`package-lock.json ${path}`, entry))).toEqual([]);
});

test('the chart has it, for itself and for the image', () => {
  const stated = [...read('charts/dunlin/Chart.yaml').matchAll(/^(version|appVersion): "?([^"\n]+)"?$/gm)];
  expect(stated.map(([, key, value]) => `${key} ${value}`)).toEqual([`version ${version}`, `appVersion ${version}`]);
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
