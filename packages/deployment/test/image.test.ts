import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, chmod, chown, copyFile, lstat, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { freePort, ServerProcess } from '@dunlin/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type BuiltImage, buildImage } from '../src/image-build.ts';
import { repositoryRoot } from '../src/repository-root.ts';
import { imageUser, isRoot, unprivileged } from '../src/unprivileged.ts';
import { publishAndReceive } from './delivered-message.ts';

const buildMilliseconds = 330_000;

let directory: string;
let image: BuiltImage;
/** PATH on which an unprivileged user finds this Node, wherever the checkout lies. */
let path: string;

/** Every file and folder below `root`, with what would show a change. */
async function listing(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true });
  const lines = entries.map(async (entry) => {
    const { size, mtimeMs } = await lstat(join(root, entry));
    return `${entry} ${size} ${mtimeMs}`;
  });
  return (await Promise.all(lines)).sort();
}

/** Takes away everybody's right to write, as a read-only root file system does. */
async function makeReadOnly(root: string): Promise<void> {
  const entries = ['.', ...(await readdir(root, { recursive: true }))];
  for (const entry of entries) {
    const place = join(root, entry);
    const found = await lstat(place);
    if (!found.isSymbolicLink()) await chmod(place, found.mode & 0o555);
  }
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dunlin-image-'));
  const programs = join(directory, 'programs');
  await mkdir(programs);
  await copyFile(process.execPath, join(programs, 'node'));
  await chmod(directory, 0o755);
  path = [programs, process.env.PATH].join(delimiter);
  image = await buildImage({ context: repositoryRoot, into: join(directory, 'stages'), path });
  await makeReadOnly(join(image.root, 'dunlin'));
}, buildMilliseconds);

afterAll(async () => {
  await promisify(execFile)('chmod', ['-R', 'u+w', directory]);
  await rm(directory, { recursive: true, force: true });
});

/** A command of the image as it would run in a container, but for the folder that is its root. */
function inImage(words: readonly string[], environment: Record<string, string>, data: string): string[] {
  const placed = words.map((word) => (word.startsWith('/') ? join(image.root, word) : word));
  return unprivileged(placed, {
    directory: data,
    environment: { ...image.environment, PATH: path, ...environment },
  });
}

async function healthCheck(environment: Record<string, string>): Promise<number> {
  const [file, ...args] = inImage(image.healthCheck, environment, image.root);
  const [code] = await once(spawn(file, args), 'exit');
  return code as number;
}

async function dataDirectory(): Promise<string> {
  const data = await mkdtemp(join(directory, 'volume-'));
  if (isRoot()) await chown(data, imageUser, imageUser);
  return data;
}

describe('the image', () => {
  test('holds what runs, and no sources, tests or development packages', async () => {
    const root = join(image.root, 'dunlin');
    const files = await readdir(root, { recursive: true });
    expect(files).toContain('packages/cli/dist/main.js');
    expect(files).toContain('packages/store-redis/src/scripts/append.lua');
    expect(files.filter((file) => file.startsWith('packages/') && file.endsWith('.ts'))).toEqual([]);
    for (const name of ['typescript', 'vitest', 'mqtt', '@biomejs']) {
      await expect(access(join(root, 'node_modules', name))).rejects.toThrow('ENOENT');
    }
  });

  test('runs as a user that is named by number and is not root', () => {
    expect(image.user).toBe(`${imageUser}:${imageUser}`);
    expect(image.stopSignal).toBe('SIGTERM');
    expect(image.volumes).toEqual([image.workingDirectory]);
  });

  test('serves from a tree that it cannot write, answers its health check, and ends at SIGTERM with 0', async () => {
    const [mqtt, admin] = [await freePort(), await freePort()];
    const data = await dataDirectory();
    const environment = {
      DUNLIN_LISTENERS: `tcp://127.0.0.1:${mqtt}`,
      DUNLIN_ADMIN_ADDRESS: `127.0.0.1:${admin}`,
      DUNLIN_WORKERS: '2',
    };
    const before = await listing(image.root);
    const [command, ...args] = inImage(image.command, environment, data);
    const node = await ServerProcess.start({
      name: 'dunlin',
      command,
      args,
      isReady: (line) => line.includes('"event":"node.started"'),
    });
    await publishAndReceive(mqtt);
    expect(await healthCheck(environment)).toBe(0);
    expect(await node.stop()).toBe(0);
    expect(await healthCheck(environment)).toBe(1);
    expect(await listing(image.root)).toEqual(before);
    expect(await readdir(data)).toEqual(['data']);
    // What the test is worth: nobody could have written there.
    const [touch, ...words] = inImage(['touch', '/dunlin/packages/new'], {}, data);
    await expect(promisify(execFile)(touch, words)).rejects.toThrow('Permission denied');
  });

  test('listens on loopback only unless it is told otherwise', async () => {
    const [command, ...args] = inImage([...image.command.slice(0, -1), 'config', 'print'], {}, await dataDirectory());
    const { stdout } = await promisify(execFile)(command, args);
    expect(stdout).toContain('tcp://127.0.0.1:1883');
    expect(stdout).toMatch(/127\.0\.0\.1:9883.*DUNLIN_ADMIN_ADDRESS/);
  });
});
