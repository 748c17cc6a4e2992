/**
 * The connection to one Redis server: made again whenever it is lost, checked before it is used, and given up when the server is silent.
 *
 * A command is sent at most once. Without a connection it is refused at once; under way when the connection dies, its outcome is unknown. Both are
 * `unavailable`: there is no queue that could grow or change the order. A connection that is given up is reset: what it had not sent must not arrive any more.
 */
import { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { type Logger, StoreError } from '@dunlin/broker';
import type { Redis } from 'ioredis';
import type { Settings } from './options.ts';
import { allScripts } from './scripts.ts';
import { Silence } from './silence.ts';
import type { Command, Reply } from './turn.ts';

/** Waiting times between attempts: quick at first, then so that a server coming back is found within two seconds. */
const retryFirstMilliseconds = 50;
const retryMaxMilliseconds = 2000;
/** After a refusal that only a person can change: password, version, role. */
const retryRefusedMilliseconds = 5000;
/** An idle connection is asked so often whether it lives. */
const pingMilliseconds = 2000;
const versionMin = [7, 0];

/** The server answered, but cannot be used as it is. */
class RefusedError extends Error {}

export interface ServerConnectionOptions {
  /** For messages. */
  readonly address: string;
  readonly settings: Settings;
  /** A client that is not connected yet. */
  readonly create: () => Redis;
  readonly onState: (connected: boolean) => void;
}

export class ServerConnection {
  readonly address: string;
  private readonly settings: Settings;
  private readonly logger: Logger;
  private readonly create: () => Redis;
  private readonly onState: (connected: boolean) => void;
  private redis: Redis | null;
  private silence: Silence | null;
  private closed: boolean;
  private retryMilliseconds: number;
  /** What was last written to the log about this server being unusable; empty: it is usable. */
  private complaint: string;
  private timer: NodeJS.Timeout | undefined;
  private trying: Redis | null;
  private everConnected: boolean;

  constructor({ address, settings, create, onState }: ServerConnectionOptions) {
    this.address = address;
    this.settings = settings;
    this.logger = settings.logger;
    this.create = create;
    this.onState = onState;
    this.redis = null;
    this.silence = null;
    this.closed = false;
    this.retryMilliseconds = retryFirstMilliseconds;
    this.complaint = '';
    this.timer = undefined;
    this.trying = null;
    this.everConnected = false;
  }

  get isConnected(): boolean {
    return this.redis !== null;
  }

  start(): void {
    void this.attempt();
  }

  /** Ends the connection; nothing may be under way. */
  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.trying?.disconnect();
    this.silence?.end();
    this.redis?.disconnect();
    this.redis = null;
  }

  send(command: Pick<Command, 'name' | 'args'>): Promise<Reply> {
    const { redis, silence } = this;
    if (redis === null || silence === null)
      return Promise.reject(new StoreError('unavailable', `no connection to Redis at ${this.address}`));
    silence.asked();
    return redis.callBuffer(command.name, command.args).then(
      (reply) => {
        silence.answered();
        return reply;
      },
      (error: Error) => {
        silence.answered();
        // The server is not what was connected to: demoted, restarted behind a proxy, its scripts flushed. The next connection is checked anew.
        if (/^(READONLY|MASTERDOWN|LOADING|NOSCRIPT|NOAUTH|CLUSTERDOWN)/.test(error.message)) this.drop(redis, error);
        throw error;
      },
    );
  }

  /** Resolves when what was sent before is confirmed as configured. */
  async confirm(): Promise<void> {
    const { durability, replicas, silenceMilliseconds } = this.settings;
    // Less than the silence after which the connection is given up: Redis answers with what it has by then.
    const milliseconds = String(Math.floor(silenceMilliseconds / 2));
    if (durability === 'replicated') {
      const confirmed = Number(await this.send({ name: 'WAIT', args: [String(replicas), milliseconds] }));
      if (confirmed < replicas) throw this.unconfirmed(confirmed, 'have it in memory');
    } else {
      const reply = (await this.send({ name: 'WAITAOF', args: ['1', String(replicas), milliseconds] })) as number[];
      if (reply[0] < 1)
        throw new StoreError('unavailable', `Redis at ${this.address} has not written it to disk in time`);
      if (reply[1] < replicas) throw this.unconfirmed(reply[1], 'have it on disk');
    }
  }

  private unconfirmed(confirmed: number, what: string): StoreError {
    const { replicas } = this.settings;
    return new StoreError('unavailable', `${confirmed} of ${replicas} replicas of Redis at ${this.address} ${what}`);
  }

  private async attempt(): Promise<void> {
    const redis = this.create();
    this.trying = redis;
    let reason: Error | null = null;
    redis.on('error', (error: Error) => {
      reason ??= error;
    });
    redis.on('end', () => this.drop(redis, reason));
    try {
      await redis.connect();
      await this.check(redis);
      if (redis.status !== 'ready') throw reason ?? new Error('the connection was closed');
    } catch (error) {
      this.trying = null;
      redis.disconnect();
      this.failed(reason !== null && !(error instanceof RefusedError) ? reason : (error as Error));
      return;
    }
    this.trying = null;
    if (this.closed) {
      redis.disconnect();
      return;
    }
    this.connected(redis);
  }

  private connected(redis: Redis): void {
    this.redis = redis;
    this.silence = this.listen(redis);
    this.retryMilliseconds = retryFirstMilliseconds;
    if (this.complaint !== '') this.logger.info('Redis is reachable again', { address: this.address });
    else if (!this.everConnected) this.logger.info('connected to Redis', { address: this.address });
    this.everConnected = true;
    this.complaint = '';
    this.timer = setInterval(() => {
      this.send({ name: 'PING', args: [] }).catch(() => {}); // A silent server ends the connection, which is heard of elsewhere.
    }, pingMilliseconds);
    this.timer.unref();
    this.onState(true);
  }

  /** Silence is noticed here from now on: the client would end the connection politely, see `reset`. */
  private listen(redis: Redis): Silence {
    const { silenceMilliseconds } = this.settings;
    redis.options.socketTimeout = undefined;
    const silence = new Silence(silenceMilliseconds, () => {
      this.drop(redis, new Error(`the server has owed an answer for ${silenceMilliseconds} ms`));
    });
    redis.stream.on('data', () => silence.heard());
    return silence;
  }

  private drop(redis: Redis, reason: Error | null): void {
    if (redis !== this.redis) return;
    this.redis = null;
    this.silence?.end();
    this.silence = null;
    clearInterval(this.timer);
    reset(redis);
    if (this.closed) return;
    this.onState(false);
    this.failed(reason ?? new Error('the connection was closed'));
  }

  private failed(error: Error): void {
    if (this.closed) return;
    const refused = refusal(error, this.settings);
    // One line for a kind of trouble, however often it is tried.
    const complaint = refused ?? 'unreachable';
    if (complaint !== this.complaint) {
      this.complaint = complaint;
      if (refused === null) {
        this.logger.warn('Redis is unreachable; it is tried again until it answers', {
          address: this.address,
          error: error.message || (error as NodeJS.ErrnoException).code || String(error),
        });
      } else {
        this.logger.error(refused, { address: this.address });
      }
    }
    const wait = refused === null ? this.retryMilliseconds : retryRefusedMilliseconds;
    this.retryMilliseconds = Math.min(this.retryMilliseconds * 2, retryMaxMilliseconds);
    this.timer = setTimeout(() => void this.attempt(), wait);
  }

  /** Throws `RefusedError` when the server cannot be used; leaves it with our scripts. */
  private async check(redis: Redis): Promise<void> {
    const info = await redis.info();
    const field = (name: string): string => new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1] ?? '';
    const version = field('valkey_version') || field('redis_version');
    const [major, minor] = version.split('.').map(Number);
    if (major < versionMin[0] || (major === versionMin[0] && minor < versionMin[1])) {
      throw new RefusedError(`Redis ${version} is too old: the store needs ${versionMin.join('.')} or Valkey`);
    }
    if (field('role') !== 'master') {
      // With Cluster the map will name another.
      if (this.settings.target.kind === 'cluster') throw new Error('the server is a replica');
      throw new RefusedError('this Redis is a replica: name its master, or use redis+sentinel or redis+cluster');
    }
    if (field('cluster_enabled') === '1') {
      if (this.settings.target.kind !== 'cluster')
        throw new RefusedError('this Redis is part of a Cluster: use redis+cluster');
      // One that has just started knows nobody yet, and serves nothing.
      if (!/cluster_state:ok/.test(String(await redis.cluster('INFO'))))
        throw new Error('the Cluster does not serve yet');
    } else if (this.settings.target.kind === 'cluster') {
      throw new RefusedError('this Redis is no part of a Cluster: use redis or redis+sentinel');
    }
    if (this.settings.durability === 'fsync') await this.checkFsync(redis, version, field('aof_enabled'));
    if (field('maxmemory') !== '0' && field('maxmemory_policy') !== 'noeviction' && !this.everConnected) {
      this.logger.warn('Redis may evict stored sessions and messages: set maxmemory-policy noeviction', {
        address: this.address,
        policy: field('maxmemory_policy'),
      });
    }
    await Promise.all(allScripts.map((script) => redis.script('LOAD', script.source)));
  }

  private async checkFsync(redis: Redis, version: string, appendOnly: string): Promise<void> {
    try {
      await redis.call('WAITAOF', '0', '0', '1');
    } catch (cause) {
      throw new RefusedError(
        `durability fsync needs WAITAOF, which Redis ${version} lacks: use Redis 7.2 or Valkey, or "appendfsync always" ` +
          'in Redis with durability memory, which promises the same for a server without replicas',
        { cause },
      );
    }
    if (appendOnly !== '1') {
      throw new RefusedError('durability fsync needs an append-only file: set "appendonly yes" in Redis');
    }
  }
}

