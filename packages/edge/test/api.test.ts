/** The administration API of a node: who may ask, the table of endpoints, and what they change. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { endpoints } from '../src/api/all-endpoints.ts';
import { apiReference } from '../src/api/api-document.ts';
import { ask } from './support/api-client.ts';
import { SmallNode } from './support/small-node.ts';

const secret = 'a-key-that-a-secret-of-kubernetes-holds';
let directory: string;
let node: SmallNode;
let base: string;
const keys: Record<string, string> = {};
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'dunlin-api-'));
  const keyFile = join(directory, 'key');
  writeFileSync(keyFile, `${secret}\n`);
  node = await SmallNode.start({ 'admin.keyFile': keyFile });
  base = node.node.adminUrl as string;
  for (const scope of ['read', 'write', 'admin']) {
    const { status, body } = await ask(base, '/api/v1/keys', {
      method: 'POST',
      key: secret,
      body: { name: scope, scope },
    });
    expect(status).toBe(200);
    keys[scope] = body.key;
  }
});
afterAll(async () => {
  await node?.stop();
  rmSync(directory, { recursive: true });
});

/** A path with a name in the place of each part in braces. */
const filled = (path: string): string => path.replace(/\{\w+\}/g, 'nobody');

const problem = expect.objectContaining({
  type: 'about:blank',
  title: expect.stringMatching(/./),
  status: expect.any(Number),
  detail: expect.stringMatching(/given .*(allowed|lists|which|key)/),
});

/** All that a request could have changed. */
async function state(): Promise<unknown> {
  const [bans, all, retained] = await Promise.all(
    ['bans', 'keys', 'retained'].map((path) => ask(base, `/api/v1/${path}`, { key: secret })),
  );
  // The last use of a key is no change.
  const names = all.body.keys.map(({ name, scope }: { name: string; scope: string }) => ({ name, scope }));
  return { bans: bans.body, keys: names, retained: retained.body };
}

describe.each(endpoints.map((endpoint) => [`${endpoint.method} ${endpoint.path}`, endpoint] as const))(
  '%s',
  (_, endpoint) => {
    const { method, path, scope } = endpoint;

    test('needs a key, of its scope at least, and changes nothing without', async () => {
      const before = await state();
      const lower = ['read', 'write', 'admin'].filter((_name, at, all) => at < all.indexOf(scope));
      const body = endpoint.body === null ? undefined : {};
      const none = await ask(base, filled(path), { method, body });
      expect(none).toMatchObject({ status: 401, type: 'application/problem+json', body: problem });
      expect(none.headers['www-authenticate']).toBe('Bearer');
      for (const name of lower) {
        const low = await ask(base, filled(path), { method, body, key: keys[name] });
        expect(low).toMatchObject({ status: 403, type: 'application/problem+json', body: problem });
        expect(low.body.detail).toBe(
          `given a key with the scope ${name}, allowed: the scope ${scope}${scope === 'admin' ? '' : ' or above'}`,
        );
      }
      expect(await state()).toEqual(before);
    });

    test('refuses an input that is not in its schema, in words, and changes nothing', async () => {
      const before = await state();
      const body = endpoint.body === null ? undefined : {};
      const query = await ask(base, `${filled(path)}?nonsense=1`, { method, body, key: secret });
      expect(query).toMatchObject({ status: 400, body: problem });
      expect(query.body.detail).toMatch(/^query: .*given "nonsense", allowed: /);
      if (endpoint.body !== null) {
        const valid = Object.keys(endpoint.query.shape).length === 0 ? filled(path) : `${filled(path)}?filter=x`;
        const unknown = await ask(base, valid, { method, key: secret, body: { nonsense: 1 } });
        expect(unknown).toMatchObject({ status: 400, body: problem });
        expect(unknown.body.detail).toContain('given "nonsense", allowed: ');
        const broken = await ask(base, valid, { method, key: secret, body: '{"nonsense' });
        expect(broken).toMatchObject({ status: 400, body: problem });
        const form = { 'content-type': 'text/plain' };
        expect(await ask(base, valid, { method, key: secret, body: '{}', headers: form })).toMatchObject({
          status: 415,
        });
      } else if (method !== 'GET') {
        expect(await ask(base, filled(path), { method, key: secret, body: { a: 1 } })).toMatchObject({ status: 400 });
      }
      expect(await state()).toEqual(before);
    });

    test('is answered in the form of its schema', async () => {
      if (method !== 'GET' || path.includes('{')) return;
      const { status, body } = await ask(base, path, { key: keys[scope] });
      expect(status).toBe(200);
      expect(endpoint.answer.safeParse(body).error).toBe(undefined);
    });
  },
);

describe('whoever asks', () => {
  test('a page of another origin, and one whose name was made to stand for this node, get nothing', async () => {
    const path = '/api/v1/bans';
    const rebound = await ask(base, path, { key: secret, headers: { host: 'evil.example' } });
    expect(rebound).toMatchObject({ status: 421 });
    expect(rebound.body.detail).toContain('Host: given "evil.example", allowed: an address, localhost');
    const foreign = await ask(base, path, { key: secret, headers: { origin: 'http://evil.example' } });
    expect(foreign).toMatchObject({ status: 403 });
    expect(foreign.headers['access-control-allow-origin']).toBe(undefined);
    const { host } = new URL(base);
    expect(await ask(base, path, { key: secret, headers: { origin: `http://${host}` } })).toMatchObject({
      status: 200,
    });
    expect(await ask(base, path, { key: secret, headers: { host: 'localhost:1' } })).toMatchObject({ status: 200 });
  });

  test('a path and a method that there are not are told from one another', async () => {
    expect(await ask(base, '/api/v1/nothing', { key: secret })).toMatchObject({ status: 404 });
    const wrong = await ask(base, '/api/v1/bans', { method: 'PUT', key: secret });
    expect(wrong).toMatchObject({ status: 405, headers: { allow: 'GET, POST, DELETE' } });
    expect(await ask(base, '/api/v1/clients/%ff', { key: secret })).toMatchObject({ status: 400 });
  });

  test('probes and metrics need no key', async () => {
    for (const path of ['/healthz', '/readyz', '/metrics']) expect((await ask(base, path)).status).toBe(200);
  });
});

test('a revoked key is none, and the list never shows a key', async () => {
  const add = { method: 'POST', key: secret, body: { name: 'ann', scope: 'read' } };
  const { body: added } = await ask(base, '/api/v1/keys', add);
  expect(await ask(base, '/api/v1/bans', { key: added.key })).toMatchObject({ status: 200 });
  expect(await ask(base, '/api/v1/keys', add)).toMatchObject({ status: 409 });
  const list = await ask(base, '/api/v1/keys', { key: secret });
  const ann = list.body.keys.find(({ name }: { name: string }) => name === 'ann');
  expect(ann).toMatchObject({ scope: 'read', by: 'admin.keyFile' });
  expect(JSON.stringify(list.body)).not.toContain(added.key);
  expect(await ask(base, '/api/v1/keys/ann', { method: 'DELETE', key: secret })).toMatchObject({ status: 200 });
  expect(await ask(base, '/api/v1/bans', { key: added.key })).toMatchObject({ status: 401 });
  expect(await ask(base, '/api/v1/keys/ann', { method: 'DELETE', key: secret })).toMatchObject({ status: 404 });
});

test('docs/api.md is fresh (npm run docs)', () => {
  expect(readFileSync(join(import.meta.dirname, '../../../docs/api.md'), 'utf8')).toBe(apiReference());
});
