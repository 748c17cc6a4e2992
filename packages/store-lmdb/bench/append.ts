/**
 * Costs of the store, in the order of the port: microseconds of processor (all threads) and of time per operation.
 *
 *     npx node --conditions=source packages/store-lmdb/bench/append.ts [fsync|memory]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AppendRequest } from '@dunlin/broker';
import { type Durability, LmdbStore } from '../src/index.ts';

const payload = new Uint8Array(64).fill(120);
const durabilities: Durability[] =
  process.argv[2] === undefined ? ['fsync', 'memory'] : [process.argv[2] as Durability];

for (const durability of durabilities) {
  const path = mkdtempSync(join(tmpdir(), 'dunlin-bench-'));
  const store = new LmdbStore({ path, durability });
  await store.open();
  await bench(store, durability);
  await store.close();
  rmSync(path, { recursive: true });
}

async function bench(store: LmdbStore, durability: Durability): Promise<void> {
  const filters = Array.from({ length: 20 }, (_, index) => `bench/${index}/#`);
  const { epoch } = await store.sessions.claim(
    { clientId: 'reader', owner: 'n/0#1', cleanStart: false, sessionExpirySeconds: 3600 },
    0,
  );
  const subscriptions = filters.map((filter) => ({
    filter,
    qos: 1 as const,
    noLocal: false,
    retainAsPublished: false,
    retainHandling: 0 as const,
    subscriptionIdentifier: 0,
  }));
  await store.sessions.subscribe({ clientId: 'reader', epoch }, subscriptions);
  const requestOf = (index: number): AppendRequest => ({
    filters: [filters[index % filters.length]],
    record: payload,
    expiresAt: Infinity,
    producer: null,
    inbound: null,
  });
  const requests = Array.from({ length: 2000 }, (_, index) => requestOf(index));
  const report = (what: string, measured: Measured): void =>
    console.log(`${durability.padEnd(7)} ${what.padEnd(64)} ${measured}`);

  await measure(20, 2000, () => store.logs.append(requests, 0));
  for (const size of [1, 10, 100, 1000, 2000]) {
    const batch = requests.slice(0, size);
    report(
      `append, calls of ${size} messages, one call under way`,
      await measure(size < 10 ? 500 : 60, size, () => store.logs.append(batch, 0)),
    );
  }
  for (const calls of [100, 1000]) {
    report(
      `append, ${calls} calls of 1 message in one turn`,
      await measure(40, calls, () =>
        Promise.all(requests.slice(0, calls).map((request) => store.logs.append([request], 0))),
      ),
    );
  }
  report(
    'append, calls of 100, four under way',
    await measure(20, 1600, () => pipelined(store, requests.slice(0, 100), 16, 4)),
  );
  const acknowledged = (await store.logs.read(filters[0], 1, 1, 1, 0)).lastSequence;
  report(
    'read, pages of 256',
    await measure(20, 256, () =>
      store.logs.read(filters[0], Math.floor(Math.random() * (acknowledged - 256)), 256, 1e6, 0),
    ),
  );
  const messages = filters.length * acknowledged;
  report('trim, per message', await measure(1, messages, () => store.logs.trim({ messagesMax: 0, bytesMax: 0 }, 0)));

  const clients = Array.from({ length: 5000 }, (_, index) => `client-${index}`);
  const connect = async (clientId: string, sessionExpirySeconds: number): Promise<void> => {
    const claim = await store.sessions.claim({ clientId, owner: 'n/0#1', cleanStart: true, sessionExpirySeconds }, 0);
    await store.sessions.release({ clientId, epoch: claim.epoch }, {}, 0);
  };
  let turn = 0;
  const fifty = (expiry: number) => () => {
    turn += 50;
    return Promise.all(clients.slice(turn % 4950, (turn % 4950) + 50).map((clientId) => connect(clientId, expiry)));
  };
  report('claim and release, ephemeral, 50 in a turn', await measure(200, 50, fifty(0)));
  report('claim and release, durable, 50 in a turn', await measure(40, 50, fifty(3600)));

  const topics = Array.from(
    { length: 100_000 },
    (_, index) => `plant/${index % 100}/device/${Math.floor(index / 100)}/temperature`,
  );
  const write = async (): Promise<void> => {
    for (let start = 0; start < topics.length; start += 1000) {
      await Promise.all(topics.slice(start, start + 1000).map((topic) => store.retained.set(topic, payload, Infinity)));
    }
  };
  report('retained, written 1000 in a turn', await measure(1, topics.length, write));
  for (const [filter, found] of [
    ['plant/7/device/7/temperature', 1],
    ['plant/7/device/+/temperature', 1000],
    ['plant/+/device/7/temperature', 100],
    ['plant/7/#', 1000],
    ['plant/nothing/#', 0],
  ] as const) {
    const read = async (): Promise<void> => {
      const { entries } = await store.retained.read(filter, null, 10_000, 0);
      if (entries.length !== found) throw new Error(`${entries.length} found for ${filter}`);
    };
    report(
      `retained, ${filter}, each of ${found} of ${topics.length}`,
      await measure(found < 10 ? 500 : 20, Math.max(found, 1), read),
    );
  }
  await subscribers(store, report);
}

/** Subscribes many sessions to one durable filter: the last subscribe must cost what the first did. */
async function subscribers(store: LmdbStore, report: (what: string, measured: Measured) => void): Promise<void> {
  const subscription = {
    filter: 'everyone',
    qos: 1 as const,
    noLocal: false,
    retainAsPublished: false,
    retainHandling: 0 as const,
    subscriptionIdentifier: 0,
  };
  let next = 0;
  const some = async (): Promise<void> => {
    const names = Array.from({ length: 500 }, () => `session-${next++}`);
    await Promise.all(
      names.map(async (clientId) => {
        const { epoch } = await store.sessions.claim(
          { clientId, owner: 'n/0#1', cleanStart: false, sessionExpirySeconds: 3600 },
          0,
        );
        await store.sessions.subscribe({ clientId, epoch }, [subscription]);
      }),
    );
  };
  report('claim and subscribe, sessions 1 to 5000 of one filter', await measure(10, 500, some));
  await measure(180, 500, some);
  report('claim and subscribe, sessions 95,000 to 100,000', await measure(10, 500, some));
  report(
    'trim, one log with 100,000 cursors',
    await measure(20, 1, () => store.logs.trim({ messagesMax: 1e9, bytesMax: 1e9 }, 0)),
  );
}

async function pipelined(store: LmdbStore, requests: AppendRequest[], calls: number, underWay: number): Promise<void> {
  let left = calls;
  const run = async (): Promise<void> => {
    while (left-- > 0) await store.logs.append(requests, 0);
  };
  await Promise.all(Array.from({ length: underWay }, run));
}

type Measured = string;

async function measure(rounds: number, operations: number, run: () => Promise<unknown>): Promise<Measured> {
  if (rounds > 1) for (let round = 0; round < rounds / 2; round++) await run();
  const processor = process.cpuUsage();
  const start = performance.now();
  for (let round = 0; round < rounds; round++) await run();
  const microseconds = (performance.now() - start) * 1000;
  const { user, system } = process.cpuUsage(processor);
  const each = (total: number): string => (total / rounds / operations).toFixed(2).padStart(9);
  return `${each(user + system)} µs processor ${each(microseconds)} µs`;
}
