/**
 * Permissions that a node needs at NATS, and its log lines when they are missing. The block of permissions is the one
 * of docs/security.md.
 */
import { readFileSync } from 'node:fs';
import { loadConfiguration } from '@dunlin/config';
import { Conversation, type NatsProcess, type RedisServer, startNats, startRedis } from '@dunlin/testkit';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { EdgeNode } from '../src/edge-node.ts';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const clusterName = 'a.b';
const needed = 'dunlin.a=2Eb.>';

/** Block of the documents, for this cluster and a password. */
function documented(): string[] {
  const text = readFileSync(new URL('../../../docs/security.md', import.meta.url), 'utf8');
  const block = /```\n(# nats\.conf[^`]*)```/.exec(text)?.[1];
  if (block === undefined) throw new TypeError('docs/security.md has no block that begins with "# nats.conf"');
  return block.replaceAll('dunlin.dunlin.>', needed).replace('$NATS_PASSWORD', '"secret"').split('\n');
}

function allowing(publish: string, subscribe: string): string[] {
  const permissions = `{ publish: { ${publish} }, subscribe: { ${subscribe} } }`;
  return [`authorization { users: [ { user: dunlin, password: secret, permissions: ${permissions} } ] }`];
}

const all = `allow: ["${needed}"]`;
const allBut = (subject: string): string => `allow: ["${needed}"], deny: ["${subject}"]`;

async function nats(configuration: string[]): Promise<NatsProcess> {
  const server = await startNats({ configuration });
  closing.push(() => server.stop());
  return server;
}

/** A node of two workers that is not started yet. */
function node(nodeId: string, { port }: NatsProcess): EdgeNode {
  const settings = {
    nodeId,
    listeners: 'tcp://127.0.0.1:0',
    workers: '2',
    'store.url': redis.url,
    'cluster.name': clusterName,
    'backplane.url': `nats://dunlin:secret@127.0.0.1:${port}`,
    'admin.address': '127.0.0.1:0',
    'log.level': 'error',
  };
  const flags = Object.entries(settings).map(([path, value]) => ({ flag: '--set', path, value }));
  const made = new EdgeNode(loadConfiguration({ flags }).configuration, { version: '0' });
  closing.push(() => made.stop());
  return made;
}

async function client(of: EdgeNode): Promise<Conversation> {
  const tcp = of.addresses.find((address) => address.kind === 'tcp');
  const made = await Conversation.open(`mqtt://127.0.0.1:${tcp?.port ?? 0}`);
  await made.connect();
  closing.push(() => made.drop());
  return made;
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

/** Expects that messages of each node reach a subscriber at the other. */
async function meet(nodes: readonly EdgeNode[]): Promise<void> {
  for (const [from, to] of [nodes, [...nodes].reverse()]) {
    const subscriber = await client(to);
    await subscriber.subscribe('news', 1);
    await (await client(from)).publish({ topic: 'news', payload: 'hello', qos: 1 });
    expect(String((await subscriber.answer('publish')).payload)).toBe('hello');
  }
}

test('what the documents say is enough', async () => {
  const server = await nats(documented());
  const nodes = [node('one', server), node('two', server)];
  await Promise.all(nodes.map((each) => each.start()));
  await meet(nodes);
  // What waits for a link to be made again comes, and leaves of subscribers are told.
  const subscriber = await client(nodes[1]);
  await subscriber.subscribe('news', 1);
  const publisher = await client(nodes[0]);
  await server.kill();
  for (const { readiness } of nodes) await until(() => !readiness.isReady);
  const acknowledged = publisher.publish({ topic: 'news', payload: 'meanwhile', qos: 1 });
  await server.restart();
  await acknowledged;
  expect(String((await subscriber.answer('publish')).payload)).toBe('meanwhile');
  for (const { readiness } of nodes) await until(() => readiness.isReady);
  await meet(nodes);
  for (const each of nodes) await each.stop();
  expect(server.output()).not.toMatch(/Violation/);
});

test('the cluster as one would write it: the node is not ready, says why, and is when it may', async () => {
  const said = /publish to dunlin\.a=2Eb\.all, .*subscribe to dunlin\.a=2Eb\.all/;
  const server = await nats(allowing('allow: ["dunlin.a.b.>"]', 'allow: ["dunlin.a.b.>"]'));
  const one = node('two', server);
  const started = one.start();
  started.catch(() => undefined);
  await until(() => one.adminUrl !== null && one.readiness.details.backplane !== undefined);
  const response = await fetch(`${one.adminUrl}/readyz`);
  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({
    reasons: expect.arrayContaining(['backplane']),
    details: { backplane: expect.stringMatching(said) },
  });
  // What the alert DunlinBackplaneUnreachable asks.
  const metrics = await (await fetch(`${one.adminUrl}/metrics`)).text();
  expect(metrics).toContain('dunlin_not_ready{reason="backplane"} 1\n');
  await server.reload(allowing(all, all));
  await started;
  expect(await (await fetch(`${one.adminUrl}/readyz`)).json()).toEqual({ ready: true, reasons: [] });
});

test('a permission is taken away while nodes run, and given back', async () => {
  const server = await nats(allowing(all, all));
  const nodes = [node('one', server), node('two', server)];
  await Promise.all(nodes.map((each) => each.start()));
  await server.reload(allowing(allBut('dunlin.a=2Eb.heartbeat'), all));
  for (const { readiness } of nodes) await until(() => /publish.*heartbeat/.test(readiness.details.backplane ?? ''));
  await server.reload(allowing(all, all));
  for (const { readiness } of nodes) await until(() => readiness.isReady);
  await meet(nodes);
});
