/**
 * Connection to one Redis server. It is made again whenever it is lost, checked before it is used, and dropped when the
 * server is silent.
 *
 * A command is sent at most once. Without a connection it is refused at once; if the connection breaks while it is
 * under way, its outcome is unknown. Both are `unavailable`: there is no queue that could grow or change the order. A
 * connection that is dropped is reset: bytes that were not sent must not arrive any more.
 */
import { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { codeOf, type Logger, StoreError } from '@dunlin/broker/ports';
import type { Redis } from 'ioredis';
import type { Continuity } from './continuity.ts';
import { events } from './log-events.ts';
import type { Settings } from './options.ts';
import { connectionClosed, RedisConnectionError } from './redis-connection-error.ts';
import { endOfConnection, isForbidden } from './reply-error.ts';
import { checkServer, infoField, RefusedError, refusal } from './server-check.ts';
import { Silence } from './silence.ts';
import type { Command, Link, Reply } from './turn.ts';

/** Waits between attempts: short at first, then such that a server that comes back is found within two seconds. */
const retryFirstMilliseconds = 50;
const retryMaxMilliseconds = 2000;
/** Wait after a refusal that only an operator can change: password, version, role. */
const retryRefusedMilliseconds = 5000;
/** Interval of pings on an idle connection. */
const pingMilliseconds = 2000;
/** Kind of trouble without an answer of the server. */
const unreachable = 'unreachable';
/** Number of pings for each check whether the server may evict. */
const pingsPerLook = 3;

export interface ServerConnectionOptions {
  /** Address for messages. */
  readonly address: string;
  readonly settings: Settings;
  readonly continuity: Continuity | null;
  /** A client that is not connected yet, with the current credentials. */
  readonly create: () => Promise<Redis>;
  readonly onState: (connected: boolean) => void;
}

export class ServerConnection {
  readonly address: string;
  private readonly settings: Settings;
  private readonly continuity: Continuity | null;
  private readonly logger: Logger;
  private readonly create: () => Promise<Redis>;
  private readonly onState: (connected: boolean) => void;
  private redis: Redis | null;
  private silence: Silence | null;
  private closed: boolean;
  private retryMilliseconds: number;
  /** Reason why this server cannot be used; empty: it can, as far as is known. */
  private complaint: string;
  /** Kinds of trouble that were logged: each once. */
  private readonly said: Set<string>;
  private timer: NodeJS.Timeout | undefined;
  private trying: Redis | null;
  private everConnected: boolean;
  private isGathering: boolean;
  private asked: number;

  constructor({ address, settings, continuity, create, onState }: ServerConnectionOptions) {
    this.address = address;
    this.settings = settings;
    this.continuity = continuity;
    this.logger = settings.logger;
    this.create = create;
    this.onState = onState;
    this.redis = null;
    this.silence = null;
    this.closed = false;
    this.retryMilliseconds = retryFirstMilliseconds;
    this.complaint = '';
    this.said = new Set();
    this.timer = undefined;
    this.trying = null;
    this.everConnected = false;
    this.isGathering = false;
    this.asked = 0;
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
    this.settings.eviction.forget(this.address);
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
    this.gather(redis.stream);
    return redis.callBuffer(command.name, command.args).then(
      (reply) => {
        silence.answered();
        return reply;
      },
      (error: Error) => {
        silence.answered();
        // A missing permission of a plain command is reported by its caller; the store needs all of its own.
        const isOthers = this.settings.scripts.length === 0 && isForbidden(error);
        if (endOfConnection(error) !== null && !isOthers) this.drop(redis, error);
        throw error;
      },
    );
  }

  /**
   * Gathers the commands of this turn: they reach the server, and their answers come, in one piece as far as the system
   * allows.
   */
  private gather(stream: Writable): void {
    if (this.isGathering) return;
    this.isGathering = true;
    stream.cork();
    process.nextTick(() => {
      this.isGathering = false;
      stream.uncork();
    });
  }

  /** Sends a mark after writes to this slot; null: there are no marks. */
  mark(slot: number): ReturnType<Link['mark']> {
    const { continuity } = this;
    if (continuity === null) return null;
    const mark = continuity.nextMark(slot);
    return { written: this.send({ name: 'SET', args: mark.args }), confirmed: () => continuity.markConfirmed(mark) };
  }

  /** Resolves when everything sent before is confirmed as configured. */
  async confirm(): Promise<void> {
    const { durability, replicas, silenceMilliseconds } = this.settings;
    // Less than the silence after which the connection is dropped: Redis answers with the state that it has by then.
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
    const redis = await this.create().catch((error: Error) => {
      this.failed(error);
      return null;
    });
    if (redis === null || this.closed) return;
    this.trying = redis;
    let reason: Error | null = null;
    redis.on('error', (error: Error) => {
      reason ??= error;
    });
    redis.on('end', () => this.drop(redis, reason));
    try {
      await redis.connect();
      const info = await checkServer(redis, this.settings);
      this.settings.eviction.saw(this.address, info);
      await this.continuity?.check(redis, infoField(info, 'run_id'));
      if (redis.status !== 'ready') throw reason ?? connectionClosed();
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
    if (this.complaint === unreachable) this.logger.info(events['redis.reconnected'], { address: this.address });
    else if (this.complaint !== '') this.logger.info(events['redis.recovered'], { address: this.address });
    else if (!this.everConnected) this.logger.info(events['redis.connected'], { address: this.address });
    this.everConnected = true;
    this.complaint = '';
    this.said.clear();
    this.timer = setInterval(() => this.ask(), pingMilliseconds);
    this.timer.unref();
    this.onState(true);
  }

  /** Drops the connection to a silent server; that is reported elsewhere. */
  private ask(): void {
    this.asked++;
    if (this.asked % pingsPerLook > 0) {
      this.send({ name: 'PING', args: [] }).catch(() => {});
      return;
    }
    const { eviction } = this.settings;
    this.send({ name: 'INFO', args: ['memory'] }).then(
      (info) => this.closed || eviction.saw(this.address, String(info)),
      () => {},
    );
  }

  /** Silence is detected here from now on: the client would end the connection politely, see `reset`. */
  private listen(redis: Redis): Silence {
    const { silenceMilliseconds } = this.settings;
    redis.options.socketTimeout = undefined;
    const silence = new Silence(silenceMilliseconds, () => {
      this.drop(
        redis,
        new RedisConnectionError('redis-silent', `the server has owed an answer for ${silenceMilliseconds} ms`),
      );
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
    this.failed(reason ?? connectionClosed());
  }

  private failed(error: Error): void {
    if (this.closed) return;
    const refused = refusal(error, this.settings);
    const ended = endOfConnection(error);
    // One line for each kind of trouble, however many attempts there are.
    const complaint = refused ?? ended ?? unreachable;
    this.complaint = complaint;
    if (!this.said.has(complaint)) {
      this.said.add(complaint);
      this.complain(error, refused, ended);
    }
    const wait = refused === null ? this.retryMilliseconds : retryRefusedMilliseconds;
    this.retryMilliseconds = Math.min(this.retryMilliseconds * 2, retryMaxMilliseconds);
    this.timer = setTimeout(() => void this.attempt(), wait);
  }

  private complain(failure: Error, refused: string | null, ended: string | null): void {
    const { address, logger } = this;
    const error = failure.message || (failure as NodeJS.ErrnoException).code || String(failure);
    const errorCode = codeOf(failure);
    if (refused !== null) logger.error(events['redis.refused'], { address, error: refused, errorCode });
    else if (ended !== null)
      logger.warn(events['redis.connection-ended'], { address, reason: ended, error, errorCode });
    else logger.warn(events['redis.connect-failed'], { address, error, errorCode });
  }
}

/**
 * Ends a connection at once. With the client's own `disconnect` the socket sends what it still holds, and after a mere
 * close the system does so, for minutes if need be. A write that arrives then, after writes of the next connection,
 * would undo them: an old cursor, an old retained message, a will that was removed. A reset discards it. Bytes that are
 * further on their way, in a proxy or in a server that hangs, cannot be called back.
 */
function reset(redis: Redis): void {
  const { stream } = redis;
  // Node resets plain sockets only. With TLS, bytes that the system already has may still arrive.
  if (stream instanceof TLSSocket) stream.destroy();
  else if (stream instanceof Socket) {
    stream.resetAndDestroy();
    // It waits until the socket has written what it still holds itself.
    if (stream.writableLength > 0) stream.destroy();
  }
  redis.disconnect(); // The client must not connect again.
}
