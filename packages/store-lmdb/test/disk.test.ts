/**
 * Faults of the directory and the disk under the store: modes, a full disk, a limit of the process, the end while it
 * works.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { StoreError } from '@dunlin/broker';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { LmdbStore } from '../src/lmdb-store.ts';

let directory: string;
let isMounted = false;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dunlin-disk-'));
});
afterEach(() => {
  if (isMounted) execFileSync('umount', ['--lazy', directory]);
  isMounted = false;
  rmSync(directory, { recursive: true, force: true });
});

function mount(...words: string[]): boolean {
  try {
    execFileSync('mount', words, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const subscription = {
  qos: 1,
  noLocal: false,
  retainAsPublished: false,
  retainHandling: 0,
  subscriptionIdentifier: 0,
} as const;

async function durable(store: LmdbStore, filters: string[]): Promise<{ clientId: string; epoch: number }> {
  const claim = await store.sessions.claim(
    { clientId: 'c', owner: 'a', cleanStart: false, sessionExpirySeconds: 3600 },
    0,
  );
  const key = { clientId: 'c', epoch: claim.epoch };
  await store.sessions.subscribe(
    key,
    filters.map((filter) => ({ filter, ...subscription })),
  );
  return key;
}

const message = (bytes: number) => ({
  filters: ['f'],
  record: Buffer.alloc(bytes, 1),
  expiresAt: Infinity,
  producer: null,
  inbound: null,
});

describe('who may read', () => {
  it('is the owner alone, in a directory and in files that the store makes', async () => {
    const path = join(directory, 'data');
    for (const exclusive of [true, false]) {
      const store = new LmdbStore({ path, durability: 'memory', exclusive });
      await store.open();
      expect(statSync(path).mode & 0o777).toBe(0o700);
      const files = readdirSync(path);
      expect(files).toContain('main.mdb');
      for (const file of files) expect([file, statSync(join(path, file)).mode & 0o777]).toEqual([file, 0o600]);
      await store.close();
    }
  });

  it('stays as it was where an operator has made the file', async () => {
    const path = join(directory, 'data');
    const store = new LmdbStore({ path, durability: 'fsync' });
    await store.open();
    await store.close();
    chmodSync(join(path, 'main.mdb'), 0o640);
    await store.open();
    expect(statSync(join(path, 'main.mdb')).mode & 0o777).toBe(0o640);
    await store.close();
  });
});

it('a store that is closed while it trims says so, and not that LMDB is closed', async () => {
  const store = new LmdbStore({ path: directory, durability: 'fsync' });
  await store.open();
  await durable(
    store,
    Array.from({ length: 3000 }, (_, at) => `f${at}`),
  );
  const trimming = store.logs.trim({ messagesMax: 1, bytesMax: 1 }, 0);
  const ended = expect(trimming).rejects.toMatchObject({ code: 'closed' });
  await store.close();
  await ended;
});

/** Opens the store at `path` in a process of its own, behind these words of a shell; says `open`, or why not. */
function opened(path: string, words = ''): string {
  const program = `const { LmdbStore } = await import(${JSON.stringify(fileURLToPath(new URL('../src/lmdb-store.ts', import.meta.url)))});
    await new LmdbStore({ path: ${JSON.stringify(path)}, durability: 'fsync' }).open().then(() => console.log('open'), (error) => console.log(error.message));
    process.exit();`;
  return execFileSync(
    'sh',
    ['-c', `${words} exec "$0" --conditions=source --input-type=module -e "$1"`, process.execPath, program],
    { encoding: 'utf8' },
  );
}

/** Seen to fail before: the process ended by a bus error, without a word. */
it('a store that is made on a full disk says that there is no room, and opens where there is enough', ({ skip }) => {
  if (!mount('-t', 'tmpfs', '-o', 'size=2m', 'none', directory)) skip('mounting a file system is not allowed here');
  isMounted = true;
  const fill = join(directory, 'fill');
  try {
    writeFileSync(fill, Buffer.alloc(2 ** 21));
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOSPC' });
  }
  const { size } = statSync(fill);
  const said = [0, 4, 8, 16, 32, 64, 128].map((room) => {
    truncateSync(fill, size - room * 1024);
    const line = opened(join(directory, `data-${room}`));
    rmSync(join(directory, `data-${room}`), { recursive: true, force: true });
    return line;
  });
  for (const line of said) expect(line).toMatch(/^(open|cannot open the .* no space left on device.*)\n$/);
  expect(said[0]).toContain('no space left');
  truncateSync(fill, 0);
  expect(opened(join(directory, 'data'))).toBe('open\n');
});

it('a limit of the address space is reported, instead of an end without a message', () => {
  expect(opened(directory, 'ulimit -v 12000000;')).toContain('bytes of address space (ulimit -v, RLIMIT_AS)');
  expect(opened(directory)).toBe('open\n');
});

describe.each(['fsync', 'memory'] as const)('a full disk, durability %s', (durability) => {
  it('refuses what adds to it and nothing else, and takes everything when there is room', async ({ skip }) => {
    if (!mount('-t', 'tmpfs', '-o', 'size=8m', 'none', directory)) skip('mounting a file system is not allowed here');
    isMounted = true;
    const escaped: unknown[] = [];
    const escapes = (error: unknown): unknown => escaped.push(error);
    process.on('unhandledRejection', escapes);
    onTestFinished(() => void process.off('unhandledRejection', escapes));
    const told: (StoreError | null)[] = [];
    const changed: (() => void)[] = [];
    const store = new LmdbStore({
      path: join(directory, 'data'),
      durability,
      onWrites: (failure) => {
        told.push(failure);
        for (const wake of changed.splice(0)) wake();
      },
    });
    await store.open();
    const key = await durable(store, ['f']);
    let stored = 0;
    for (let failure: unknown = null; failure === null; ) {
      failure = await store.logs.append([message(60_000)], 0).then(
        () => null,
        (error: unknown) => error,
      );
      if (failure === null) stored++;
      else expect(failure).toMatchObject({ code: 'unavailable' });
    }
    expect(told).toEqual([expect.objectContaining({ code: 'unavailable' })]);

    // In one transaction with an append that does not fit.
    for (let round = 0; round < 20; round++) {
      const append = store.logs.append([message(200_000)], 0);
      const refused = expect(append).rejects.toMatchObject({ code: 'unavailable' });
      await store.sessions.update(key, { cursors: [{ filter: 'f', acknowledged: round, above: [] }] });
      await store.sessions.claim(
        { clientId: `d${round % 3}`, owner: 'a', cleanStart: false, sessionExpirySeconds: 60 },
        0,
      );
      await refused;
    }
    expect((await store.logs.read('f', 1, 1000, 1e9, 0)).lastSequence).toBe(stored);
    expect(told.length).toBe(1);

    mount('-o', 'remount,size=64m', directory);
    await new Promise<void>((resolve) => changed.push(resolve));
    expect(told[1]).toBe(null);
    expect(await store.logs.append([message(200_000)], 0)).toEqual([[stored + 1]]);
    await store.close();
    expect(escaped).toEqual([]);
  });
});
