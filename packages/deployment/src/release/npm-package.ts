import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { repositoryRoot } from '../repository-root.ts';
import { unbundled, writeBundle } from './bundle.ts';
import { licenceTexts } from './licences.ts';
import { productionPackages } from './production-lock.ts';
import { run } from './program-run.ts';

/** The oldest Node that an installed package runs on: the same as in packages/cli/bin/dunlin.js. */
export const nodeRange = '>=24';

/**
 * Files copied as they are, by their place in the repository and in the package. Lua scripts are read from beside
 * `dist`, as in the repository.
 */
const copied: Readonly<Record<string, string>> = {
  'packages/cli/bin/dunlin.js': 'bin/dunlin.js',
  'packages/store-redis/src/scripts': 'src/scripts',
  'packages/dashboard/dist': 'dashboard',
  'docs/dunlin.schema.json': 'dunlin.schema.json',
  'charts/dunlin/dashboards/dunlin.json': 'monitoring/grafana-dashboard.json',
  'charts/dunlin/rules/dunlin.yaml': 'monitoring/prometheus-rules.yaml',
  'README.md': 'README.md',
  'CHANGELOG.md': 'CHANGELOG.md',
  LICENSE: 'LICENSE',
};

/** Packages from outside that vite copies into the page. */
const pagePackages = ['mqtt', 'mqtt-packet', 'preact', 'uplot'] as const;

/** Fields of the root's package.json that the package takes over. */
export interface RootManifest {
  readonly version: string;
  readonly description: string;
  readonly license: string;
}

/** package.json of the repository. */
export async function rootManifest(): Promise<RootManifest> {
  return JSON.parse(await readFile(join(repositoryRoot, 'package.json'), 'utf8'));
}

/** The package `dunlin` as a file. */
export interface NpmPackage {
  readonly tarball: string;
  /** Packages from outside that are copied into it. */
  readonly bundled: readonly string[];
}

/** Options of making the package. */
export interface NpmPackageOptions {
  /** Directory of the tarball. */
  readonly into: string;
  /** The address of the repository; null: it has none that others can reach. */
  readonly repository: string | null;
}

/** Makes the one package that users install: the command, its threads and the files they read, bundled; `npm pack` writes the tarball. */
export async function makeNpmPackage({ into, repository }: NpmPackageOptions): Promise<NpmPackage> {
  const directory = join(into, 'package');
  await rm(directory, { recursive: true, force: true });
  for (const [from, to] of Object.entries(copied)) {
    await mkdir(dirname(join(directory, to)), { recursive: true });
    await cp(join(repositoryRoot, from), join(directory, to), { recursive: true });
  }
  const bundled = await writeBundle(join(directory, 'dist'));
  await writeFile(join(directory, 'THIRD-PARTY-LICENCES.txt'), licenceTexts([...bundled, ...pagePackages]));
  const { version, description, license } = await rootManifest();
  const { direct } = productionPackages();
  const manifest = {
    ...{ name: 'dunlin', version, description, license, type: 'module' },
    ...(repository === null ? {} : { repository: { type: 'git', url: repository } }),
    keywords: ['mqtt', 'broker', 'mqtt5', 'iot', 'nats', 'redis', 'cluster'],
    bin: { dunlin: 'bin/dunlin.js' },
    engines: { node: nodeRange },
    dependencies: Object.fromEntries(unbundled.map((name) => [name, direct[name]])),
  };
  await writeFile(join(directory, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  const [packed] = JSON.parse(await run(directory, 'npm', ['pack', '--json', '--pack-destination', into]));
  return { tarball: join(into, packed.filename), bundled };
}
