import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { repositoryRoot } from '../repository-root.ts';

interface Manifest {
  version?: string;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}

/** Versions that a manifest states: its own, and those of our packages that it depends on. */
function* statedIn(place: string, { version, dependencies, devDependencies }: Manifest): Generator<[string, string]> {
  yield [place, version ?? 'none'];
  for (const [name, wanted] of Object.entries({ ...dependencies, ...devDependencies }))
    if (/^@?dunlin\b/.test(name)) yield [`${place}, ${name}`, wanted];
}

/** All places that state the version of Dunlin: manifests of packages, the lock file, the chart. */
export function statedVersions(): Map<string, string> {
  const read = (path: string): string => readFileSync(join(repositoryRoot, path), 'utf8');
  const stated: [string, string][] = [];
  const manifests = globSync('{package.json,{packages,loadtest}/*/package.json}', { cwd: repositoryRoot });
  for (const path of manifests.sort()) stated.push(...statedIn(path, JSON.parse(read(path))));
  const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, Manifest> };
  for (const [path, entry] of Object.entries(packages)) {
    if (/^((packages|loadtest)\/[^/]+)?$/.test(path))
      stated.push(...statedIn(`package-lock.json ${path}`.trimEnd(), entry));
  }
  const chart = parse(read('charts/dunlin/Chart.yaml'));
  stated.push(['charts/dunlin/Chart.yaml, version', chart.version]);
  stated.push(['charts/dunlin/Chart.yaml, appVersion', chart.appVersion]);
  return new Map(stated);
}

/** Places that state another version, each as a line for a message. */
export function otherVersions(version: string): string[] {
  return [...statedVersions()].filter(([, other]) => other !== version).map(([place, other]) => `${place}: ${other}`);
}
