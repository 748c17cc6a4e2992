import type { Backplane, BackplaneReceiver, Clock, EndpointId, Logger } from '@dunlin/broker';
import { Admission, flagsOf } from './admission.ts';
import { pendingBytesMax, wholeBytesMax } from './bounds.ts';
import { Carrier } from './carrier.ts';
import { within } from './deadline.ts';
import {
  answerAtOnce,
  type Envelope,
  EnvelopeError,
  EnvelopeWriter,
  Kind,
  pieceHeaderBytes,
  readEnvelope,
} from './envelope.ts';
import { parseIncarnation } from './incarnation.ts';
import { events } from './log-events.ts';
import { type Member, Membership } from './membership.ts';
import { NatsBackplaneError, type NatsBackplaneOptions, type NatsCounters, newCounters } from './options.ts';
import { OtherReleases } from './other-releases.ts';
import { OwnLiveness } from './own-liveness.ts';
import { PieceBudget } from './pieces.ts';
import { parseServers } from './server-list.ts';
import { Subjects } from './subjects.ts';
import { defaultTimings, type Timings } from './timings.ts';

/** Timer ticks per heartbeat. */
const ticksPerHeartbeat = 2;

/** Interval at which a joining endpoint checks for further answers; every start waits for it. */
const joinTickMilliseconds = 20;

type State = 'new' | 'joining' | 'joined' | 'stopped' | 'evicted';

/**
 * Backplane between nodes, over NATS (ARCHITECTURE.md, sections 5, 8 and 9). NATS itself delivers at most once and does
 * not tell which endpoints are there. What the port needs beyond that is here and in the files beside, in this order:
 *
 *     send ──▶ envelope ──▶ carrier ══ NATS ══ carrier ──▶ envelope ──▶ membership ──▶ pieces ──▶ received
 *                                                               heartbeats ──▶ silence ──▶ leases ──▶ endpointLeft
 *
 * Measured on two cores with the server on the same machine, CPU per frame of 4 KiB: 4.1 µs to send and 3.5 to receive,
 * of which the client library takes 3.2 and 2.7 (bench/frames.ts).
 */
export class NatsBackplane implements Backplane {
  readonly self: EndpointId;
  readonly counters: NatsCounters = newCounters();
  readonly #options: NatsBackplaneOptions;
  readonly #timings: Readonly<Timings>;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #subjects: Subjects;
  readonly #writer: EnvelopeWriter;
  readonly #carrier: Carrier;
  readonly #membership: Membership;
  readonly #life: OwnLiveness;
  readonly #admission: Admission;
  readonly #otherReleases: OtherReleases;
  #receiver: BackplaneReceiver | null = null;
  #state: State = 'new';
  #cancelTimer: () => void = () => undefined;
  #cancelJoin: () => void = () => undefined;
  #start: PromiseWithResolvers<void> = Promise.withResolvers();
  #sinceHeartbeat = 0;
  /** Times at which all others were asked to answer, and a new one last did; 0: not connected yet. */
  #askedAt = 0;
  #answeredAt = 0;
  #upAt = 0;
  #pieces = 0;
  /** True when bytes were dropped since the receiver was last told that some may be missing. */
  #isLossy = false;
  #isConnected = false;

