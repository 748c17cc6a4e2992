/** Files that `npm run release` builds, and commands that would publish them. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { contextFiles, ignorePatterns } from '../src/build-context.ts';
import { helm, valuesFile } from '../src/helm.ts';
import { rootManifest } from '../src/release/npm-package.ts';
import { productionPackages } from '../src/release/production-lock.ts';
import { publishCommands } from '../src/release/publish-commands.ts';
import { makeRelease, type Release } from '../src/release/release.ts';
import { releaseNotes } from '../src/release/release-notes.ts';
import { repositoryRoot } from '../src/repository-root.ts';

const buildMilliseconds = 60_000;

let directory: string;
let version: string;
let release: Release;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dunlin-release-'));
  ({ version } = await rootManifest());
  const changelog = `# Changelog\n\n## [${version}] - 2026-12-01\n\n### Added\n\n- a song\n\n## [0.0.1] - 2026-01-01\n`;
  release = await makeRelease({ into: join(directory, 'release'), repository: null, changelog });
}, buildMilliseconds);
afterAll(() => rm(directory, { recursive: true, force: true }));

describe('a release', () => {
  test('has a package, an image context, a chart, a bill of materials, notes, and their checksums', async () => {
    expect((await readdir(join(directory, 'release'))).sort()).toEqual(
      ['SHA256SUMS', 'chart', `dunlin-${version}.cdx.json`, `dunlin-${version}.md`, 'image', 'npm'].sort(),
    );
    expect(await readFile(release.notes, 'utf8')).toBe('### Added\n\n- a song\n');
    const { stdout } = await promisify(execFile)('sha256sum', ['--check', 'SHA256SUMS'], {
      cwd: join(directory, 'release'),
    });
    expect(stdout.trimEnd().split('\n')).toHaveLength(4);
  });

  test('the chart has the version of the whole, as chart and as tag of its image', async () => {
    expect(await helm(['show', 'chart', release.chart])).toMatch(
      new RegExp(`^appVersion: ${version}\n[^]*^version: ${version}$`, 'm'),
    );
    expect(await helm(['template', 'mqtt', release.chart, '--values', valuesFile('minimal')])).toMatch(
      new RegExp(`image: \\S*dunlin:${version}"?$`, 'm'),
    );
  });

  test('the image context is what docker build would read of the repository', async () => {
    const patterns = ignorePatterns(await readFile(join(repositoryRoot, '.dockerignore'), 'utf8'));
    const expected = contextFiles(repositoryRoot, patterns).sort();
    expect(expected).toContain('packages/cli/package.json');
    expect(contextFiles(release.imageContext, patterns).sort()).toEqual(expected);
    expect(await readdir(release.imageContext)).toContain('Dockerfile');
  });

  test('the bill of materials names every package that runs in production, and its version', async () => {
    const bill = JSON.parse(await readFile(release.billOfMaterials, 'utf8'));
    expect(bill).toMatchObject({ bomFormat: 'CycloneDX', metadata: { component: { version, type: 'application' } } });
    const listed = bill.components.map((component: { purl: string }) => decodeURIComponent(component.purl)).sort();
    const { direct, locked } = productionPackages();
    const names = Object.entries(locked).map(
      ([place, entry]) => `${place.replace(/.*node_modules\//, '')}@${entry.version}`,
    );
    expect(listed).toEqual(names.map((name) => `pkg:npm/${name}`).sort());
    // Used by development as well.
    for (const name of ['ws', 'yaml', 'lmdb', 'ioredis']) expect(names).toContain(`${name}@${direct[name]}`);
    expect(names.join(' ')).not.toMatch(/vitest|typescript/);
  });

  test('is published by programs that hold the keys, and tagged last', () => {
    const to = { image: 'registry.example.com/dunlin', charts: 'oci://registry.example.com/charts' };
    expect(publishCommands(release, to).map((command) => command.slice(0, 2).join(' '))).toEqual([
      'npm publish',
      'docker build',
      'docker push',
      'helm push',
      'git tag',
      'git push',
    ]);
    expect(publishCommands(release, to).join(' ')).toContain(`${to.image}:${version}`);
  });
});

describe('npm run release', () => {
  const command = (...words: string[]) =>
    promisify(execFile)(
      process.execPath,
      ['--conditions=source', join(repositoryRoot, 'packages/deployment/src/release/main.ts'), ...words],
      { cwd: directory },
    ).catch((error) => error);

  test('publishes nothing without being told where to, and explains itself', async () => {
    const told = 'release: --dry-run, or both of --image and --charts are needed\n\nusage: npm run release';
    expect(await command()).toMatchObject({ code: 1, stderr: expect.stringContaining(told) });
    expect(await command('--dry')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("Unknown option '--dry'"),
    });
    expect((await command('--help')).stdout).toContain('CycloneDX');
  });
});

describe('the notes of a version', () => {
  test('are there for the version of the repository', async () => {
    const changelog = await readFile(join(repositoryRoot, 'CHANGELOG.md'), 'utf8');
    expect(releaseNotes(changelog, version)).toMatch(/^### /m);
  });

  const changelog =
    '# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-12-01\n\n- new\n\n## 0.1.0 - 2026-01-01\n\n- first\n\n[0.2.0]: a\n';

  test('are its section of CHANGELOG.md', () => {
    expect(releaseNotes(changelog, '0.2.0')).toBe('- new\n');
    expect(releaseNotes(changelog, '0.1.0')).toBe('- first\n');
  });

  test('a version without a section, a date or a text is refused, with what to write', () => {
    expect(() => releaseNotes(changelog, '0.3.0')).toThrow(
      'CHANGELOG.md has no section "## [0.3.0] - YYYY-MM-DD"; it has: Unreleased, 0.2.0, 0.1.0',
    );
    expect(() => releaseNotes('## [0.3.0]\n\n- new\n', '0.3.0')).toThrow('CHANGELOG.md:1: "## [0.3.0]" has no date');
    expect(() => releaseNotes('## [0.3.0] - 2026-12-01\n\n## [0.2.0]\n', '0.3.0')).toThrow(
      'CHANGELOG.md:1: the section of 0.3.0 is empty',
    );
  });
});
