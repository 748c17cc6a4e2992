/** The table of filters: those that come and go must not stay in it for ever. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { entryCount, openMain } from '../src/environment.ts';
import { LmdbStore } from '../src/index.ts';

const now = 1_700_000_000_000;
const limits = { messagesMax: 1e9, bytesMax: 1e12 };
const options = { qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;

test('10,000 filters that have come and gone leave some 1,000 entries, and numbers go on behind those that were forgotten', async () => {
  const path = await mkdtemp(join(tmpdir(), 'dunlin-filters-'));
  const store = new LmdbStore({ path, durability: 'memory' });
  await store.open();
  try {
    const request = { clientId: 'c', owner: 'n/0#1', cleanStart: false, sessionExpirySeconds: 100 };
    const key = { clientId: 'c', epoch: (await store.sessions.claim(request, now)).epoch };
    const subscribe = (filters: string[]) =>
      store.sessions.subscribe(
        key,
        filters.map((filter) => ({ filter, ...options, subscriptionIdentifier: 0 })),
      );
    const append = (filters: string[]) =>
      store.logs.append(
        [{ filters, record: Buffer.from('x'), expiresAt: Infinity, producer: null, inbound: null }],
        now,
      );
    await subscribe(['stays']);
    for (let round = 0; round < 10; round++) {
      const filters = Array.from({ length: 1000 }, (_, index) => `f/${round}/${index}`);
      await subscribe(filters);
      for (let times = 0; times <= round; times++) await append(filters);
      await store.sessions.unsubscribe(key, filters);
    }
    await store.logs.trim(limits, now);
    await store.close();
    const { root, tables } = openMain(path, 'memory');
    const kept = entryCount(tables.filter);
    await root.close();
    await store.open();
    expect(kept).toBe(1024 + 1);
    // The last of them, whose log was at 10, is among those that were forgotten.
    const [{ lastSequence }] = await subscribe(['f/9/999']);
    expect(lastSequence).toBe(10);
    const [{ lastSequence: ofAnother }] = await subscribe(['never/seen']);
    expect(ofAnother).toBe(10);
    expect(await append(['f/9/999', 'stays'])).toEqual([[11, 1]]);
  } finally {
    await store.close();
    await rm(path, { recursive: true, force: true });
  }
});
