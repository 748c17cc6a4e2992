import { createHash } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { contextFiles, ignorePatterns } from '../build-context.ts';
import { chartDirectory } from '../generated-chart-files.ts';
import { helm } from '../helm.ts';
import { repositoryRoot } from '../repository-root.ts';
import { billOfMaterials } from './bill-of-materials.ts';
import { makeNpmPackage, rootManifest } from './npm-package.ts';
import { releaseNotes } from './release-notes.ts';
import { otherVersions } from './versions.ts';

/** Files that are published for one version. */
export interface Release {
  readonly version: string;
  /** The package for npm. */
  readonly tarball: string;
  /** A folder with the Dockerfile and what it copies. */
  readonly imageContext: string;
  /** The chart for helm. */
  readonly chart: string;
  /** CycloneDX, in JSON. */
  readonly billOfMaterials: string;
  /** Markdown, from CHANGELOG.md. */
  readonly notes: string;
  /** `SHA-256  FILE` of each file above. */
  readonly checksums: string;
}

/** Options of making a release. */
export interface ReleaseOptions {
  /** Emptied first. */
  readonly into: string;
  /** The address of the repository; null: it has none that others can reach. */
  readonly repository: string | null;
  /** The text of CHANGELOG.md, which has a section for the version. */
  readonly changelog: string;
}

/** Obstacle to a release; the message says what to do. */
export class ReleaseError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ReleaseError';
  }
}

/** Builds everything that is published, of the version that package.json names. @throws ReleaseError, ReleaseNotesError */
export async function makeRelease({ into, repository, changelog }: ReleaseOptions): Promise<Release> {
  const manifest = await rootManifest();
  const { version } = manifest;
  const others = otherVersions(version);
  if (others.length > 0)
    throw new ReleaseError(`package.json says ${version}, other places do not:\n  ${others.join('\n  ')}`);
  const notes = releaseNotes(changelog, version);

  await rm(into, { recursive: true, force: true });
  const release: Release = {
    version,
    tarball: join(into, 'npm', `dunlin-${version}.tgz`),
    imageContext: join(into, 'image'),
    chart: join(into, 'chart', `dunlin-${version}.tgz`),
    billOfMaterials: join(into, `dunlin-${version}.cdx.json`),
    notes: join(into, `dunlin-${version}.md`),
    checksums: join(into, 'SHA256SUMS'),
  };
  await mkdir(dirname(release.tarball), { recursive: true });
  await makeNpmPackage({ into: dirname(release.tarball), repository });
  await rm(join(dirname(release.tarball), 'package'), { recursive: true });
  await copyImageContext(release.imageContext);
  await helm(['package', chartDirectory, '--destination', dirname(release.chart)]);
  await writeFile(release.billOfMaterials, await billOfMaterials(manifest, join(into, 'lock')));
  await writeFile(release.notes, notes);
  const files = [release.tarball, release.chart, release.billOfMaterials, release.notes];
  await writeFile(release.checksums, await checksums(into, files));
  return release;
}

/** Copies exactly the files that `docker build` would send from the repository. */
async function copyImageContext(directory: string): Promise<void> {
  const patterns = ignorePatterns(await readFile(join(repositoryRoot, '.dockerignore'), 'utf8'));
  // Docker reads these two wherever they are ignored.
  const files = ['Dockerfile', '.dockerignore', ...contextFiles(repositoryRoot, patterns)];
  for (const file of files) {
    await mkdir(dirname(join(directory, file)), { recursive: true });
    await copyFile(join(repositoryRoot, file), join(directory, file));
  }
}

async function checksums(directory: string, files: readonly string[]): Promise<string> {
  const lines = files.map(async (file) => {
    const sum = createHash('sha256')
      .update(await readFile(file))
      .digest('hex');
    return `${sum}  ${relative(directory, file)}\n`;
  });
  return (await Promise.all(lines)).join('');
}

/** Files of a release with their sizes, for whoever made it. */
export async function describeRelease(release: Release): Promise<string> {
  const image = (await readdir(release.imageContext, { recursive: true, withFileTypes: true })).filter((entry) =>
    entry.isFile(),
  );
  const size = async (file: string): Promise<string> => `${Math.ceil((await readFile(file)).length / 1000)} kB`;
  return [
    `${release.tarball} (${await size(release.tarball)}): the package for npm`,
    `${release.imageContext} (${image.length} files): what the image is built from`,
    `${release.chart} (${await size(release.chart)}): the chart`,
    `${release.billOfMaterials} (${await size(release.billOfMaterials)}): what is in it, CycloneDX`,
    `${release.notes}: the release notes`,
    `${release.checksums}: SHA-256 of these files`,
  ].join('\n');
}
