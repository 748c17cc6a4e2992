import { existsSync, linkSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Configuration, loadConfiguration } from '@dunlin/config';
import { Conversation } from '@dunlin/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type EdgeNode, startNode } from '../src/edge-node.ts';
import type { WorkerStatus } from '../src/workers/worker-message.ts';

let directory: string;
let node: EdgeNode | null = null;
let clients: Conversation[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dunlin-edge-'));
});
afterEach(async () => {
  for (const client of clients) void client.drop();
  clients = [];
  await node?.stop();
  node = null;
  rmSync(directory, { recursive: true });
});

function configure(settings: Record<string, string>): Configuration {
  const all = {
    nodeId: 'test',
    'store.kind': 'memory',
    listeners: 'tcp://127.0.0.1:0',
    'log.level': 'error',
    ...settings,
  };
  const flags = Object.entries(all).map(([path, value]) => ({ flag: '--set', path, value }));
  return loadConfiguration({ flags }).configuration;
}

async function start(settings: Record<string, string>): Promise<{ node: EdgeNode; port: number }> {
  node = await startNode(configure(settings), { version: '0' });
  const tcp = node.addresses.find((address) => address.kind === 'tcp');
  return { node, port: tcp?.port ?? 0 };
}

async function client(where: number | string, clientId = ''): Promise<Conversation> {
  const made = await Conversation.open(typeof where === 'number' ? `mqtt://127.0.0.1:${where}` : `unix:${where}`);
  await made.connect({ clientId });
  clients.push(made);
  return made;
}

