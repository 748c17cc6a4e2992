import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Claim } from '@dunlin/broker';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Durability, LmdbStore } from '../src/index.ts';

const appender = new URL('./appender.ts', import.meta.url);
const filter = 'shared/log';
const subscription = {
  filter,
  qos: 1,
  noLocal: false,
  retainAsPublished: false,
  retainHandling: 0,
  subscriptionIdentifier: 0,
} as const;

let path: string;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'dunlin-lmdb-'));
});
afterEach(() => rmSync(path, { recursive: true, force: true }));

async function openStore(durability: Durability): Promise<LmdbStore> {
  const store = new LmdbStore({ path, durability });
  await store.open();
  return store;
}

async function makeDurable(store: LmdbStore): Promise<Claim> {
  const claim = await store.sessions.claim(
    { clientId: 'reader', owner: 'n/0#1', cleanStart: false, sessionExpirySeconds: 0xffffffff },
    0,
  );
  await store.sessions.subscribe({ clientId: 'reader', epoch: claim.epoch }, [subscription]);
  return claim;
}

/** The whole log, checked to be numbered without a gap. */
async function readAll(store: LmdbStore): Promise<string[]> {
  const { entries, firstSequence, lastSequence } = await store.logs.read(filter, 1, 1e9, 1e12, 0);
  expect(entries.map(({ sequence }) => sequence)).toEqual(
    Array.from({ length: lastSequence }, (_, index) => index + 1),
  );
  expect(firstSequence).toBe(1);
  return entries.map(({ record }) => new TextDecoder().decode(record));
}

for (const durability of ['fsync', 'memory'] as const) {
  describe(`durability ${durability}`, () => {
    it('numbers one log without gap or double from three threads at once', async () => {
      const store = await openStore(durability);
      await makeDurable(store);
      const batches = 60;
      const perBatch = 50;
      const confirmed: { name: string; batch: number; sequences: number[] }[] = [];
      await Promise.all(
        ['x', 'y', 'z'].map(async (name) => {
          const workerData = { options: { path, durability }, filter, name, batches, perBatch };
          const worker = new Worker(appender, { workerData, execArgv: process.execArgv });
          worker.on('message', (message) => confirmed.push({ name, ...message }));
          await once(worker, 'exit');
        }),
      );
      const log = await readAll(store);
      expect(log).toHaveLength(3 * batches * perBatch);
      expect(confirmed).toHaveLength(3 * batches);
      for (const { name, batch, sequences } of confirmed) {
        expect(sequences.map((sequence) => log[sequence - 1])).toEqual(
          sequences.map((_, index) => `${name} ${batch} ${index}`),
        );
      }
      await store.close();
    });

    it('loses nothing confirmed and corrupts nothing when its process is killed', async () => {
      let store = await openStore(durability);
      let epoch = (await makeDurable(store)).epoch;
      const retained = { topic: 'kept', record: new TextEncoder().encode('kept') };
      await store.retained.set(retained.topic, retained.record, Infinity);
      await store.close();
      const confirmed: { name: string; batch: number; sequences: number[] }[] = [];
      for (let round = 0; round < 10; round++) {
        const name = `round${round}`;
        const task = { options: { path, durability }, filter, name, batches: null, perBatch: 20 };
        const child = fork(appender, [JSON.stringify(task)], {
          execArgv: process.execArgv,
          stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
        });
        let messages = 0;
        child.on('message', (message: { batch: number; sequences: number[] }) => {
          confirmed.push({ name, ...message });
          // Another moment of its work in every round.
          if (++messages === 3 + round * 7) child.kill('SIGKILL');
        });
        const [, signal] = await once(child, 'exit');
        expect(signal).toBe('SIGKILL');

        store = await openStore(durability);
        const log = await readAll(store);
        for (const { name: by, batch, sequences } of confirmed) {
          expect(sequences.map((sequence) => log[sequence - 1])).toEqual(
            sequences.map((_, index) => `${by} ${batch} ${index}`),
          );
        }
        const again = await makeDurable(store);
        expect(again.epoch).toBeGreaterThan(epoch);
        expect(again.session?.cursors).toEqual([{ filter, acknowledged: 0, above: [] }]);
        epoch = again.epoch;
        expect((await store.retained.read('#', null, 9, 0)).entries.map(({ topic }) => topic)).toEqual([
          retained.topic,
        ]);
        await store.close();
      }
      expect(confirmed.length).toBeGreaterThan(100);
    }, 120_000);

    it('gives every claim of one client its own epoch, and one owner after the other, between two stores', async () => {
      const stores = [await openStore(durability), await openStore(durability)];
      const claims = await Promise.all(
        Array.from({ length: 40 }, (_, index) =>
          stores[index % 2].sessions.claim(
            { clientId: 'c', owner: `n/${index}#1`, cleanStart: index % 5 === 0, sessionExpirySeconds: index % 3 },
            0,
          ),
        ),
      );
      const inOrder = claims
        .map((claim, index) => ({ ...claim, owner: `n/${index}#1` }))
        .sort((a, b) => a.epoch - b.epoch);
      expect(new Set(inOrder.map(({ epoch }) => epoch)).size).toBe(40);
      expect(inOrder.map(({ previousOwner }) => previousOwner)).toEqual([
        '',
        ...inOrder.slice(0, -1).map(({ owner }) => owner),
      ]);
      for (const store of stores) await store.close();
    });

    it('does not take a client for unknown whose session another store is about to commit', async () => {
      const [creator, other] = [await openStore(durability), await openStore(durability)];
      for (let round = 0; round < 30; round++) {
        const clientId = `c${round}`;
        const claims: Promise<Claim>[] = [
          creator.sessions.claim({ clientId, owner: 'n/0#1', cleanStart: false, sessionExpirySeconds: 60 }, 0),
        ];
        let committed = false;
        void claims[0].then(() => {
          committed = true;
        });
        // In every turn until the commit is done.
        while (!committed) {
          claims.push(
            other.sessions.claim(
              { clientId, owner: `n/${claims.length}#1`, cleanStart: false, sessionExpirySeconds: 0 },
              0,
            ),
          );
          await new Promise((resolve) => setImmediate(resolve));
        }
        const given = (await Promise.all(claims)).map(({ epoch, previousOwner }, index) => ({
          epoch,
          previousOwner,
          owner: `n/${index}#1`,
        }));
        given.sort((a, b) => a.epoch - b.epoch);
        expect(new Set(given.map(({ epoch }) => epoch)).size).toBe(given.length);
        expect(given.map(({ previousOwner }) => previousOwner)).toEqual([
          '',
          ...given.slice(0, -1).map(({ owner }) => owner),
        ]);
      }
      await creator.close();
      await other.close();
    });

    it('does not let the file grow with what was trimmed', async () => {
      const store = await openStore(durability);
      const { epoch } = await makeDurable(store);
      const round = async (): Promise<number> => {
        const requests = Array.from({ length: 2000 }, () => ({
          filters: [filter],
          record: new Uint8Array(500),
          expiresAt: Infinity,
          producer: null,
          inbound: null,
        }));
        const [acknowledged] = (await store.logs.append(requests, 0)).at(-1) as number[];
        await store.sessions.update({ clientId: 'reader', epoch }, { cursors: [{ filter, acknowledged, above: [] }] });
        await store.logs.trim({ messagesMax: 1e9, bytesMax: 1e12 }, 0);
        return statSync(join(path, 'main.mdb')).size;
      };
      for (let warm = 0; warm < 5; warm++) await round();
      const before = await round();
      for (let more = 0; more < 20; more++) await round();
      expect(await round()).toBeLessThan(before * 1.5);
      await store.close();
    });
  });
}

