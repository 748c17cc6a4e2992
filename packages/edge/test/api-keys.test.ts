/** Keys of the administration API over starts, and guesses at them. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryStore } from '@dunlin/broker';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FailedKeys } from '../src/api/failed-keys.ts';
import { Keys } from '../src/api/keys.ts';
import { ask } from './support/api-client.ts';
import { SmallNode } from './support/small-node.ts';

let directory: string;
let node: SmallNode | null = null;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dunlin-api-keys-'));
});
afterEach(async () => {
  await node?.stop();
  node = null;
  rmSync(directory, { recursive: true });
});

async function start(settings: Record<string, string> = {}): Promise<string> {
  node = await SmallNode.start({ 'store.kind': 'lmdb', 'store.path': join(directory, 'data'), ...settings });
  return node.node.adminUrl ?? '';
}

test('the first start writes a key for one user alone; later starts leave it, and do not bring it back', async () => {
  let base = await start();
  const file = join(directory, 'data', 'admin.key');
  const key = readFileSync(file, 'utf8').trim();
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(await ask(base, '/api/v1/keys', { key })).toMatchObject({
    status: 200,
    body: { keys: [{ name: 'first', scope: 'admin' }] },
  });
  await node?.stop();
  base = await start();
  expect(readFileSync(file, 'utf8').trim()).toBe(key);
  expect(await ask(base, '/api/v1/keys/first', { method: 'DELETE', key })).toMatchObject({ status: 200 });
  await node?.stop();
  base = await start();
  expect(await ask(base, '/api/v1/keys', { key })).toMatchObject({ status: 401 });
  // The data itself does not hold it.
  expect(readFileSync(join(directory, 'data', 'main.mdb')).includes(key)).toBe(false);
});

test('a node without admin.address makes no key', async () => {
  await start({ 'admin.address': '' });
  expect(existsSync(join(directory, 'data', 'admin.key'))).toBe(false);
});

test('what a key has changed is in the audit log, with the name of the key and never the key', async () => {
  const file = join(directory, 'audit');
  const base = await start({ 'audit.file': file });
  const key = readFileSync(join(directory, 'data', 'admin.key'), 'utf8').trim();
  const { body } = await ask(base, '/api/v1/keys', { method: 'POST', key, body: { name: 'ann', scope: 'write' } });
  await ask(base, '/api/v1/bans', { method: 'POST', key: body.key, body: { userName: 'mallory' } });
  await ask(base, '/api/v1/sessions/gauge%2F7', { method: 'DELETE', key: body.key });
  await node?.stop();
  const text = readFileSync(file, 'utf8');
  const records = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(records.filter(({ event }) => event === 'administration.done')).toMatchObject([
    { action: 'key added', by: 'first', target: 'ann write' },
    { action: 'session ended', by: 'ann', target: 'gauge/7' },
  ]);
  expect(records.find(({ event }) => event === 'ban.added')).toMatchObject({ user: 'mallory', by: 'ann' });
  for (const each of [key, body.key]) expect(text).not.toContain(each);
});

test('guesses are slowed: a twelfth is told to wait, and the right key is let in all the same', async () => {
  const base = await start();
  const key = readFileSync(join(directory, 'data', 'admin.key'), 'utf8').trim();
  for (let guess = 0; guess < 11; guess++)
    expect(await ask(base, '/api/v1/bans', { key: `guess-${guess}` })).toMatchObject({ status: 401 });
  const slowed = await ask(base, '/api/v1/bans', { key: 'guess-11' });
  expect(slowed).toMatchObject({ status: 429 });
  expect(slowed.headers['retry-after']).toBe('1');
  expect(slowed.body.detail).toBe('too many wrong keys came from this address: wait 1 s');
  expect(await ask(base, '/api/v1/overview', { key })).toMatchObject({ status: 200 });
  expect((await ask(base, '/metrics')).body).toContain('\ndunlin_admin_keys_refused_total 11\n');
});

test('metrics are for those who show a key, where it is configured so; probes stay open', async () => {
  const base = await start({ 'admin.metricsKey': 'true' });
  const key = readFileSync(join(directory, 'data', 'admin.key'), 'utf8').trim();
  expect(await ask(base, '/metrics')).toMatchObject({ status: 401, type: 'application/problem+json' });
  expect(await ask(base, '/metrics', { key: 'wrong' })).toMatchObject({ status: 401 });
  expect((await ask(base, '/metrics', { key })).body).toContain('dunlin_build_info');
  for (const path of ['/healthz', '/readyz']) expect((await ask(base, path)).status).toBe(200);
});

test('a key in a file that could be guessed is refused at the start', async () => {
  const keyFile = join(directory, 'key');
  writeFileSync(keyFile, 'secret\n');
  await expect(start({ 'admin.keyFile': keyFile })).rejects.toThrow(
    /admin\.keyFile: .*\/key holds a key of 6 characters, allowed: 16 or more/,
  );
});

test('while the store is away, keys count as they were read last', async () => {
  const store = new MemoryStore();
  await store.open();
  const keys = new Keys(store.adminKeys, async () => null);
  const { key } = await keys.add('ann', 'read', 'test');
  expect(await keys.senderOf(key)).toEqual({ name: 'ann', scope: 'read' });
  await store.close();
  await keys.list().catch(() => undefined); // not those of a moment ago
  expect(await keys.senderOf(key)).toEqual({ name: 'ann', scope: 'read' });
  await expect(new Keys(store.adminKeys, async () => null).senderOf(key)).rejects.toMatchObject({ code: 'closed' });
});

test('the wait doubles up to a minute, and is forgotten when no wrong key came for ten', () => {
  const failed = new FailedKeys();
  const waits: number[] = [];
  let now = 1000;
  for (let guess = 0; guess < 20; guess++) {
    failed.failed('203.0.113.7', now);
    waits.push(failed.waitSeconds('203.0.113.7', now));
    now += waits[guess] * 1000;
  }
  expect(waits).toEqual([...Array(10).fill(0), 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
  expect(failed.waitSeconds('198.51.100.1', now - 1)).toBe(0);
  failed.failed('203.0.113.7', now + 11 * 60_000);
  expect(failed.waitSeconds('203.0.113.7', now + 11 * 60_000)).toBe(0);
});
