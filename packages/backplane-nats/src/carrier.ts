import { readFileSync } from 'node:fs';
import type { Clock, Logger } from '@dunlin/broker';
import {
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  errors,
  type NatsConnection,
  type Status,
} from '@nats-io/transport-node';
import { loggedMax, pendingBytesMax, pieceBytesMax, roundTripBytes } from './bounds.ts';
import { after, within } from './deadline.ts';
import { NatsConfigurationError, type ServerList } from './server-list.ts';
import type { Timings } from './timings.ts';

export interface TlsFiles {
  /** Authorities that the server's certificate is checked against, PEM. The system's without it. */
  ca?: string;
  /** The certificate and key of this side, PEM. */
  cert?: string;
  key?: string;
}

export interface CarrierOptions {
  /** The name that the server shows for the connection. */
  name: string;
  servers: ServerList;
  credentialsFile: string | null;
  tls: TlsFiles | null;
  timings: Readonly<Timings>;
  logger: Logger;
  clock: Clock;
}

export interface CarrierReceiver {
  /** Connected, for the first time or again, and every subscription is in force. `count` is the number of this connection, from 1. */
  up(count: number): void;
  down(): void;
  /** May throw nothing: the connection would end with it. */
  heard(bytes: Uint8Array): void;
}

/** Before a server has said what it takes at once: NATS' own default. */
const payloadBytesAtFirst = 1024 * 1024;

/**
 * The connection to NATS, kept up for ever: made again whenever it is lost, with one line in the log when it goes and one when it is back.
 *
 * The client library keeps what it is given in memory and writes it without looking back. So published bytes are counted, and a round trip
 * (PING and PONG, which the server answers in order) says how many of them it has taken. The same round trips show that the connection is
 * alive in both directions: what is silent beyond it is not silent because of us.
 */
export class Carrier {
  readonly #options: CarrierOptions;
  readonly #receiver: CarrierReceiver;
  readonly #subjects: readonly string[];
  #connection: NatsConnection | null = null;
  #connections = 0;
  #isUp = false;
  #closed = false;
  #finished: Promise<void> = Promise.resolve();
  #wake: () => void = () => undefined;
  /** What was logged about the trouble that lasts now: each kind once. */
  readonly #logged = new Set<string>();
  #refused = false;
  #published = 0;
  #confirmed = 0;
  #roundTripUnderWay = false;
  #roundTripAt = 0;
  #payloadBytesMax = payloadBytesAtFirst;