/** Asks for the status until it is as wanted. */
async function until(enough: (status: WorkerStatus[]) => boolean): Promise<WorkerStatus[]> {
  for (;;) {
    const status = await (node as EdgeNode).status();
    if (enough(status)) return status;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('workers', () => {
  test('four of them share a port, and each gets connections', async () => {
    const { node, port } = await start({ workers: '4' });
    await Promise.all(Array.from({ length: 80 }, () => client(port)));
    const status = await node.status();
    expect(status.map((worker) => worker.index)).toEqual([0, 1, 2, 3]);
    for (const worker of status) expect(worker.connections).toBeGreaterThan(0);
    expect(status.reduce((sum, worker) => sum + worker.connections, 0)).toBe(80);
  });

  test('a message reaches subscribers of all workers', async () => {
    const { port } = await start({ workers: '3' });
    const subscribers = await Promise.all(Array.from({ length: 24 }, () => client(port)));
    await Promise.all(subscribers.map((subscriber) => subscriber.subscribe('a/+', 1)));
    await (await client(port)).publish({ topic: 'a/b', payload: 'hello', qos: 1 });
    for (const subscriber of subscribers) expect(String((await subscriber.answer('publish')).payload)).toBe('hello');
  });

  test.each(['1', '4'])(
    'one of %s that dies is replaced; its clients come back, those of others stay',
    async (workers) => {
      const { node, port } = await start({ workers, 'log.level': 'error' });
      const connected = await Promise.all(Array.from({ length: 40 }, () => client(port)));
      const before = await node.status();
      const dead = node.pool.threads[0].setup.endpoint;
      const lost = before[0].connections;
      let closed = 0;
      for (const one of connected) void one.closed.then(() => closed++);
      await node.pool.threads[0].terminate();
      const after = await until((status) => status.length === before.length && status[0].endpoint !== dead);
      expect(after.slice(1).map((worker) => worker.endpoint)).toEqual(before.slice(1).map((worker) => worker.endpoint));
      expect(after.slice(1).map((worker) => worker.connections)).toEqual(
        before.slice(1).map((worker) => worker.connections),
      );
      expect(closed).toBe(lost);
      const again = await Promise.all(Array.from({ length: 40 }, () => client(port)));
      await Promise.all(again.map((one) => one.subscribe('back', 1)));
      again[0].sendPublish({ topic: 'back', payload: 'here', qos: 1 });
      await again[0].answer('puback');
      for (const one of again) expect(String((await one.answer('publish')).payload)).toBe('here');
      expect((await node.status())[0].connections).toBeGreaterThan(0);
    },
  );

  test('the store in memory is one for all of them', async () => {
    const { port } = await start({ workers: '4' });
    await (await client(port)).publish({ topic: 'kept', payload: 'retained', qos: 1, retain: true });
    for (let one = 0; one < 16; one++) {
      const reader = await client(port);
      await reader.subscribe('kept', 1);
      expect(String((await reader.answer('publish')).payload)).toBe('retained');
    }
  });

  test('the same client identifier on two of them: the first is sent away', async () => {
    const { port } = await start({ workers: '4' });
    const first = await client(port, 'twin');
    for (let one = 0; one < 8; one++) await client(port, 'twin');
    expect((await first.answer('disconnect')).reasonCode).toBe(0x8e);
    await until((status) => status.reduce((sum, worker) => sum + worker.connections, 0) === 1);
  });
});

describe('listeners', () => {
  test('a port that is taken is refused by name, also by one that would share it', async () => {
    const { port } = await start({ workers: '2' });
    for (const workers of ['1', '2']) {
      const second = startNode(configure({ workers, listeners: `tcp://127.0.0.1:${port}` }), { version: '0' });
      await expect(second).rejects.toThrow(/EADDRINUSE.*127\.0\.0\.1/);
    }
  });

  test('a Unix socket beside a port, and one that a killed process left behind', async () => {
    const path = join(directory, 'mqtt.sock');
    // A file nobody listens at, as after kill -9: closing a server removes its socket, so it is made under another name.
    const dead = createServer().listen(join(directory, 'other.sock'));
    await new Promise((resolve) => dead.once('listening', resolve));
    linkSync(join(directory, 'other.sock'), path);
    await new Promise((resolve) => dead.close(resolve));
    expect(existsSync(path)).toBe(true);
    const { port } = await start({ workers: '2', listeners: `tcp://127.0.0.1:0,unix:${path}` });
    const subscriber = await client(path);
    await subscriber.subscribe('x', 1);
    await (await client(port)).publish({ topic: 'x', payload: 'through the wall', qos: 1 });
    expect(String((await subscriber.answer('publish')).payload)).toBe('through the wall');
  });

  test('a Unix socket that lives is not taken away', async () => {
    const path = join(directory, 'mqtt.sock');
    await start({ workers: '1', listeners: `unix:${path}` });
    await expect(startNode(configure({ workers: '1', listeners: `unix:${path}` }), { version: '0' })).rejects.toThrow(
      /EADDRINUSE/,
    );
    await client(path);
  });

  test('a path that is no socket is left alone', async () => {
    const path = join(directory, 'file');
    writeFileSync(path, 'precious');
    await expect(startNode(configure({ workers: '1', listeners: `unix:${path}` }), { version: '0' })).rejects.toThrow(
      /cannot listen at unix:/,
    );
    expect(existsSync(path)).toBe(true);
  });
});

describe('stop', () => {
  test.each(['1', '3'])('with %s workers clients are told why, and the listeners are closed', async (workers) => {
    const { node, port } = await start({ workers });
    const connected = await Promise.all(Array.from({ length: 12 }, () => client(port)));
    await Promise.all([node.stop(), node.stop()]);
    for (const one of connected) {
      expect((await one.answer('disconnect')).reasonCode).toBe(0x8b);
      await one.closed;
    }
    const refused = connect({ port, host: '127.0.0.1' });
    await expect(new Promise((_resolve, reject) => refused.once('error', reject))).rejects.toThrow(/ECONNREFUSED/);
  });
});

test('reload takes what can be taken, and names what needs a start', async () => {
  const { node } = await start({ workers: '1' });
  const next = configure({ workers: '1', 'log.level': 'warn', 'limits.receiveMaximum': '7' });
  expect(node.reload(next)).toEqual(['limits.receiveMaximum']);
});

test('a data directory in use is refused, and free again afterwards', async () => {
  const settings = { 'store.kind': 'lmdb', 'store.path': join(directory, 'data'), workers: '1' };
  const first = await start(settings);
  await expect(startNode(configure(settings), { version: '0' })).rejects.toThrow(
    /another node uses the data directory/,
  );
  await first.node.stop();
  await start(settings);
});

test.each(['1', '2'])('what is on disk outlives the node, with %s workers', async (workers) => {
  const settings = { 'store.kind': 'lmdb', 'store.path': join(directory, 'data'), workers };
  const first = await start(settings);
  await (await client(first.port)).publish({ topic: 'kept', payload: 'on disk', qos: 1, retain: true });
  await first.node.stop();
  const second = await start(settings);
  const reader = await client(second.port);
  await reader.subscribe('kept', 1);
  expect(String((await reader.answer('publish')).payload)).toBe('on disk');
});

test.each(['memory', 'lmdb'])(
  'store %s: what a dead worker owned is given up, and its client is welcome',
  async (kind) => {
    const settings = { 'store.kind': kind, 'store.path': join(directory, 'data'), workers: '2' };
    const { node, port } = await start(settings);
    for (let round = 0; round < 4; round++) {
      const owned = await client(port, 'wanderer');
      const status = await node.status();
      const owner = status.findIndex((worker) => worker.connections === 1);
      await node.pool.threads[owner].terminate();
      await owned.closed;
      await until((after) => after.length === 2 && after[owner].endpoint !== status[owner].endpoint);
    }
  },
);

test('a store that cannot be opened stops the start, with the reason', async () => {
  writeFileSync(join(directory, 'file'), '');
  const settings = { 'store.kind': 'lmdb', 'store.path': join(directory, 'file', 'data'), workers: '2' };
  await expect(startNode(configure(settings), { version: '0' })).rejects.toThrow(/ENOTDIR|directory/i);
});