/**
 * Ends a connection at once. The client's own `disconnect` lets the socket send what it still holds, and so does the system after a mere close, for minutes
 * if need be. A write that arrives then, behind writes of the next connection, would undo them: an old cursor, an old retained message, a will that was
 * removed. A reset throws it away. What is further on its way, in a proxy or with a server that hangs, no client can call back.
 */
function reset(redis: Redis): void {
  const { stream } = redis;
  // Node resets plain sockets alone. With TLS what the system has taken already may still arrive.
  if (stream instanceof TLSSocket) stream.destroy();
  else if (stream instanceof Socket) {
    stream.resetAndDestroy();
    // It waits until the socket has written what it still holds itself.
    if (stream.writableLength > 0) stream.destroy();
  }
  redis.disconnect(); // Not to be made again by the client.
}

/** A line for what only a person can change; null for what passes. */
export function refusal(error: Error, { target }: Settings): string | null {
  if (error instanceof RefusedError) return error.message;
  const user = target.user ?? 'default';
  if (/WRONGPASS|invalid password/i.test(error.message))
    return `Redis refused the password of the user "${user}", or has no such user`;
  if (/NOAUTH/.test(error.message)) return 'Redis asks for a password and none is configured: put it into the URL';
  if (/NOPERM/.test(error.message)) return `the Redis user "${user}" lacks a permission: ${error.message}`;
  return null;
}
