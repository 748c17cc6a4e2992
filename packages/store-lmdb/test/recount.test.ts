/** A file that a release without quotas has written to: amounts are counted again when it is opened. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openMain } from '../src/environment.ts';
import { LmdbStore } from '../src/index.ts';

test('retained messages of an earlier release are counted when the file is opened', async () => {
  const path = await mkdtemp(join(tmpdir(), 'dunlin-recount-'));
  try {
    const store = new LmdbStore({ path, durability: 'memory' });
    const quota = { countMax: 2, bytesMax: 1e9, userCountMax: 9, userBytesMax: 1e9 };
    await store.open();
    for (const topic of ['a', `b/${'x'.repeat(9000)}`]) {
      await store.retained.set(topic, Buffer.from('r'), Infinity, { user: 'alice', quota });
    }
    await store.close();

    const earlier = openMain(path, 'memory');
    await earlier.tables.usage.clearAsync();
    await earlier.root.close();

    await store.open();
    const alice = { user: 'alice', quota: { ...quota, userCountMax: 1 } };
    await expect(store.retained.set('c', Buffer.from('r'), Infinity, alice)).rejects.toMatchObject({
      code: 'quota-exceeded',
    });
    await store.retained.set('a', null, Infinity);
    await store.retained.set('c', Buffer.from('r'), Infinity, { user: 'bob', quota });
    await store.close();
  } finally {
    await rm(path, { recursive: true, force: true });
  }
});
