/** A message that goes to many logs is stored once: nested filters of one session must not write it a hundred times. */
import { statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { entryCount, openMain } from '../src/environment.ts';
import { LmdbStore } from '../src/index.ts';

const now = 1_700_000_000_000;
const filters = Array.from({ length: 119 }, (_, index) => `mallory${'/n'.repeat(index)}/#`);
const limits = { messagesMax: 1e9, bytesMax: 1e12 };

async function withStore(run: (store: LmdbStore, path: string) => Promise<void>): Promise<void> {
  const path = await mkdtemp(join(tmpdir(), 'dunlin-shared-'));
  const store = new LmdbStore({ path, durability: 'memory' });
  await store.open();
  try {
    await run(store, path);
  } finally {
    await store.close();
    await rm(path, { recursive: true, force: true });
  }
}

async function subscribed(store: LmdbStore, clientId: string) {
  const request = { clientId, owner: 'n/0#1', cleanStart: false, sessionExpirySeconds: 100 };
  const key = { clientId, epoch: (await store.sessions.claim(request, now)).epoch };
  const options = { qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
  await store.sessions.subscribe(
    key,
    filters.map((filter) => ({ filter, ...options, subscriptionIdentifier: 0 })),
  );
  return key;
}

/** Records that are stored beside the logs. */
async function sharedCount(store: LmdbStore, path: string): Promise<number> {
  await store.close();
  const { root, tables } = openMain(path, 'memory');
  const count = entryCount(tables.shared);
  await root.close();
  await store.open();
  return count;
}

test('60 messages of 64 KiB to 119 logs take the room of 60, are read from each log, and go with the last of them', async () => {
  await withStore(async (store, path) => {
    const key = await subscribed(store, 'away');
    const record = Buffer.alloc(65_536, 'x');
    for (let index = 0; index < 60; index++) {
      const request = { filters, record, expiresAt: Infinity, producer: null, inbound: null };
      expect(await store.logs.append([request], now)).toEqual([filters.map(() => index + 1)]);
    }
    expect(statSync(join(path, 'main.mdb')).size).toBeLessThan(16 * 1024 * 1024);
    for (const filter of [filters[0], filters[118]]) {
      const { entries } = await store.logs.read(filter, 1, 100, 2 ** 30, now);
      expect(entries.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 60 }, (_, index) => index + 1));
      expect(Buffer.compare(entries[59].record, record)).toBe(0);
    }
    // All but one log have passed them: the last one still has them.
    const cursors = filters.slice(1).map((filter) => ({ filter, acknowledged: 60, above: [] }));
    await store.sessions.update(key, { cursors });
    expect(await store.logs.trim(limits, now)).toBe(0);
    expect((await store.logs.read(filters[0], 1, 100, 2 ** 30, now)).entries).toHaveLength(60);
    expect(await sharedCount(store, path)).toBeGreaterThan(0);
    // The limits of a log count the whole message.
    expect(await store.logs.trim({ messagesMax: 1e9, bytesMax: 65_536 * 10 }, now)).toBe(50);
    // Its subscription goes, and what is left becomes garbage.
    await store.sessions.unsubscribe(key, [filters[0]]);
    await store.logs.trim(limits, now);
    expect(await sharedCount(store, path)).toBe(0);
  });
});

test('small messages stand in each log, since a reference would save nothing', async () => {
  await withStore(async (store, path) => {
    await subscribed(store, 'away');
    const request = { filters, record: Buffer.alloc(100), expiresAt: Infinity, producer: null, inbound: null };
    await store.logs.append([request], now);
    expect(await sharedCount(store, path)).toBe(0);
  });
});