  /** Throws NatsConfigurationError for servers that cannot be read, RangeError for a name of another form. */
  constructor(options: NatsBackplaneOptions) {
    const name = parseIncarnation(options.self);
    if (name === null)
      throw new RangeError(`the endpoint name is "${options.self}"; its form is nodeId/workerIndex#incarnation`);
    this.self = options.self;
    this.#options = options;
    this.#timings = { ...defaultTimings, ...options.timings };
    this.#logger = options.logger;
    this.#clock = options.clock;
    this.#subjects = new Subjects(options.clusterName ?? 'dunlin');
    this.#writer = new EnvelopeWriter(options.self, options.release, flagsOf(options.signing));
    this.#otherReleases = new OtherReleases(options.release, options.logger);
    const { leases, logger, clock } = options;
    const timings = this.#timings;
    const { all, heartbeat, bye } = this.#subjects;
    const carrierOptions = {
      name: options.self,
      servers: parseServers(options.servers),
      credentials: options.credentials ?? (async () => ({})),
      timings,
      logger,
      clock,
    };
    const own = this.#subjects.to(this.self);
    // A bye about an unknown endpoint has no effect. The own subject stands for those of all others.
    const probe = (subject: string): Uint8Array => this.#admission.signed(subject, this.#writer.bye('nobody'));
    const listened = [own, all, heartbeat, bye];
    const subjects = { listened, published: listened, probe };
    this.#admission = new Admission({
      ...{ options, subjects: listened, timings, counters: this.counters },
      member: (endpoint) => this.#membership.get(endpoint),
      greet: (endpoint, flags) => this.#say(this.#subjects.to(endpoint), this.#writer.heartbeat(flags)),
    });
    this.#carrier = new Carrier(carrierOptions, subjects, {
      up: (count) => this.#up(count),
      down: () => this.#down(),
      denied: (what) => options.denied?.(what),
      heard: (bytes, channel) => this.#heard(bytes, channel),
    });
    this.#life = new OwnLiveness(
      { self: this.self, leases, timings, clock, logger },
      {
        evicted: () => this.#evict('the store', 'its lease was over and it was evicted'),
        lost: () => options.leaseLost?.(),
        regained: () => options.leaseRegained?.(),
      },
    );
    const membershipOptions = {
      self: this.self,
      leases,
      timings,
      logger,
      ignores: options.ignores ?? (() => false),
      subjectOf: (endpoint: EndpointId) => this.#subjects.to(endpoint),
      budget: new PieceBudget(),
      now: () => clock.now(),
    };
    this.#membership = new Membership(name, membershipOptions, {
      joined: (member) => this.#joined(member),
      left: (member) => this.#tell((receiver) => receiver.endpointLeft(member.endpoint)),
      died: (endpoint) => this.#say(this.#subjects.bye, this.#writer.bye(endpoint)),
      heardDead: (endpoint) => this.#say(this.#subjects.to(endpoint), this.#writer.evicted()),
      replaced: (by) => this.#evict(by, 'a newer one of the same place has started'),
    });
  }

  /** Waits for NATS and its permissions there, and joins. Rejects with NatsBackplaneError when stopped or evicted. */
  async start(receiver: BackplaneReceiver): Promise<void> {
    this.#carrier.open();
    this.#receiver = receiver;
    this.#state = 'joining';
    const tick = this.#timings.heartbeatMilliseconds / ticksPerHeartbeat;
    const cancelTick = this.#clock.every(tick, () => this.#tick(tick));
    const cancelJoin = this.#clock.every(joinTickMilliseconds, () => this.#checkJoined());
    const cancelSecrets = this.#admission.watch();
    this.#cancelTimer = () => {
      cancelSecrets();
      cancelTick();
      cancelJoin();
    };
    this.#cancelJoin = cancelJoin;
    this.#life.start();
    await this.#start.promise;
  }

  /** Sends a bye, gives the lease up, and stops. Resolves within a bounded time, also without NATS and store. */
  async stop(): Promise<void> {
    if (this.#state === 'stopped') return;
    const wasThere = this.#state === 'joining' || this.#state === 'joined';
    if (wasThere) this.#say(this.#subjects.bye, this.#writer.bye(this.self));
    const flushed = this.#carrier.flushed();
    this.#silence('stopped');
    this.#start.promise.catch(() => undefined);
    this.#start.reject(new NatsBackplaneError('stopped'));
    const ended = wasThere ? this.#life.end() : undefined;
    await within(this.#clock, this.#timings.stopMilliseconds, Promise.all([flushed, ended]));
    await this.#carrier.close();
  }

  /** Resolves when everything sent until now has reached the server, or is lost with the connection. */
  flushed(): Promise<void> {
    return this.#carrier.flushed();
  }

  /** Endpoints that are members, other than this one. */
  get memberCount(): number {
    return this.#membership.size;
  }

  send(to: EndpointId, bytes: Uint8Array): void {
    const member = this.#membership.get(to);
    if (member !== null) this.#sendFrame(member.subject, bytes);
  }

  broadcast(bytes: Uint8Array): void {
    this.#sendFrame(this.#subjects.all, bytes);
  }

  #sendFrame(subject: string, bytes: Uint8Array): void {
    if (!this.#maySend()) {
      this.counters.droppedDisconnected++;
      this.#isLossy = true;
    } else if (!this.#carrier.hasRoom) {
      this.counters.droppedPending++;
      this.#isLossy = true;
    } else if (this.#writer.headerBytes + bytes.length <= this.#carrier.messageBytesMax) {
      this.#publish(subject, this.#writer.frame(bytes));
    } else {
      this.#sendPieces(subject, bytes);
    }
  }

  /** Room was checked for the whole: a message of any size is sent when little is waiting. */
  #sendPieces(subject: string, bytes: Uint8Array): void {
    const size = this.#carrier.messageBytesMax - this.#writer.headerBytes - pieceHeaderBytes;
    if (bytes.length > wholeBytesMax || size < 1) {
      this.counters.droppedOversize++;
      this.#logger.error(events['frame.oversized'], { bytes: bytes.length, piece: size });
      return;
    }
    const count = Math.ceil(bytes.length / size);
    const number = this.#pieces++ >>> 0;
    for (let index = 0; index < count; index++) {
      const piece = bytes.subarray(index * size, (index + 1) * size);
      this.#publish(subject, this.#writer.piece(number, index, count, piece));
    }
  }

  /** Sends a message of this package itself, if it may send now. A lost one does no harm. */
  #say(subject: string, message: Buffer): void {
    if (this.#maySend()) this.#publish(subject, message);
  }

  #publish(subject: string, message: Buffer): void {
    if (this.#carrier.publish(subject, this.#admission.signed(subject, message))) {
      this.counters.messagesSent++;
      this.counters.bytesSent += message.length;
    } else {
      this.#isLossy = true;
    }
  }

  #maySend(): boolean {
    return this.#carrier.isUp && (this.#state === 'joined' || this.#state === 'joining') && this.#life.mayAct();
  }

  #tick(tickMilliseconds: number): void {
    const now = this.#clock.now();
    // Work is done at the nearest tick: one that is a millisecond early does not defer it to the next.
    const soon = tickMilliseconds / 2;
    const elapsed = this.#life.pass(now, soon);
    this.#sinceHeartbeat += elapsed;
    if (this.#sinceHeartbeat + soon >= this.#timings.heartbeatMilliseconds) {
      this.#sinceHeartbeat = 0;
      this.#say(this.#subjects.heartbeat, this.#writer.heartbeat(0));
      // It reaches the server in one piece with the heartbeat.
      this.#carrier.measure();
    }
    const isFresh = this.#carrier.isFresh(now);
    // When this timer was late, messages that came meanwhile are unread: the delay is not silence of others.
    if (isFresh) this.#membership.pass(Math.min(elapsed, tickMilliseconds));
    if (this.#state === 'joined') this.#life.check(now, isFresh ? Math.max(1, now - this.#upAt) : 0);
    this.#checkLoss();
  }

  /** Tells the link above, when it has room again, of bytes dropped after a stall or because too many were waiting. */
  #checkLoss(): void {
    if (!this.#isLossy || !this.#maySend() || this.#carrier.pendingBytes > pendingBytesMax / 2) return;
    this.#isLossy = false;
    this.#tell((receiver) => receiver.reconnected());
  }

  #checkJoined(): void {
    const now = this.#clock.now();
    if (this.#state !== 'joining' || this.#askedAt === 0 || !this.#carrier.isUp) return;
    const quiet = now - Math.max(this.#askedAt, this.#answeredAt);
    if (quiet < this.#timings.joinQuietMilliseconds && now - this.#askedAt < this.#timings.joinMilliseconds) return;
    this.#state = 'joined';
    this.#cancelJoin();
    this.#start.resolve();
  }

  #up(count: number): void {
    this.counters.connections++;
    this.#writer.connection = count;
    this.#membership.forgetSilence();
    this.#sinceHeartbeat = 0;
    this.#upAt = this.#clock.now();
    // First, because nothing may be sent any more if the lease has ended meanwhile.
    this.#life.renew();
    this.#say(this.#subjects.heartbeat, this.#writer.heartbeat(answerAtOnce));
    if (this.#state === 'joining') void this.#waitForAnswers(count);
    this.#setConnected(true);
    this.#isLossy = false;
    if (this.counters.connections > 1) this.#tell((receiver) => receiver.reconnected());
  }

  /** The quiet time that ends joining begins when the server has forwarded the question. */
  async #waitForAnswers(count: number): Promise<void> {
    await this.#carrier.flushed();
    if (this.#carrier.isUp && count === this.#writer.connection) this.#askedAt = this.#clock.now();
  }

  #down(): void {
    this.#membership.forgetSilence();
    if (this.#state === 'joining') this.#askedAt = 0;
    this.#setConnected(false);
  }

  #setConnected(isConnected: boolean): void {
    if (this.#isConnected === isConnected) return;
    this.#isConnected = isConnected;
    this.#options.connected?.(isConnected);
  }

  #joined(member: Member): void {
    this.#answeredAt = this.#clock.now();
    this.#tell((receiver) => receiver.endpointJoined(member.endpoint));
  }

  #heard(bytes: Uint8Array, channel: number): void {
    if (this.#receiver === null) return;
    this.counters.messagesReceived++;
    this.counters.bytesReceived += bytes.length;
    try {
      if (this.#admission.isRefused(bytes, channel)) return;
      this.#dispatch(readEnvelope(bytes), channel);
    } catch (error) {
      if (error instanceof EnvelopeError) this.#admission.refuse('unreadable', error.from, error);
      else this.#logger.error(events['frame.handle-failed'], { error });
    }
  }

  #dispatch(envelope: Envelope, channel: number): void {
    const { kind, from } = envelope;
    // An earlier connection of this endpoint, still in the server when this one began.
    if (from === this.self) return;
    if (!this.#admission.isOfNow(envelope, channel)) return;
    if (kind === Kind.bye) {
      if (envelope.about === this.self) this.#evict(from, 'it was silent for too long');
      else this.#membership.bye(from, envelope.about);
      return;
    }
    if (kind === Kind.evicted) {
      this.#evict(from, 'it was silent for too long');
      return;
    }
    const member = this.#membership.heard(from);
    if (member === null) return;
    this.#admission.heard(member, envelope);
    if (kind === Kind.frame || kind === Kind.piece) this.#deliver(member, envelope);
    else {
      this.#otherReleases.heard(member, envelope.release);
      if ((envelope.flags & answerAtOnce) !== 0) this.#say(member.subject, this.#writer.heartbeat(0));
    }
  }

  #deliver(member: Member, envelope: Envelope): void {
    if (envelope.connection < member.connection) {
      this.counters.stale++;
      return;
    }
    member.connection = envelope.connection;
    if (envelope.kind === Kind.piece) {
      const whole = member.joiner.add(envelope);
      if (whole === 'dropped') this.counters.piecesDropped++;
      else if (whole !== 'more') this.#receiver?.received(member.endpoint, whole);
      return;
    }
    if (member.joiner.isOpen) {
      // The rest of the message before is lost.
      this.counters.piecesDropped++;
      member.joiner.drop();
    }
    this.#receiver?.received(member.endpoint, envelope.bytes);
  }

  #evict(by: string, why: string): void {
    if (this.#state === 'stopped' || this.#state === 'evicted') return;
    this.#logger.error(events['endpoint.evicted'], { by, why });
    this.#silence('evicted');
    this.#start.promise.catch(() => undefined);
    this.#start.reject(new NatsBackplaneError('evicted'));
    void this.#carrier.close();
    this.#setConnected(false);
    this.#options.evicted?.();
  }

  #silence(state: 'stopped' | 'evicted'): void {
    this.#state = state;
    this.#receiver = null;
    this.#life.stop();
    this.#cancelTimer();
  }

  /** Calls the receiver, whose exceptions must not end the connection. */
  #tell(what: (receiver: BackplaneReceiver) => void): void {
    const receiver = this.#receiver;
    if (receiver === null) return;
    try {
      what(receiver);
    } catch (error) {
      this.#logger.error(events['membership.handle-failed'], { error });
    }
  }
}
