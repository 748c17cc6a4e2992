// The one place where adapters are chosen: which store, which backplane, who may connect.
import { statfsSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { MessagePort } from 'node:worker_threads';
import type { Access, AccessOptions, AccessTexts, TokenRecords } from '@dunlin/auth';
import type { SignInMemory } from '@dunlin/broker/guards';
import { codeOf, type HttpFigures, type Leases, type Logger, type Store } from '@dunlin/broker/ports';
import type { Configuration } from '@dunlin/config';
import type { RedisCommands, RedisStoreOptions } from '@dunlin/store-redis';
import { NodeLogger } from '@dunlin/telemetry';
import { redisCredentials, tokenCredentials, withPassword } from './credentials.ts';
import { events } from './log-events.ts';
import { SystemClock } from './system-clock.ts';

/** True when the store lives in a thread of its own: memory cannot be shared in any other way. */
export function needsStoreThread(configuration: Configuration): boolean {
  return configuration.store.kind === 'memory' && configuration.workers > 1;
}

/** True when the store is a server that may be away for a while, at the start too. */
export function isStoreRemote(configuration: Configuration): boolean {
  return configuration.store.kind === 'redis';
}

/** True when the node is one of several. */
export function isInCluster(configuration: Configuration): boolean {
  return configuration.backplane.url !== '';
}

export interface StoreParts {
  configuration: Configuration;
  logger: Logger;
  /** Port to the store thread, when there is one. */
  port: MessagePort | null;
  /** Called when a store that may be away comes and goes; it begins with being away. */
  onStatus: (connected: boolean) => void;
  /** Called when a server has less than it had confirmed; `what` says what is missing. */
  onWentBack?: (what: string) => void;
  /** Called when the disk of an embedded store takes no writes any more, and when it takes them again. */
  onWritable?: (isWritable: boolean) => void;
  /** Called when Redis may evict what is stored, and when it may not any more. */
  onEviction?: (mayEvict: boolean) => void;
}

/** The store as one thread sees it, not yet open. Each kind is loaded only where it is used. */
export async function composeStore(parts: StoreParts): Promise<Store> {
  const { configuration, logger, port, onStatus, onWritable, onEviction, onWentBack } = parts;
  if (port !== null) {
    const { RemoteStore } = await import('./store/remote-store.ts');
    return new RemoteStore('memory', port);
  }
  const { kind, path, durability } = configuration.store;
  if (kind === 'memory') {
    const { MemoryStore } = await import('@dunlin/broker/memory');
    return new MemoryStore();
  }
  if (kind === 'redis') {
    const { RedisStore } = await import('@dunlin/store-redis');
    const onWrites = (failure: Error | null): void => {
      if (failure === null) logger.info(events['redis.writes-accepted']);
      else logger.error(events['redis.writes-refused'], { error: failure.message, errorCode: codeOf(failure) });
      onWritable?.(failure === null);
    };
    return new RedisStore({ ...redisOptions(configuration, logger), onStatus, onWrites, onEviction, onWentBack });
  }
  const { LmdbStore } = await import('@dunlin/store-lmdb');
  return new LmdbStore({
    path,
    durability: durability === 'memory' ? 'memory' : 'fsync',
    exclusive: configuration.workers === 1,
    onWrites: (failure) => {
      if (failure === null) logger.info(events['disk.writes-accepted'], { directory: path });
      else
        logger.error(events['disk.writes-refused'], {
          ...diskOf(path),
          error: failure.message,
          errorCode: codeOf(failure),
        });
      onWritable?.(failure === null);
    },
  });
}

/** Directory with its free bytes: what an operator asks first when a disk takes no writes. */
function diskOf(directory: string): { directory: string; freeBytes: number } {
  const { bavail, bsize } = statfsSync(directory);
  return { directory: resolve(directory), freeBytes: bavail * bsize };
}

/** A server that does not answer any more must not hold up the end: what waits for it is not promised to anyone. */
const storeCloseMilliseconds = 300;

/** Closes what was composed. Waits for an embedded store to write what it has, and a bounded time for a server. */
export async function closeStore(
  configuration: Configuration,
  store: Store | null,
  leases: OpenLeases | null,
): Promise<void> {
  const closed = Promise.all([store?.close(), leases?.close()]);
  await (isStoreRemote(configuration) ? Promise.race([closed, delay(storeCloseMilliseconds)]) : closed);
}

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** Leases with a connection that is opened and closed. */
export interface OpenLeases extends Leases {
  open(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Leases of the living endpoints in Redis; null with a store that one node has for itself. They log nothing: the store
 * at the same server does.
 */
export async function composeLeases(configuration: Configuration): Promise<OpenLeases | null> {
  if (!isStoreRemote(configuration)) return null;
  const { RedisLeases } = await import('@dunlin/store-redis');
  return new RedisLeases(redisOptions(configuration, silent));
}

function redisOptions(configuration: Configuration, logger: Logger): RedisStoreOptions {
  const { store, cluster } = configuration;
  return {
    url: withPassword(store.url, store.passwordFile, 'password'),
    credentials: redisCredentials(configuration, logger),
    ...(store.sentinelUser === '' ? {} : { sentinelUser: store.sentinelUser }),
    durability: store.durability,
    prefix: cluster.name,
    ...(store.replicas > 0 ? { replicas: store.replicas } : {}),
    logger,
  };
}

export function composeLogger(configuration: Configuration, workerIndex: number | null): NodeLogger {
  const fields =
    workerIndex === null ? { node: configuration.nodeId } : { node: configuration.nodeId, worker: workerIndex };
  return new NodeLogger({ level: configuration.log.level, format: configuration.log.format, fields });
}

/** Texts of the files with users and rules; null: everybody may do everything. Throws AccessFileError. */
export async function readAccess(configuration: Configuration): Promise<AccessTexts | null> {
  const { authentication, authorization, httpAuth, jwt, listeners } = configuration;
  const asksNobody = listeners.every(({ methods }) => methods.length === 0);
  if (authorization.rulesFile === '' && httpAuth.rightsUrl === '' && asksNobody) return null;
  const { readAccessTexts } = await import('@dunlin/auth');
  return readAccessTexts({
    passwords: authentication.passwordFile,
    rules: authorization.rulesFile,
    jwtKeys: jwt.keyFile,
    jwtSecret: jwt.secretFile,
    httpHeaders: httpAuth.headersFile,
    httpAuthorities: httpAuth.tlsCaFile,
  });
}

/** Authentication and rules of a worker's listeners, and what they need. */
export interface ComposedAccess {
  access: Access;
  /** Connection to Redis for the device tokens; null: there are none. */
  redis: RedisCommands | null;
}

/** Null: everybody may do everything. */
export async function composeAccess(
  configuration: Configuration,
  texts: AccessTexts | null,
  attempts: SignInMemory,
  httpFigures: HttpFigures,
  logger: Logger,
): Promise<ComposedAccess | null> {
  if (texts === null) return null;
  const { Access } = await import('@dunlin/auth');
  const usesTokens = configuration.listeners.some(({ methods }) => methods.includes('redis-token'));
  const redis = usesTokens ? await composeTokenRedis(configuration, logger) : null;
  return {
    access: new Access({ ...accessOptions(configuration, redis, logger), attempts, httpFigures }, texts),
    redis,
  };
}

function accessOptions(configuration: Configuration, redis: RedisCommands | null, logger: Logger): AccessOptions {
  const { authentication, cluster, httpAuth, jwt, listeners, workers } = configuration;
  const claims = jwt.claims.map((claim): [string, string] => {
    const equals = claim.indexOf('=');
    return [claim.slice(0, equals), claim.slice(equals + 1)];
  });
  return {
    listeners: new Map(listeners.map(({ name, methods, allowAnonymous }) => [name, { methods, allowAnonymous }])),
    // All workers share one pool of four threads with file access and name look-ups.
    hashesAtOnce: workers === 1 ? 2 : 1,
    certificateName: authentication.certificateName,
    jwt: { ...jwt, claims: new Map(claims) },
    tokens: redis === null ? null : { redis, prefix: cluster.name },
    http: httpAuth.signInUrl === '' && httpAuth.rightsUrl === '' ? null : httpAuth,
    clock: new SystemClock(),
    logger,
  };
}

async function composeTokenRedis(configuration: Configuration, logger: Logger): Promise<RedisCommands> {
  const { RedisCommands } = await import('@dunlin/store-redis');
  const { redisUrl, passwordFile } = configuration.deviceTokens;
  if (redisUrl === '') return new RedisCommands(redisOptions(configuration, logger));
  const url = withPassword(redisUrl, passwordFile, 'password');
  return new RedisCommands({ url, credentials: tokenCredentials(configuration, logger), logger });
}

/** The device tokens of a cluster, for who administers them. Resolves when Redis is connected. */
export async function openDeviceTokens(
  configuration: Configuration,
  logger: Logger,
): Promise<{ records: TokenRecords; close(): void }> {
  const { TokenRecords } = await import('@dunlin/auth');
  const redis = await composeTokenRedis(configuration, logger);
  redis.start();
  await redis.connected;
  return { records: new TokenRecords(redis, configuration.cluster.name), close: () => redis.close() };
}

/** The names under which listeners are counted. */
export function listenerNames({ listeners }: Configuration): string[] {
  return [...new Set(listeners.map(({ name }) => name))];
}
