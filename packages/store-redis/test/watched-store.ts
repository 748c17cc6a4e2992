/** Stores of a test, with what they log and say; ended with the test. */
import { type AppendRequest, type AppendResult, numbersPerEra, type SessionKey, type Store } from '@dunlin/broker';
import { type RedisServer, startRedis } from '@dunlin/testkit';
import { afterEach } from 'vitest';
import { RedisStore, type RedisStoreOptions } from '../src/index.ts';
import { RecordingLogger, Status } from './recording-logger.ts';

export const now = 1_700_000_000_000;
export const owner = 'node/0#1';
export const unavailable = { code: 'unavailable' };
/** Short, so that a test of silence does not take long. */
export const silenceMilliseconds = 600;

export const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

export async function redis(...options: Parameters<typeof startRedis>): Promise<RedisServer> {
  const server = await startRedis(...options);
  cleanups.push(() => server.stop());
  return server;
}

export interface Watched {
  store: RedisStore;
  logger: RecordingLogger;
  status: Status;
}

/** A store that is not open yet. */
export function watched(options: RedisStoreOptions): Watched {
  const logger = new RecordingLogger();
  const status = new Status();
  const store = new RedisStore({ silenceMilliseconds, ...options, logger, onStatus: status.set });
  cleanups.push(() => store.close());
  return { store, logger, status };
}

export async function durable(store: Store, clientId: string, ...filters: string[]): Promise<SessionKey> {
  const claim = { clientId, owner, cleanStart: false, sessionExpirySeconds: 3600 };
  const { epoch } = await store.sessions.claim(claim, now);
  if (filters.length > 0) await subscribe(store, { clientId, epoch }, ...filters);
  return { clientId, epoch };
}

export async function subscribe(store: Store, key: SessionKey, ...filters: string[]): Promise<void> {
  const options = { noLocal: false, retainAsPublished: false, retainHandling: 0, subscriptionIdentifier: 0 } as const;
  await store.sessions.subscribe(
    key,
    filters.map((filter) => ({ filter, qos: 1 as const, ...options })),
  );
}

export function message(filter: string, payload: string, more: Partial<AppendRequest> = {}): AppendRequest {
  return {
    filters: [filter],
    record: Buffer.from(payload),
    expiresAt: Infinity,
    producer: null,
    inbound: null,
    ...more,
  };
}

export async function logOf(store: Store, filter: string): Promise<string[]> {
  const { entries } = await store.logs.read(filter, 1, 1e6, 1e9, now);
  return entries.map(({ record }) => Buffer.from(record).toString());
}

/** The numbers that appends of one log each were given, as counts of messages: a server that has started again begins another era. */
export function countsOf(results: readonly AppendResult[]): number[] {
  return results.map(([sequence]) => sequence % numbersPerEra);
}
