/** `npm run release`: builds all that is published of a version, and publishes it unless it is a dry run. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { repositoryRoot } from '../repository-root.ts';
import { run } from './program-run.ts';
import { publishCommands } from './publish-commands.ts';
import { describeRelease, makeRelease, ReleaseError } from './release.ts';
import { ReleaseNotesError } from './release-notes.ts';

/** Directory of the files; emptied first. */
const directory = join(repositoryRoot, 'dist/release');

const usage = `usage: npm run release -- --dry-run
       npm run release -- --image REGISTRY/NAME --charts oci://REGISTRY/PATH

Builds the package for npm, the folder that the image is built from, the chart, a bill of materials (CycloneDX) and the
release notes, of the version in package.json. Then publishes them, as whoever is signed in to npm and the registries.
The files are in dist/release.

  --dry-run      builds, and prints the commands that would publish
  --image NAME   the image without its tag
  --charts URL   the registry for charts
  --help         this text`;

/** The address of the repository as package.json names it; null: origin is a folder of this machine, or there is none. */
async function repositoryAddress(): Promise<string | null> {
  const origin = await run(repositoryRoot, 'git', ['remote', 'get-url', 'origin']).catch(() => '');
  const address = origin.trim();
  if (/^(https|ssh):\/\//.test(address)) return `git+${address}`;
  // As scp writes it.
  const [, host, path] = /^(\w+@[^:/]+):(.+)$/.exec(address) ?? [];
  return host === undefined ? null : `git+ssh://${host}/${path}`;
}

async function readChangelog(): Promise<string> {
  try {
    return await readFile(join(repositoryRoot, 'CHANGELOG.md'), 'utf8');
  } catch (cause) {
    throw new ReleaseError('there is no CHANGELOG.md, which the release notes are taken from', { cause });
  }
}

async function demandCleanTree(): Promise<void> {
  const changes = await run(repositoryRoot, 'git', ['status', '--porcelain']);
  if (changes !== '') throw new ReleaseError(`these changes are not committed:\n${changes.trimEnd()}`);
}

async function publish(command: readonly string[]): Promise<void> {
  console.log(command.join(' '));
  const child = spawn(command[0], command.slice(1), { cwd: repositoryRoot, stdio: 'inherit' });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new ReleaseError(`${command[0]} ended with ${code}; what stands above it is published`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      'dry-run': { type: 'boolean', default: false },
      image: { type: 'string' },
      charts: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(usage);
  const isDry = values['dry-run'];
  const { image, charts } = values;
  if (!isDry && (image === undefined || charts === undefined))
    throw new ReleaseError(`--dry-run, or both of --image and --charts are needed\n\n${usage}`);
  const repository = await repositoryAddress();
  if (!isDry) {
    await demandCleanTree();
    if (repository === null)
      throw new ReleaseError('git has no remote `origin` that others can reach; the package names it');
  }
  const release = await makeRelease({ into: directory, repository, changelog: await readChangelog() });
  console.log(await describeRelease(release));
  const destination = { image: image ?? 'IMAGE', charts: charts ?? 'oci://CHARTS' };
  const commands = publishCommands(release, destination);
  if (isDry)
    console.log(`\nNot published. It would be by:\n${commands.map((command) => command.join(' ')).join('\n')}`);
  else for (const command of commands) await publish(command);
}

try {
  await main();
} catch (error) {
  const isTold = error instanceof ReleaseError || error instanceof ReleaseNotesError;
  const isUsage = error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
  if (!isTold && !isUsage) throw error;
  console.error(`release: ${error.message}`);
  process.exitCode = isUsage ? 2 : 1;
}
