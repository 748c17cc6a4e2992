import { readFileSync } from 'node:fs';
import type { Logger } from '@dunlin/broker';
import type { RedisOptions } from 'ioredis';
import { Eviction } from './eviction.ts';
import { parseRedisUrl, type RedisTarget } from './redis-url.ts';
import { allScripts, type Script } from './scripts.ts';

/** What a resolved promise waits for beyond Redis' answer. */
export type RedisDurability =
  /** Nothing: what survives is how Redis is configured (`appendonly yes`, `appendfsync always`). */
  | 'memory'
  /** So many replicas have it in memory (`WAIT`). */
  | 'replicated'
  /** It is on the disk of the master and of so many replicas (`WAITAOF`; Redis 7.2, Valkey). */
  | 'fsync';

export interface RedisStoreOptions {
  /** See redis-url.ts. */
  url: string;
  /** Default `memory`. */
  durability?: RedisDurability;
  /** How many replicas must have confirmed: default 1 for `replicated`, 0 for `fsync`. */
  replicas?: number;
  /** Begins every key; several brokers may share a server. Default `dunlin`. */
  prefix?: string;
  /** PEM files; the system's authorities when `ca` is absent. */
  tls?: { ca?: string; certificate?: string; key?: string };
  /** For Sentinel itself, when it asks for them; `url` names those of the master. */
  sentinel?: { user?: string; password?: string };
  logger?: Logger;
  /** Called when the store becomes reachable or unreachable: a node is ready while it is reachable. */
  onStatus?: (connected: boolean) => void;
  /** Called when Redis refuses to write (its memory or disk is full, it lacks replicas, it became a replica), and with null when it does not any more. Calls that it refuses are `unavailable`. */
  onWrites?: (failure: Error | null) => void;
  /** Called when Redis may evict what is stored (a `maxmemory-policy` other than `noeviction`), and when it may not any more. */
  onEviction?: (mayEvict: boolean) => void;
  /** How long Redis may be silent while it owes an answer, before the connection is given up. Default 4000. */
  silenceMilliseconds?: number;
}

/** The options, read and checked. */
export interface Settings {
  readonly target: RedisTarget;
  readonly durability: RedisDurability;
  readonly replicas: number;
  readonly prefix: string;
  readonly logger: Logger;
  readonly onStatus: (connected: boolean) => void;
  readonly onWrites: (failure: Error | null) => void;
  readonly eviction: Eviction;
  readonly silenceMilliseconds: number;
  /** What a server is given before it is used, and must let its user do. None: plain commands only. */
  readonly scripts: readonly Script[];
  /** What every connection to a server has in common. */
  readonly connection: RedisOptions;
  readonly sentinel: { user?: string; password?: string };
}

const silenceMillisecondsDefault = 4000;
const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** Throws `RedisUrlError`, or the file system's error for a TLS file that cannot be read. */
export function readSettings(options: RedisStoreOptions): Settings {
  const target = parseRedisUrl(options.url);
  const durability = options.durability ?? 'memory';
  const silenceMilliseconds = options.silenceMilliseconds ?? silenceMillisecondsDefault;
  const { ca, certificate, key } = options.tls ?? {};
  return {
    target,
    durability,
    replicas: options.replicas ?? (durability === 'replicated' ? 1 : 0),
    prefix: options.prefix ?? 'dunlin',
    logger: options.logger ?? silent,
    onStatus: options.onStatus ?? (() => {}),
    onWrites: options.onWrites ?? (() => {}),
    eviction: new Eviction(options.logger ?? silent, options.onEviction ?? (() => {})),
    silenceMilliseconds,
    scripts: allScripts,
    sentinel: options.sentinel ?? {},
    connection: {
      ...(target.user === undefined ? {} : { username: target.user }),
      ...(target.password === undefined ? {} : { password: target.password }),
      ...(target.tls
        ? {
            tls: {
              ...(ca === undefined ? {} : { ca: readFileSync(ca) }),
              ...(certificate === undefined ? {} : { cert: readFileSync(certificate) }),
              ...(key === undefined ? {} : { key: readFileSync(key) }),
            },
          }
        : {}),
      db: target.database,
      protocol: 2,
      lazyConnect: true,
      // Waiting, repeating and order are this package's business, not the client's.
      retryStrategy: () => null,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: null,
      connectTimeout: silenceMilliseconds,
      socketTimeout: silenceMilliseconds,
      connectionName: 'dunlin',
      disableClientInfo: true,
    },
  };
}