describe('opening', () => {
  it('says what it cannot open', async () => {
    const file = join(path, 'a-file');
    writeFileSync(file, '');
    const store = new LmdbStore({ path: join(file, 'below'), durability: 'fsync' });
    await expect(store.open()).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining(join(file, 'below')),
    });
  });

  it('refuses a file that is no store', async () => {
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, 'main.mdb'), Buffer.alloc(8192, 7));
    await expect(openStore('fsync')).rejects.toMatchObject({ code: 'corrupt', message: expect.stringContaining(path) });
  });

  it('refuses another format version', async () => {
    const { open } = await import('lmdb');
    const root = open({
      path: join(path, 'main.mdb'),
      noSubdir: true,
      maxDbs: 4,
      encoding: 'binary',
      keyEncoding: 'binary',
      overlappingSync: false,
    });
    await root.openDB('meta', { encoding: 'binary', keyEncoding: 'binary' }).put(Buffer.from('version'), Buffer.of(99));
    await root.close();
    await expect(openStore('fsync')).rejects.toMatchObject({
      code: 'corrupt',
      message: expect.stringContaining('version 99'),
    });
  });

  it('refuses what was open without flushing when the machine went down', async () => {
    await (await openStore('memory')).close();
    expect(readdirSync(path).filter((name) => name.startsWith('memory-durability'))).toEqual([]);
    writeFileSync(join(path, 'memory-durability-0-0'), 'another boot');
    await expect(openStore('fsync')).rejects.toMatchObject({
      code: 'corrupt',
      message: expect.stringContaining('machine went down'),
    });
  });

  it('forgets the claims of an earlier boot', async () => {
    writeFileSync(join(path, 'claims-earlier.mdb'), 'whatever is left');
    await (await openStore('memory')).close();
    expect(readdirSync(path)).not.toContain('claims-earlier.mdb');
  });
});
