/** Rest of a session where the store ends between two steps of taking a large session apart. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LmdbStore } from '../src/lmdb-store.ts';

const filterCount = 3000;
const now = 1_700_000_000_000;
let directory: string;
let store: LmdbStore;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'dunlin-large-'));
  store = await open();
});
afterEach(async () => {
  await store.close();
  rmSync(directory, { recursive: true });
});

async function open(): Promise<LmdbStore> {
  const opened = new LmdbStore({ path: directory, durability: 'memory' });
  await opened.open();
  return opened;
}

function claim(owner: string, cleanStart: boolean) {
  return store.sessions.claim({ clientId: 'c', owner, cleanStart, sessionExpirySeconds: 3600 }, now);
}

async function subscribe(epoch: number, count: number): Promise<void> {
  const subscriptions = Array.from({ length: count }, (_, index) => ({
    filter: `large/${index}`,
    qos: 1 as const,
    noLocal: false,
    retainAsPublished: false,
    retainHandling: 0 as const,
    subscriptionIdentifier: 0,
  }));
  await store.sessions.subscribe({ clientId: 'c', epoch }, subscriptions);
}

/** A clean start that has begun and will not come to its end. Some of the session is gone, not all. */
async function cutShort(owner: string): Promise<void> {
  await subscribe((await claim('n/1#1', false)).epoch, filterCount);
  const clean = claim(owner, true);
  const ended = expect(clean).rejects.toMatchObject({ code: 'closed' });
  while ((await store.logs.durableFilters()).length === filterCount) await nextTurn();
  await store.close();
  await ended;
  store = await open();
  expect((await store.logs.durableFilters()).length).toBeGreaterThan(0);
}

test('the next claim finds no session, and nothing of the old one stays', async () => {
  await cutShort('n/1#2');
  const { session, previousOwner, epoch } = await claim('n/1#3', false);
  expect({ session, previousOwner }).toEqual({ session: null, previousOwner: 'n/1#2' });
  expect(await store.logs.durableFilters()).toEqual([]);
  await subscribe(epoch, 2);
  expect((await claim('n/1#3', false)).session?.cursors).toHaveLength(2);
});

test('without a claim it is removed when its owner is released', async () => {
  await cutShort('n/1#2');
  expect(await store.sessions.expire(now, 10)).toEqual([]);
  await store.sessions.releaseOwner('n/1#2', now);
  expect(await store.sessions.expire(now, 10)).toEqual(['c']);
  expect(await store.logs.durableFilters()).toEqual([]);
  expect(await store.sessions.count()).toBe(0);
  expect(await store.sessions.owners()).toEqual([]);
});
