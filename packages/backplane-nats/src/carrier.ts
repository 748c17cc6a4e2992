import type { Clock, Logger } from '@dunlin/broker';
import { errors, type NatsConnection, type Status } from '@nats-io/transport-node';
import { loggedMax, pendingBytesMax, pieceBytesMax, roundTripBytes } from './bounds.ts';
import { after, within } from './deadline.ts';
import { Dialer, type DialerOptions } from './dialer.ts';
import { events } from './log-events.ts';

export interface CarrierOptions extends DialerOptions {
  logger: Logger;
  clock: Clock;
}

/** Subjects of a connection: it is used when NATS allows all of them. */
export interface CarrierSubjects {
  listened: readonly string[];
  /** Subjects that messages are published to; those not known beforehand are represented by one. */
  published: readonly string[];
  /** A message that whoever receives it does nothing with: it shows whether one may be published. */
  probe: Uint8Array;
}

export interface CarrierReceiver {
  /** Connected, for the first time or again; every subscription is in force, and everything may be published. `count` is the number of this connection, from 1. */
  up(count: number): void;
  down(): void;
  /** NATS lets this side connect, and not do what it has to: what it refuses. Called when that changes; with none when it is over. */
  denied(what: readonly string[]): void;
  /** Receives a message. It may throw nothing: the connection would end with it. */
  heard(bytes: Uint8Array): void;
}