  constructor(options: CarrierOptions, subjects: readonly string[], receiver: CarrierReceiver) {
    this.#options = options;
    this.#subjects = subjects;
    this.#receiver = receiver;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** The largest message that the server takes, or that goes in one piece by our own bound. */
  get messageBytesMax(): number {
    return this.#payloadBytesMax;
  }

  /** Published bytes that the server has not confirmed. */
  get pendingBytes(): number {
    return this.#published - this.#confirmed;
  }

  /** Whether a round trip to the server ended within the last so many milliseconds. */
  isFresh(now: number): boolean {
    return this.#isUp && now - this.#roundTripAt <= this.#options.timings.roundTripMilliseconds;
  }

  /** Begins to connect and never gives up. Throws NatsConfigurationError when a file that is needed cannot be read. */
  open(): void {
    const { credentialsFile, tls } = this.#options;
    for (const file of [credentialsFile, tls?.ca, tls?.cert, tls?.key]) {
      if (file !== null && file !== undefined) readConfigured(file);
    }
    this.#finished = this.#run();
  }

  /** Publishes one message. Returns whether it was taken: not while there is no connection, nor with too much unconfirmed. Never throws. */
  publish(subject: string, bytes: Uint8Array): boolean {
    if (!this.#isUp || this.#connection === null) return false;
    try {
      this.#connection.publish(subject, bytes);
    } catch (error) {
      this.#logOnce('publish', 'NATS did not take a message', { error: String(error) });
      return false;
    }
    this.#published += bytes.length;
    if (this.#published - this.#confirmed >= roundTripBytes && !this.#roundTripUnderWay) this.measure();
    return true;
  }

  /** Whether so little is unconfirmed that more may be published. */
  get hasRoom(): boolean {
    return this.#published - this.#confirmed < pendingBytesMax;
  }

  /** Starts a round trip unless one is under way. */
  measure(): void {
    const connection = this.#connection;
    if (connection === null || !this.#isUp || this.#roundTripUnderWay) return;
    this.#roundTripUnderWay = true;
    const published = this.#published;
    const count = this.#connections;
    connection.flush().then(
      () => {
        if (count !== this.#connections || !this.#isUp) return;
        this.#roundTripUnderWay = false;
        this.#confirmed = published;
        this.#roundTripAt = this.#options.clock.now();
        if (this.pendingBytes >= roundTripBytes) this.measure();
      },
      // The connection was lost meanwhile; its end is reported by itself.
      () => undefined,
    );
  }

  /** Resolves when everything published so far is at the server, or cannot get there any more. */
  async flushed(): Promise<void> {
    if (this.#connection !== null && this.#isUp) await this.#connection.flush().catch(() => undefined);
  }

  /** Ends the connection, or the attempts to get one. Waits for a bounded time. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#isUp = false;
    this.#wake();
    const { clock, timings } = this.#options;
    const closing = this.#connection?.close() ?? Promise.resolve();
    await within(
      clock,
      timings.stopMilliseconds,
      closing.catch(() => undefined),
    );
  }

  /** Resolves once nothing runs any more after `close`: an attempt to connect that was under way has ended too. */
  get finished(): Promise<void> {
    return this.#finished;
  }

  async #run(): Promise<void> {
    const { clock, timings } = this.#options;
    while (!this.#closed) {
      const connection = await this.#connect();
      if (connection !== null) {
        await this.#serve(connection);
      } else if (!this.#closed) {
        const pause = this.#refused ? timings.refusedMilliseconds : this.#waitMilliseconds();
        await after(clock, pause, (wake) => {
          this.#wake = wake;
        });
      }
    }
  }

  /** One attempt with every server. */
  async #connect(): Promise<NatsConnection | null> {
    try {
      return await connect(this.#clientOptions());
    } catch (error) {
      this.#explain(error, 'NATS cannot be reached; trying again until it can');
      return null;
    }
  }

  #clientOptions(): ConnectionOptions {
    const { name, servers, credentialsFile, tls, timings } = this.#options;
    const options: ConnectionOptions = {
      name,
      servers: [...servers.hosts],
      noEcho: true,
      noAsyncTraces: true,
      maxReconnectAttempts: -1,
      ignoreAuthErrorAbort: true,
      timeout: timings.attemptMilliseconds,
      pingInterval: timings.pingMilliseconds,
      maxPingOut: 2,
      reconnectDelayHandler: () => (this.#refused ? timings.refusedMilliseconds : this.#waitMilliseconds()),
    };
    if (servers.user !== '') Object.assign(options, { user: servers.user, pass: servers.password });
    if (servers.token !== '') options.token = servers.token;
    // Read at every attempt: the file may be replaced while we run.
    if (credentialsFile !== null) options.authenticator = credsAuthenticator(() => readConfigured(credentialsFile));
    if (servers.tls || tls !== null) options.tls = { caFile: tls?.ca, certFile: tls?.cert, keyFile: tls?.key };
    return options;
  }

  #waitMilliseconds(): number {
    return this.#options.timings.connectMilliseconds * (1 + Math.random());
  }

  /** Uses a connection until it is closed for good; the library makes it again when it is lost. */
  async #serve(connection: NatsConnection): Promise<void> {
    if (this.#closed) return void (await connection.close());
    this.#connection = connection;
    for (const subject of this.#subjects) {
      connection.subscribe(subject, {
        callback: (error, message) => {
          if (error === null) this.#receiver.heard(message.data);
          else this.#logOnce(`subscribe ${subject}`, 'NATS refuses a subscription', { subject, error: error.message });
        },
      });
    }
    const ended = this.#follow(connection);
    void this.#ready(connection);
    await ended;
    this.#connection = null;
    this.#lost();
  }

  async #follow(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) this.#changed(connection, status);
  }

  #changed(connection: NatsConnection, status: Status): void {
    switch (status.type) {
      case 'disconnect':
        this.#lost();
        break;
      case 'reconnect':
        void this.#ready(connection);
        break;
      case 'error':
        this.#reported(status.error);
        break;
    }
  }

  /** Connected: the subscriptions were sent, and are in force when the server has answered what follows them. */
  async #ready(connection: NatsConnection): Promise<void> {
    const count = ++this.#connections;
    try {
      await connection.flush();
    } catch {
      // Lost again already: the next connection begins anew.
      return;
    }
    if (this.#closed || count !== this.#connections || this.#connection !== connection) return;
    this.#payloadBytesMax = Math.min(connection.info?.max_payload ?? payloadBytesAtFirst, pieceBytesMax);
    this.#published = 0;
    this.#confirmed = 0;
    this.#roundTripUnderWay = false;
    this.#roundTripAt = this.#options.clock.now();
    this.#isUp = true;
    this.#refused = false;
    this.#logged.clear();
    this.#options.logger.info('connected to NATS', { server: connection.getServer() });
    this.#receiver.up(count);
  }

  #lost(): void {
    // Makes an attempt to be ready, which is under way, void.
    this.#connections++;
    if (!this.#isUp) return;
    this.#isUp = false;
    if (this.#closed) return;
    this.#options.logger.warn('the connection to NATS is lost; connecting again', { servers: this.#hosts });
    this.#logged.add('unreachable');
    this.#receiver.down();
  }

  /** What the server says about a connection: that it refuses the credentials, or the use of a subject. */
  #reported(error: Error): void {
    if (isRefusal(error)) this.#explain(error, '');
    else if (this.#logged.size < loggedMax) {
      this.#logOnce(error.message, 'NATS reports an error', { error: error.message });
    }
  }

  #explain(error: unknown, otherwise: string): void {
    if (this.#closed) return;
    this.#refused = isRefusal(error);
    const { servers } = this.#options;
    if (this.#refused) {
      const as = servers.user === '' ? {} : { user: servers.user };
      this.#logOnce('refused', 'NATS refuses the credentials; trying again slowly', { servers: this.#hosts, ...as });
    } else {
      this.#logOnce('unreachable', otherwise, { servers: this.#hosts, error: reasonOf(error) });
    }
  }

  get #hosts(): string {
    return this.#options.servers.hosts.join(',');
  }

  #logOnce(key: string, message: string, fields: Record<string, unknown>): void {
    if (this.#logged.has(key)) return;
    this.#logged.add(key);
    this.#options.logger.error(message, fields);
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof errors.AuthorizationError || error instanceof errors.UserAuthenticationExpiredError;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'the connection was closed';
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : '';
  return `${error.message}${cause}`;
}

function readConfigured(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new NatsConfigurationError(`a file for the connection to NATS cannot be read: ${file}`, { cause });
  }
}
