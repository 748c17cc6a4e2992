import { type Clock, codeOf, type Logger } from '@dunlin/broker/ports';
import { errors, type NatsConnection, type Status } from '@nats-io/transport-node';
import { loggedMax, pendingBytesMax, pieceBytesMax, roundTripBytes } from './bounds.ts';
import { after, within } from './deadline.ts';
import { Dialer, type DialerOptions } from './dialer.ts';
import { events } from './log-events.ts';

export interface CarrierOptions extends DialerOptions {
  logger: Logger;
  clock: Clock;
}

/** Subjects of a connection: it is used only if NATS allows all of them. */
export interface CarrierSubjects {
  listened: readonly string[];
  /** Subjects that messages are published to; those not known beforehand are represented by one. */
  published: readonly string[];
  /** A message that its receivers ignore: it shows whether publishing is allowed. */
  probe: (subject: string) => Uint8Array;
}

export interface CarrierReceiver {
  /**
   * Connected, for the first time or again; every subscription is in force, and publishing is allowed. `count` is the
   * number of this connection, from 1.
   */
  up(count: number): void;
  down(): void;
  /**
   * NATS accepts the connection and refuses permissions that are needed: these. Called when they change; with none when
   * all are granted.
   */
  denied(what: readonly string[]): void;
  /** Receives a message of the listened subject at this place. It must not throw: the connection would end. */
  heard(bytes: Uint8Array, channel: number): void;
}

/** Limit of a message until a server has told its own: the default of NATS. */
const payloadBytesAtFirst = 1024 * 1024;

/**
 * The connection to NATS. It is made again whenever it is lost, with one line in the log when it goes and one when it
 * is back.
 *
 * The client library keeps published bytes in memory without a limit. So they are counted here, and a round trip (PING
 * and PONG, which the server answers in order) tells how many of them the server has accepted. The same round trips
 * show that the connection works in both directions: then the silence of another endpoint is not our fault.
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
  /** Problems that were logged and still last: each is logged once. */
  readonly #logged = new Set<string>();
  /** NATS refuses the credentials or the permissions: only an operator can change that. */
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

  /** The largest message that the server accepts, or that goes in one piece by our own bound. */
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

  /** Begins to connect, and keeps trying. */
  open(): void {
    this.#finished = this.#run();
  }

  /**
   * Publishes one message. Returns whether it was accepted: not while there is no connection, nor with too much
   * unconfirmed. Never throws.
   */
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
      // The connection was lost meanwhile; that is reported separately.
      () => undefined,
    );
  }

  /** Resolves when everything published so far has reached the server, or cannot any more. */
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

  /** Resolves after `close` when nothing runs any more: an attempt to connect that was under way has ended too. */
  get finished(): Promise<void> {
    return this.#finished;
  }

  async #run(): Promise<void> {
    const { clock, timings } = this.#options;
    while (!this.#closed) {
      const begun = clock.now();
      const connection = await this.#connect();
      // A connection that was in use for a while is made again at once.
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

  /**
   * Connected: tries every permission that is needed. All are granted when the server has answered a round trip after
   * them without an error.
   */
  async #ready(connection: NatsConnection): Promise<void> {
    const count = ++this.#connections;
    const { listened, published, probe } = this.#subjects;
    this.#denials.clear();
    try {
      for (const [channel, subject] of listened.entries()) {
        connection.subscribe(subject, {
          callback: (error, message) => {
            if (error === null) this.#receiver.heard(message.data, channel);
          },
        });
      }
      for (const subject of new Set([...published, ...this.#doubted])) connection.publish(subject, probe(subject));
      await connection.flush();
    } catch {
      // Lost again: the next connection begins anew.
      return;
    }
    // Errors that came before the answer are reported in a turn of their own.
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
    // Cancels an attempt to become ready that is under way.
    this.#connections++;
    if (this.#closed) return;
    if (this.#isUp) {
      const why = error === null ? {} : { error: reasonOf(error), errorCode: codeOf(error) };
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

  /** Logs an error that the server reports for a connection. If it ends the connection, that is reported separately. */
  #reported(connection: NatsConnection, error: Error): void {
    if (isRefusal(error)) return;
    const denial = denialOf(error);
    if (denial === null && this.#isUp) {
      if (this.#isNew(error.message))
        this.#options.logger.error(events['nats.error-reported'], {
          error: error.message,
          errorCode: codeOf(error),
        });
      return;
    }
    this.#denials.add(denial ?? error.message);
    if (!this.#isUp || this.#denials.size > 1) return;
    // It was allowed before. A round trip shows what else is no longer allowed.
    if (error instanceof errors.PermissionViolationError && error.operation === 'publish')
      this.#doubted.add(error.subject);
    const turnAway = (): void => this.#turnAway(connection);
    connection.flush().then(turnAway, turnAway);
  }

  /**
   * Stops using the connection: with part of the permissions other endpoints would rely on this one. It counts as lost
   * until everything is allowed.
   */
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
      if (this.#isNew(reason))
        logger.error(events['nats.connect-failed'], { servers, error: reason, errorCode: codeOf(error) });
    }
  }

  get #hosts(): string {
    return this.#options.servers.hosts.join(',');
  }

  get #user(): { user?: string } {
    const { user } = this.#options.servers;
    return user === '' ? {} : { user };
  }

  /** True the first time for each key and connection. */
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