/** Limit of a message before a server has said what it takes at once: NATS' own default. */
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
  readonly #subjects: CarrierSubjects;
  readonly #dialer: Dialer;
  #connection: NatsConnection | null = null;
  #connections = 0;
  #isUp = false;
  #closed = false;
  #finished: Promise<void> = Promise.resolve();
  #wake: () => void = () => undefined;
  /** Kinds of trouble that were logged while it lasts: each once. */
  readonly #logged = new Set<string>();
  /** NATS lets nobody in like this, or not do what is needed: only an operator can change that. */
  #isRefused = false;
  /** Permissions that the server refuses on this connection: `publish to SUBJECT`, `subscribe to SUBJECT`. */
  readonly #denials = new Set<string>();
  /** Subjects that a message was refused for while connected: the next connection tries them as well. */
  readonly #doubted = new Set<string>();
  #toldDenials = '';
  #published = 0;
  #confirmed = 0;
  #roundTripUnderWay = false;
  #roundTripAt = 0;
  #payloadBytesMax = payloadBytesAtFirst;

  constructor(options: CarrierOptions, subjects: CarrierSubjects, receiver: CarrierReceiver) {
    this.#options = options;
    this.#dialer = new Dialer(options);
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

  /** True when a round trip to the server ended within the last so many milliseconds. */
  isFresh(now: number): boolean {
    return this.#isUp && now - this.#roundTripAt <= this.#options.timings.roundTripMilliseconds;
  }

  /** Begins to connect and never gives up. */
  open(): void {
    this.#finished = this.#run();
  }

  /** Publishes one message. Returns whether it was taken: not while there is no connection, nor with too much unconfirmed. Never throws. */
  publish(subject: string, bytes: Uint8Array): boolean {
    if (!this.#isUp || this.#connection === null) return false;
    try {
      this.#connection.publish(subject, bytes);
    } catch (error) {
      if (this.#isNew('publish')) this.#options.logger.error(events['nats.publish-failed'], { error });
      return false;
    }
    this.#published += bytes.length;
    if (this.#published - this.#confirmed >= roundTripBytes && !this.#roundTripUnderWay) this.measure();
    return true;
  }

  /** True when so little is unconfirmed that more may be published. */
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
      const begun = clock.now();
      const connection = await this.#connect();
      // A connection that was used for a while is made again at once.
      const used = connection === null ? 0 : await this.#serve(connection).then(() => clock.now() - begun);
      if (this.#closed) return;
      const pause = this.#isRefused ? timings.refusedMilliseconds : this.#waitMilliseconds() - used;
      if (pause <= 0) continue;
      await after(clock, pause, (wake) => {
        this.#wake = wake;
      });
    }
  }

  /** Makes one attempt with every server. */
  async #connect(): Promise<NatsConnection | null> {
    try {
      return await this.#dialer.dial();
    } catch (error) {
      this.#explain(error);
      return null;
    }
  }

  #waitMilliseconds(): number {
    return this.#options.timings.connectMilliseconds * (1 + Math.random());
  }

  /** Uses a connection until it is lost. */
  async #serve(connection: NatsConnection): Promise<void> {
    if (this.#closed) return void (await connection.close());
    this.#connection = connection;
    this.#isRefused = false;
    const ended = this.#follow(connection);
    void this.#ready(connection);
    await ended;
    this.#connection = null;
    this.#lost((await connection.closed()) ?? null);
  }

  async #follow(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) this.#changed(connection, status);
  }

  #changed(connection: NatsConnection, status: Status): void {
    switch (status.type) {
      case 'update':
        this.#dialer.learn(connection);
        break;
      case 'error':
        this.#reported(connection, status.error);
        break;
    }
  }

  /** Connected: everything that is needed is tried, and is allowed when the server has answered what follows it without an error. */
  async #ready(connection: NatsConnection): Promise<void> {
    const count = ++this.#connections;
    const { listened, published, probe } = this.#subjects;
    this.#denials.clear();
    try {
      for (const subject of listened) {
        connection.subscribe(subject, {
          callback: (error, message) => {
            if (error === null) this.#receiver.heard(message.data);
          },
        });
      }
      for (const subject of new Set([...published, ...this.#doubted])) connection.publish(subject, probe);
      await connection.flush();
    } catch {
      // Lost again already: the next connection begins anew.
      return;
    }
    // Errors that came before the answer are told in a turn of their own.
    await new Promise<void>((resolve) => this.#options.clock.nextTurn(resolve));
    if (this.#closed || count !== this.#connections || this.#connection !== connection) return;
    if (this.#denials.size > 0) return this.#turnAway(connection);
    this.#dialer.learn(connection);
    this.#payloadBytesMax = Math.min(connection.info?.max_payload ?? payloadBytesAtFirst, pieceBytesMax);
    this.#published = 0;
    this.#confirmed = 0;
    this.#roundTripUnderWay = false;
    this.#roundTripAt = this.#options.clock.now();
    this.#isUp = true;
    this.#doubted.clear();
    this.#logged.clear();
    this.#options.logger.info(events['nats.connected'], { server: connection.getServer() });
    this.#tellDenials();
    this.#receiver.up(count);
  }

  #lost(error: unknown): void {
    // Makes an attempt to be ready, which is under way, void.
    this.#connections++;
    if (this.#closed) return;
    if (this.#isUp) {
      const why = error === null ? {} : { error: reasonOf(error) };
      this.#options.logger.warn(events['nats.connection-lost'], { servers: this.#hosts, ...why });
      this.#down();
    } else if (!this.#isRefused) {
      this.#explain(error);
    }
  }

  #down(): void {
    if (!this.#isUp) return;
    this.#isUp = false;
    this.#receiver.down();
  }

  /** Logs an error that the server reports for a connection. That it ends the connection is heard of by its end. */
  #reported(connection: NatsConnection, error: Error): void {
    if (isRefusal(error)) return;
    const denial = denialOf(error);
    if (denial === null && this.#isUp) {
      if (this.#isNew(error.message))
        this.#options.logger.error(events['nats.error-reported'], { error: error.message });
      return;
    }
    this.#denials.add(denial ?? error.message);
    if (!this.#isUp || this.#denials.size > 1) return;
    // It was allowed before. What else is not any more is known after a round trip.
    if (error instanceof errors.PermissionViolationError && error.operation === 'publish')
      this.#doubted.add(error.subject);
    const turnAway = (): void => this.#turnAway(connection);
    connection.flush().then(turnAway, turnAway);
  }

  /** Half of what is needed is worse than nothing: others would count on this side. So it is as if NATS were away, until everything is allowed. */
  #turnAway(connection: NatsConnection): void {
    if (this.#closed || this.#connection !== connection) return;
    this.#isRefused = true;
    this.#tellDenials();
    this.#down();
    void connection.close();
  }

  #tellDenials(): void {
    const what = [...this.#denials].sort();
    const text = what.join(', ');
    if (text === this.#toldDenials) return;
    this.#toldDenials = text;
    if (text !== '') {
      this.#options.logger.error(events['nats.permission-denied'], {
        servers: this.#hosts,
        ...this.#user,
        refused: text,
      });
    }
    this.#receiver.denied(what);
  }

  #explain(error: unknown): void {
    if (this.#closed) return;
    this.#isRefused = isRefusal(error);
    const { logger } = this.#options;
    const servers = this.#hosts;
    if (this.#isRefused) {
      if (this.#isNew('refused')) logger.error(events['nats.credentials-refused'], { servers, ...this.#user });
    } else {
      const reason = reasonOf(error);
      if (this.#isNew(reason)) logger.error(events['nats.connect-failed'], { servers, error: reason });
    }
  }

  get #hosts(): string {
    return this.#options.servers.hosts.join(',');
  }

  get #user(): { user?: string } {
    const { user } = this.#options.servers;
    return user === '' ? {} : { user };
  }

  /** True once for each key and connection. */
  #isNew(key: string): boolean {
    if (this.#logged.has(key) || this.#logged.size >= loggedMax) return false;
    this.#logged.add(key);
    return true;
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof errors.AuthorizationError || error instanceof errors.UserAuthenticationExpiredError;
}

/** Null for an error of another kind. */
function denialOf(error: Error): string | null {
  if (!(error instanceof errors.PermissionViolationError)) return null;
  return `${error.operation === 'publish' ? 'publish' : 'subscribe'} to ${error.subject}`;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'the connection was closed';
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : '';
  return `${error.message}${cause}`;
}
