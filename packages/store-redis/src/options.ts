import type { Logger } from '@dunlin/broker';
import type { RedisOptions } from 'ioredis';
import { type ReadCredentials, tlsOptions } from './credentials.ts';
import { Eviction } from './eviction.ts';
import { parseRedisUrl, type RedisTarget } from './redis-url.ts';
import { allScripts, type Script } from './scripts.ts';

/** Confirmation that a resolved promise waits for beyond Redis' answer. */
export type RedisDurability =
  /** No further wait: Redis keeps what its configuration says (`appendonly yes`, `appendfsync always`). */
  | 'memory'
  /** Memory of so many replicas (`WAIT`). */
  | 'replicated'
  /** Disk of the master and of so many replicas (`WAITAOF`; Redis 7.2, Valkey). */
  | 'fsync';

export interface RedisStoreOptions {
  /** See redis-url.ts. */
  url: string;
  /** Default `memory`. */
  durability?: RedisDurability;
  /** Number of replicas that must have confirmed: default 1 for `replicated`, 0 for `fsync`. */
  replicas?: number;
  /** Beginning of every key; several brokers may share a server. Default `dunlin`. */
  prefix?: string;
  /**
   * Credentials and trust of this side, read for every connection anew. Without them: the password of `url`, and the
   * system's authorities.
   */
  credentials?: ReadCredentials;
  /** The user for Sentinel itself; `url` names that of the master. */
  sentinelUser?: string;
  logger?: Logger;
  /**
   * Called when the store becomes reachable or unreachable: a node is ready while it is reachable. Of several servers:
   * unreachable again with each that is lost meanwhile.
   */
  onStatus?: (connected: boolean) => void;
  /**
   * Called when Redis refuses to write (its memory or disk is full, it lacks replicas, it became a replica), and with
   * null when it accepts writes again. Refused calls are `unavailable`.
   */
  onWrites?: (failure: Error | null) => void;
  /**
   * Called when Redis may evict stored data (a `maxmemory-policy` other than `noeviction`), and when it may not any
   * more.
   */
  onEviction?: (mayEvict: boolean) => void;
  /**
   * Called when Redis, connected again, has less than it had confirmed, before anything else is sent to it; `what`
   * names what is missing.
   */
  onWentBack?: (what: string) => void;
  /** Time that Redis may be silent while it owes an answer, before the connection is dropped. Default 4000. */
  silenceMilliseconds?: number;
}

/** Options that were read and checked. */
export interface Settings {
  readonly target: RedisTarget;
  readonly durability: RedisDurability;
  readonly replicas: number;
  readonly prefix: string;
  readonly logger: Logger;
  readonly onStatus: (connected: boolean) => void;
  readonly onWrites: (failure: Error | null) => void;
  readonly eviction: Eviction;
  readonly onWentBack: (what: string) => void;
  readonly silenceMilliseconds: number;
  /**
   * Scripts that are loaded into a server before it is used, and that its user must be allowed to call. None: plain
   * commands only.
   */
  readonly scripts: readonly Script[];
  /** Options that all connections to a server have in common, with the current credentials. Never rejects. */
  readonly connection: () => Promise<RedisOptions>;
  /** … and further options of a connection through Sentinel. */
  readonly sentinel: () => Promise<SentinelOptions>;
}

type SentinelOptions = Pick<RedisOptions, 'sentinelUsername' | 'sentinelPassword' | 'sentinelTLS'>;

const silenceMillisecondsDefault = 4000;
const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** Throws `RedisUrlError`. */
export function readSettings(options: RedisStoreOptions): Settings {
  const target = parseRedisUrl(options.url);
  const durability = options.durability ?? 'memory';
  const silenceMilliseconds = options.silenceMilliseconds ?? silenceMillisecondsDefault;
  const { sentinelUser } = options;
  const credentials: ReadCredentials = options.credentials ?? (async () => ({}));
  return {
    target,
    durability,
    replicas: options.replicas ?? (durability === 'replicated' ? 1 : 0),
    prefix: options.prefix ?? 'dunlin',
    logger: options.logger ?? silent,
    onStatus: options.onStatus ?? (() => {}),
    onWrites: options.onWrites ?? (() => {}),
    eviction: new Eviction(options.logger ?? silent, options.onEviction ?? (() => {})),
    onWentBack: options.onWentBack ?? (() => {}),
    silenceMilliseconds,
    scripts: allScripts,
    async connection() {
      const read = await credentials();
      const password = read.password ?? target.password;
      return {
        ...(target.user === undefined ? {} : { username: target.user }),
        ...(password === undefined ? {} : { password }),
        ...(target.tls ? { tls: tlsOptions(read) } : {}),
        ...connectionOptions(target, silenceMilliseconds),
      };
    },
    async sentinel() {
      const read = await credentials();
      return {
        ...(sentinelUser === undefined ? {} : { sentinelUsername: sentinelUser }),
        ...(read.sentinelPassword === undefined ? {} : { sentinelPassword: read.sentinelPassword }),
        ...(target.tls ? { sentinelTLS: tlsOptions(read) } : {}),
      };
    },
  };
}

function connectionOptions({ database }: RedisTarget, silenceMilliseconds: number): RedisOptions {
  return {
    db: database,
    protocol: 2,
    lazyConnect: true,
    // Waiting, repeating and order are the concern of this package, not of the client.
    retryStrategy: () => null,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: null,
    connectTimeout: silenceMilliseconds,
    socketTimeout: silenceMilliseconds,
    connectionName: 'dunlin',
    disableClientInfo: true,
  };
}
