import { loadConfiguration } from '@dunlin/config';
import { Conversation, type NatsProcess, type RedisServer, redisCall, startNats, startRedis } from '@dunlin/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { EdgeNode } from '../src/edge-node.ts';
import type { WorkerStatus } from '../src/workers/worker-message.ts';

let redis: RedisServer;
let nats: NatsProcess;
beforeAll(async () => {
  [redis, nats] = await Promise.all([startRedis(), startNats()]);
});
afterAll(() => Promise.all([redis.stop(), nats.stop()]));

let nodes: EdgeNode[] = [];
let clients: Conversation[] = [];
afterEach(async () => {
  for (const client of clients) void client.drop();
  await Promise.all(nodes.map((node) => node.stop()));
  nodes = [];
  clients = [];
});

let names = 0;

async function start(settings: Record<string, string>): Promise<EdgeNode> {
  const all = {
    nodeId: `node-${++names}`,
    'store.url': redis.url,
    'cluster.name': 'test',
    listeners: 'tcp://127.0.0.1:0',
    'admin.address': '127.0.0.1:0',
    'log.level': 'error',
    ...settings,
  };
  const flags = Object.entries(all).map(([path, value]) => ({ flag: '--set', path, value }));
  const node = new EdgeNode(loadConfiguration({ flags }).configuration, { version: '0' });
  nodes.push(node);
  await node.start();
  return node;
}

async function client(node: EdgeNode, clientId = ''): Promise<Conversation> {
  const tcp = node.addresses.find((address) => address.kind === 'tcp');
  const made = await Conversation.open(`mqtt://127.0.0.1:${tcp?.port ?? 0}`);
  await made.connect({ clientId });
  clients.push(made);
  return made;
}

async function until(node: EdgeNode, enough: (status: WorkerStatus[]) => boolean): Promise<void> {
  while (!enough(await node.status())) await new Promise((resolve) => setImmediate(resolve));
}

describe.each(['1', '2'])('a node of %s workers', (workers) => {
  test('in a cluster: a worker that dies is replaced; others reach the new one, what the dead owned is released', async () => {
    const [one, two] = await Promise.all([
      start({ workers, 'backplane.url': nats.url }),
      start({ workers, 'backplane.url': nats.url }),
    ]);
    const owned = await client(one, 'owned');
    const [{ index, endpoint }] = (await one.status()).filter(({ connections }) => connections > 0);
    await one.pool.threads[index].terminate();
    await owned.closed;
    await until(one, (status) => status.some((worker) => worker.index === index && worker.endpoint !== endpoint));
    expect(one.readiness.isReady).toBe(true);
    const subscribers = await Promise.all(Array.from({ length: 4 * Number(workers) }, () => client(one)));
    await Promise.all(subscribers.map((subscriber) => subscriber.subscribe('a/+', 1)));
    await (await client(two)).publish({ topic: 'a/b', payload: 'hello', qos: 1 });
    for (const subscriber of subscribers) expect(String((await subscriber.answer('publish')).payload)).toBe('hello');
    expect(await redisCall(redis.url, ['KEYS', `*${endpoint}*`])).not.toMatch(/live/);
  });

  test('alone on Redis, which is allowed: sessions and retained messages outlive it', async () => {
    const settings = { workers, 'cluster.name': `alone-${workers}`, nodeId: 'alone' };
    const first = await start(settings);
    await (await client(first)).publish({ topic: 'kept', payload: 'in Redis', qos: 1, retain: true });
    await first.stop();
    const second = await start(settings);
    const reader = await client(second);
    await reader.subscribe('kept', 1);
    expect(String((await reader.answer('publish')).payload)).toBe('in Redis');
  });
});

describe('HTTP', () => {
  async function get(node: EdgeNode, path: string, method = 'GET'): Promise<{ code: number; body: unknown }> {
    const response = await fetch(`${node.adminUrl}${path}`, { method });
    return { code: response.status, body: method === 'HEAD' ? null : await response.json() };
  }

  test('health and readiness', async () => {
    const node = await start({ workers: '2', 'backplane.url': nats.url });
    expect(await get(node, '/healthz')).toEqual({ code: 200, body: { alive: true } });
    expect(await get(node, '/readyz')).toEqual({ code: 200, body: { ready: true, reasons: [] } });
    expect(await get(node, '/readyz?verbose', 'HEAD')).toEqual({ code: 200, body: null });
    expect((await get(node, '/nothing')).code).toBe(404);
    expect((await get(node, '/readyz', 'POST')).code).toBe(405);
  });

  test('an address that is taken stops the start', async () => {
    const node = await start({ workers: '1' });
    const second = start({ workers: '1', 'admin.address': new URL(node.adminUrl ?? '').host });
    await expect(second).rejects.toThrow(/EADDRINUSE/);
  });
});

test.each([
  [{ 'store.url': 'redis://host/x' }, /bad database number "x"/],
  [{ 'backplane.url': 'nats://host/path' }, /NATS servers "nats:\/\/host\/path": server is not a URL; allowed:/],
  [{ 'backplane.url': 'nats://token:@' }, /NATS servers/],
])('addresses that cannot be used stop the start: %s', async (settings, message) => {
  await expect(start({ workers: '1', ...settings })).rejects.toThrow(message);
});
