/**
 * Cost of an append: microseconds of Node's and of Redis' processor per message, by the size of a batch.
 *
 *     npx node --conditions=source packages/store-redis/bench/append.ts [redis://host:port]
 *
 * Without a URL it starts `redis-server`, once without and once with `appendfsync always`. Redis' work is read from INFO.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AppendRequest, SessionKey } from '@dunlin/broker';
import { Redis } from 'ioredis';
import { RedisStore } from '../src/index.ts';

const payload = new Uint8Array(64).fill(120);
const sizes = [1, 10, 100, 500];
const messagesPerRow = 40_000;

if (process.argv[2] !== undefined) {
  await bench(process.argv[2], 'given');
} else {
  for (const appendOnly of ['no', 'yes']) {
    const directory = mkdtempSync(join(tmpdir(), 'dunlin-bench-'));
    const port = await freePort();
    const args = ['--port', String(port), '--dir', directory, '--save', '', '--appendonly', appendOnly];
    const server = spawn('redis-server', [...args, '--appendfsync', 'always'], { stdio: 'ignore' });
    await bench(`redis://127.0.0.1:${port}`, appendOnly === 'yes' ? 'appendfsync always' : 'memory');
    server.kill();
    await once(server, 'exit');
    rmSync(directory, { recursive: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}

async function bench(url: string, name: string): Promise<void> {
  const store = new RedisStore({ url, prefix: `bench-${process.pid}` });
  const redis = new Redis(url, { retryStrategy: () => 100 });
  redis.on('error', () => {}); // Until it has started.
  await store.open();
  const { epoch } = await store.sessions.claim(
    { clientId: 'reader', owner: 'n/0#1', cleanStart: true, sessionExpirySeconds: 3600 },
    0,
  );
  const reader = { clientId: 'reader', epoch };
  for (const logs of [1, 20, 1000]) {
    const filters = Array.from({ length: logs }, (_, index) => `bench/${logs}/${index}/#`);
    await subscribe(store, reader, filters);
    for (const size of sizes) {
      let next = 0;
      const append = (): Promise<unknown> => {
        next += size;
        return store.logs.append(batch(filters, size, next), 0, { writer: `${name} ${logs} ${size}`, batch: next });
      };
      report(`${name}, ${logs} logs, append in batches of ${size}`, await measure(redis, size, append));
    }
    await store.logs.trim({ messagesMax: 0, bytesMax: 0 }, 0);
  }
  await sessions(store, redis, name);
  redis.disconnect();
  await store.close();
}

async function sessions(store: RedisStore, redis: Redis, name: string): Promise<void> {
  const clients = Array.from({ length: 100 }, (_, index) => `client-${index}`);
  for (const expiry of [0, 3600]) {
    const connects = (): Promise<unknown> =>
      Promise.all(
        clients.map(async (clientId) => {
          const claim = { clientId, owner: 'n/0#1', cleanStart: true, sessionExpirySeconds: expiry };
          const { epoch } = await store.sessions.claim(claim, 0);
          await store.sessions.release({ clientId, epoch }, {}, 0);
        }),
      );
    report(`${name}, claim and release, session expiry ${expiry}, 100 in a turn`, await measure(redis, 100, connects));
  }
  const keys: SessionKey[] = [];
  for (const clientId of clients) {
    const { epoch } = await store.sessions.claim(
      { clientId, owner: 'n/0#1', cleanStart: true, sessionExpirySeconds: 9 },
      0,
    );
    keys.push({ clientId, epoch });
    await subscribe(store, { clientId, epoch }, [`of/${clientId}`]);
  }
  let acknowledged = 0;
  const updates = (): Promise<unknown> => {
    acknowledged++;
    return Promise.all(
      keys.map((key) =>
        store.sessions.update(key, { cursors: [{ filter: `of/${key.clientId}`, acknowledged, above: [] }] }),
      ),
    );
  };
  report(`${name}, update of one cursor, 100 sessions in a turn`, await measure(redis, 100, updates));
}

async function subscribe(store: RedisStore, key: SessionKey, filters: string[]): Promise<void> {
  const options = { noLocal: false, retainAsPublished: false, retainHandling: 0, subscriptionIdentifier: 0 } as const;
  await store.sessions.subscribe(
    key,
    filters.map((filter) => ({ filter, qos: 1, ...options })),
  );
}

function batch(filters: readonly string[], size: number, from: number): AppendRequest[] {
  return Array.from({ length: size }, (_, index) => ({
    filters: [filters[(from + index) % filters.length]],
    record: payload,
    expiresAt: Infinity,
    producer: null,
    inbound: null,
  }));
}

interface Cost {
  node: number;
  redis: number;
  elapsed: number;
}

/** Microseconds per operation. */
async function measure(redis: Redis, size: number, run: () => Promise<unknown>): Promise<Cost> {
  const rounds = Math.max(Math.min(messagesPerRow / size, 4000), 50);
  for (let round = 0; round < rounds / 4; round++) await run();
  const server = await serverMicroseconds(redis);
  const processor = process.cpuUsage();
  const start = performance.now();
  for (let round = 0; round < rounds; round++) await run();
  const elapsed = (performance.now() - start) * 1000;
  const { user, system } = process.cpuUsage(processor);
  const operations = rounds * size;
  return {
    node: (user + system) / operations,
    redis: ((await serverMicroseconds(redis)) - server) / operations,
    elapsed: elapsed / operations,
  };
}

async function serverMicroseconds(redis: Redis): Promise<number> {
  const info = await redis.info('cpu');
  const seconds = (field: string): number => Number(new RegExp(`^${field}:(.*)`, 'm').exec(info)?.[1]);
  return (seconds('used_cpu_user') + seconds('used_cpu_sys')) * 1e6;
}

function report(what: string, { node, redis, elapsed }: Cost): void {
  const text = (value: number): string => value.toFixed(2).padStart(8);
  console.log(`${what.padEnd(66)} Node ${text(node)}  Redis ${text(redis)}  elapsed ${text(elapsed)} µs each`);
}
