/** The administration API and its commands on a cluster of three nodes: answers of all of them, and one that stands still. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../command.ts';
import { Cluster } from './cluster.ts';
import type { ClusterNode } from './cluster-node.ts';

const timeout = 60_000;
const key = 'one-key-for-the-nodes-of-a-test';
const devices = 300;

let directory: string;
let cluster: Cluster;
let keyFile: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'dunlin-administration-'));
  keyFile = join(directory, 'key');
  writeFileSync(keyFile, key);
  cluster = await Cluster.start({ nodes: 3, workers: 2, arguments: ['--set', `admin.keyFile=${keyFile}`] });
}, timeout);
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests say what they expect of it
  body: any;
}

async function ask(node: ClusterNode, method: string, path: string, body?: unknown): Promise<Answer> {
  const headers: Record<string, string> = { authorization: `Bearer ${key}` };
  if (body !== undefined) headers['content-type'] = 'application/json';
  const url = `http://127.0.0.1:${node.adminPort}/api/v1/${path}`;
  const response = await fetch(url, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  return { status: response.status, body: await response.json() };
}

const at = (node: ClusterNode): string[] => ['--admin', `127.0.0.1:${node.adminPort}`, '--key-file', keyFile];

describe('three nodes', () => {
  test('each answers for all: overview, nodes, and clients in pages and in order', { timeout }, async () => {
    const [a, b, c] = cluster.nodes;
    const names = Array.from({ length: devices }, (_, number) => `gauge-${String(number).padStart(4, '0')}`);
    await Promise.all(names.map((clientId, number) => [a, b, c][number % 3].connect({ clientId })));
    const overview = await ask(b, 'GET', 'overview');
    expect(overview.body).toMatchObject({ nodes: 3, ready: 3, connections: devices, wrong: [], incomplete: [] });
    const { body: nodes } = await ask(c, 'GET', 'nodes');
    expect(nodes.nodes.map(({ node, workers, connections }: never) => ({ node, workers, connections }))).toEqual(
      ['a', 'b', 'c'].map((node) => ({ node, workers: 2, connections: devices / 3 })),
    );
    const found: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const { body } = await ask(
        a,
        'GET',
        `clients?filter=gauge-*&limit=70${cursor === '' ? '' : `&cursor=${cursor}`}`,
      );
      expect(body.incomplete).toEqual([]);
      found.push(...body.clients.map(({ clientId }: { clientId: string }) => clientId));
      cursor = body.next;
    }
    expect(found).toEqual(names);
    const ofB = await ask(a, 'GET', 'clients?node=b&limit=1000');
    expect(ofB.body.clients.map(({ node }: { node: string }) => node)).toEqual(Array(devices / 3).fill('b'));
    expect(await ask(a, 'GET', 'clients?node=nowhere')).toMatchObject({ status: 404 });
    const listed = await run(['clients', 'gauge-00*', '--json', ...at(c)]);
    expect(listed).toMatchObject({ code: 0, errors: '' });
    expect(
      listed.output
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).clientId),
    ).toEqual(names.slice(0, 100));
  });

  test('a client of another node is found, sent away, and its session ended', { timeout }, async () => {
    const [a, b] = cluster.nodes;
    const session = { clientId: 'pump/ü', cleanStart: false, sessionExpirySeconds: 3600 };
    const client = await b.connect(session);
    await client.subscribe('orders/#', 1);
    const shown = await run(['client', 'pump/ü', ...at(a)]);
    expect(shown).toMatchObject({ code: 0, errors: '' });
    expect(shown.output).toMatch(
      /^client +pump\/ü\nuser +\(anonymous\)\naddress +127\.0\.0\.1:\d+ at listener tcp:\S+\nnode +b, worker [01]\n/,
    );
    expect(shown.output).toMatch(/\nFILTER +QOS +IN LOG\norders\/# +1 +0\n$/);
    const published = {
      topic: 'orders/7',
      json: { state: 'new' },
      qos: 1,
      properties: { contentType: 'application/json' },
    };
    expect((await ask(a, 'POST', 'publish', published)).body).toMatchObject({ published: true, sessions: 1, logs: 1 });
    expect(await client.expect('publish')).toMatchObject({
      topic: 'orders/7',
      properties: { contentType: 'application/json' },
    });
    expect(await run(['kick', 'pump/ü', '--reason', 'maintenance', ...at(a)])).toMatchObject({
      code: 0,
      output: 'sent away from node b\n',
    });
    const { reasonCode, properties } = await client.expect('disconnect');
    expect([reasonCode, properties?.reasonString]).toEqual([0x98, 'maintenance']);
    expect(await run(['kick', 'pump/ü', ...at(a)])).toMatchObject({ code: 1 });
    const gone = await ask(a, 'GET', 'clients/pump%2F%C3%BC');
    expect(gone.status).toBe(404);
    expect(gone.body.detail).toMatch(
      /which is not connected; its last connection, to node b, ended at 20\S+Z: administrative$/,
    );
    const again = await b.open();
    expect(await again.connect(session)).toMatchObject({ sessionPresent: true });
    expect(await run(['sessions', 'end', 'pump/ü', ...at(a)])).toMatchObject({
      code: 0,
      output: 'ended; its client was connected\n',
    });
    expect((await again.expectAmong('disconnect')).reasonCode).toBe(0x98);
    const third = await b.open();
    expect(await third.connect(session)).toMatchObject({ sessionPresent: false });
    // And one that is away.
    await third.leave();
    while ((await ask(a, 'GET', 'clients/pump%2F%C3%BC')).status !== 404);
    expect((await ask(a, 'DELETE', 'sessions/pump%2F%C3%BC')).body).toEqual({ ended: true, wasConnected: false });
    const fourth = await b.open();
    expect(await fourth.connect(session)).toMatchObject({ sessionPresent: false });
  });

  test('a key that one node adds is known to all, and one that it revokes is no key within a second', {
    timeout,
  }, async () => {
    const [a, b] = cluster.nodes;
    const added = await run(['keys', 'add', 'grafana', '--scope', 'read', ...at(a)]);
    const mine = { authorization: `Bearer ${added.output.trim()}` };
    const overview = `http://127.0.0.1:${b.adminPort}/api/v1/overview`;
    while ((await fetch(overview, { headers: mine })).status !== 200);
    expect(await run(['keys', 'revoke', 'grafana', ...at(a)])).toMatchObject({ code: 0, output: 'revoked\n' });
    const revokedAt = performance.now();
    while ((await fetch(overview, { headers: mine })).status !== 401)
      expect(performance.now() - revokedAt).toBeLessThan(2000);
  });

  test('one that stands still is named, and the others answer in time', { timeout }, async () => {
    const [a, , c] = cluster.nodes;
    await c.pause();
    const begun = performance.now();
    const { status, body } = await ask(a, 'GET', 'nodes');
    expect(performance.now() - begun).toBeLessThan(4000);
    expect(status).toBe(200);
    expect(body.nodes.map(({ node }: { node: string }) => node)).toEqual(['a', 'b']);
    expect(body.incomplete).toEqual([{ node: 'c', reason: 'no answer within 2000 ms' }]);
    c.resume();
  });
});
