import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { repositoryRoot } from '../repository-root.ts';

/** Places that name another version than package.json does, each as a line for a message. */
export function otherVersions(version: string): string[] {
  const read = (path: string): string => readFileSync(join(repositoryRoot, path), 'utf8');
  const named = new Map<string, string>();
  const { packages } = JSON.parse(read('package-lock.json'));
  named.set('package-lock.json', packages[''].version);
  for (const [path, { link }] of Object.entries<{ link?: boolean }>(packages)) {
    if (path === '' || link === true || path.includes('node_modules/')) continue;
    const manifest = JSON.parse(read(`${path}/package.json`));
    named.set(`${path}/package.json`, manifest.version);
    for (const [name, wanted] of Object.entries<string>({ ...manifest.dependencies, ...manifest.devDependencies }))
      if (name.startsWith('@dunlin/')) named.set(`${path}/package.json, ${name}`, wanted);
  }
  const chart = parse(read('charts/dunlin/Chart.yaml'));
  named.set('charts/dunlin/Chart.yaml, version', chart.version);
  named.set('charts/dunlin/Chart.yaml, appVersion', chart.appVersion);
  return [...named].filter(([, other]) => other !== version).map(([place, other]) => `${place}: ${other}`);
}
