/**
 * One client's connection: bytes in, packets to their handlers, bytes out. The rules of each packet are in handlers/<packet>.ts.
 *
 * ```
 *   new ── CONNECT ──> connecting ── CONNACK ──> connected ──> closed
 *                      (packets that come already are held, MQTT 5 section 3.1.4)
 * ```
 */
import {
  Decoder,
  type PacketSink,
  PacketType,
  type Properties,
  ProtocolError,
  type ProtocolVersion,
  ReasonCode,
} from '@dunlin/protocol';
import type { InboundTopicAliases } from '../message/topic-alias.ts';
import { ConnectionState } from '../output/connection-state.ts';
import { Outlet, type OutletOwner, type OutletParts } from '../output/outlet.ts';
import type { Acceptance } from '../ports/authenticator.ts';
import type { ClientIdentity } from '../ports/authorizer.ts';
import { type CloseReason, closeReasonOf } from '../ports/close-reason.ts';
import type { Limits } from '../ports/limits.ts';
import type { Logger } from '../ports/logger.ts';
import type { Transport } from '../ports/transport.ts';
import type { Session, SessionConnection } from '../session/session.ts';
import type { TopicMatch } from '../subscriptions/topic-match.ts';
import { type ClientLog, hex } from './client-log.ts';
import { checkDeadlines, lastWordDeadlineSecond } from './connection-deadlines.ts';
import { type HeldPacket, HeldPackets } from './held-packets.ts';
import type { KeepAlive, KeepAliveEntry } from './keep-alive.ts';
import { firstPacketError } from './other-protocol.ts';
import { refuseConnect, sendRefusal } from './refuse-connect.ts';

/** Packets behind something that is waited for are held up to this; then the socket is not read. */
const heldBytesMax = 64 * 1024;

/** Handles one kind of packet of a client that is connected. Throws ProtocolError for what ends the connection. */
export interface SessionPacketHandler {
  handle(connection: Connection, session: Session, bytes: Buffer, bodyStart: number, end: number): void;
}

/** The same, also before there is a session. */
export interface PacketHandler {
  handle(connection: Connection, bytes: Buffer, bodyStart: number, end: number): void;
}

export interface PublishPacketHandler {
  handle(
    connection: Connection,
    session: Session,
    header: number,
    bytes: Buffer,
    start: number,
    bodyStart: number,
    end: number,
  ): void;
}

/** Whoever handles each kind of packet (handlers/). */
export interface PacketHandlers {
  connect: PacketHandler;
  auth: PacketHandler;
  publish: PublishPacketHandler;
  puback: SessionPacketHandler;
  pubrec: SessionPacketHandler;
  pubrel: SessionPacketHandler;
  pubcomp: SessionPacketHandler;
  pingreq: SessionPacketHandler;
  subscribe: SessionPacketHandler;
  unsubscribe: SessionPacketHandler;
  disconnect: SessionPacketHandler;
}

/** What a connection tells whoever holds all of them. */
export interface ConnectionOwner {
  /** Called once. */
  closed(connection: Connection): void;
  /** The session belongs to another endpoint. */
  fenced(session: Session): void;
}

export interface ConnectionParts extends OutletParts {
  logger: Logger;
  limits: Limits;
  keepAlive: KeepAlive;
  clientLog: ClientLog;
  httpUrl: string;
  /** Publishes that are gathered; they are handed over before anything that must come after them. */
  run: { flush(): void };
  handlers: PacketHandlers;
  owner: ConnectionOwner;
}

/** The store refuses these of a session that is another's: subscriptions, and QoS 2, whose identifiers it keeps. Their sender has no answer, and asks again. */
function changesStoredSession(header: number): boolean {
  const type = header >> 4;
  if (type === PacketType.publish) return (header & 0x06) === 4;
  return type === PacketType.subscribe || type === PacketType.unsubscribe;
}

export class Connection implements PacketSink, KeepAliveEntry, OutletOwner, SessionConnection {
  readonly parts: ConnectionParts;
  readonly outlet: Outlet;
  readonly transport: Transport;
  state: number = ConnectionState.new;
  version: ProtocolVersion = 4;
  version5 = false;
  /** Of another broker, and of MQTT 3: its subscriptions are without its own messages, and RETAIN is as it was published. */
  isBridge = false;
  session: Session | null = null;
  /** As it says at CONNECT, or as we named it; empty before. */
  clientId = '';
  inboundAliases: InboundTopicAliases | null = null;
  /** The last topic published to: most clients stay with one. */
  lastMatch: TopicMatch | null = null;
  /** The topic that this client may publish to with QoS 0, as the authorizer said last. */
  allowedMatch: TopicMatch | null = null;
  userName: string | null = null;
  /** What it was let in with. */
  acceptance: Acceptance | null = null;
  private client: ClientIdentity | null = null;
  authenticationMethod: string | null = null;
  keepAliveSeconds = 0;
  /** What it is counted under when it ends: set by whatever ends it first. */
  closeReason: CloseReason = 'connection-lost';
  /** Of the DISCONNECT that ended it, whoever sent it, or would have where the version has none. */
  closeCode = 0;
  /** Milliseconds since 1970. */
  private connectedAt = Number.NaN;
  lastReceivedSecond: number;
  partialSinceSecond = 0;
  checkAtSecond = 0;
  /** A SUBSCRIBE or UNSUBSCRIBE that is being worked off. */
  subscribing: Promise<void> | null = null;
  private readonly decoder: Decoder;
  /** Null: there was never any. */
  private held: HeldPackets | null = null;
  private paused = false;
  /** Not read to its end, since it is to be sent away. */
  private leaving = false;
  /** Connected, but what the client sends is held until something is through: the resends of a CONNECT, a SUBSCRIBE, or an answer (`holdFor`). */
  private holding = false;
  /** The client has said its last, by DISCONNECT or by closing, and packets before that still have to take effect: since this second; 0: it has not. */
  lastWordSecond = 0;
  /** What was read has begun to take effect: what is held for from then on is a packet. */
  private hasBegun = false;
  /** A PUBLISH that waits for an answer. */
  private isAsking = false;
  /** The session is another's in the store: what would change it there cannot take effect any more. */
  private claimMoved = false;
  /** Packets that were passed over for that. */
  private passedOver = 0;
  /** Told when nothing waits any more, or the connection has ended. */
  private settledWaiters: (() => void)[] | null = null;
  /** The client has closed its side; what came before that is worked off. */
  private streamHasEnded = false;
  /** It can be sent nothing any more. */
  private transportGone = false;
  /** Links that this client's publishes have filled: it is not read while there is one (cluster/link.ts). */
  private fullLinks = 0;
  private authenticationWaiter: ((data: Buffer | null) => void) | null = null;

  constructor(parts: ConnectionParts, transport: Transport) {
    this.parts = parts;
    this.transport = transport;
    this.outlet = new Outlet(parts, this, transport);
    this.decoder = new Decoder(this, parts.limits.maximumPacketSizeBytes);
    this.lastReceivedSecond = parts.keepAlive.nowSecond;
    parts.keepAlive.watch(this, this.lastReceivedSecond + parts.limits.connectTimeoutSeconds);
  }

  /** Bytes from the client. */
  receive(chunk: Buffer): void {
    if (this.state === ConnectionState.closed) return;
    const { parts } = this;
    this.lastReceivedSecond = parts.keepAlive.nowSecond;
    parts.metrics.bytesReceived += chunk.length;
    parts.turn.renew();
    try {
      this.decoder.push(chunk);
      parts.run.flush();
    } catch (error) {
      this.failed(this.state === ConnectionState.new ? firstPacketError(error, chunk, parts.httpUrl) : error);
      return;
    }
    const { partialBytes } = this.decoder;
    if (partialBytes === 0) this.partialSinceSecond = 0;
    // No more is held than came with this chunk: the packet begins in it, whatever was unfinished before.
    else if (partialBytes <= chunk.length) this.beginPartial();
    if (this.outlet.outbox.congested) this.pauseUnread();
  }

  /** What was thrown while packets were handled ends this connection alone, never the worker. */
  private failed(error: unknown): void {
    try {
      this.parts.run.flush();
      if (error instanceof ProtocolError) {
        this.protocolError(error);
        return;
      }
      this.faulty('a packet could not be handled', error);
    } catch (second) {
      this.escaped(second);
    }
  }

  /** A fault of this broker, and none of the client's or of the store's: the client is told so, and goes. */
  faulty(message: string, error: unknown): void {
    this.tellEscaped(message, error);
    if (this.state === ConnectionState.connecting) sendRefusal(this, ReasonCode.unspecifiedError, '');
    else this.disconnect(ReasonCode.unspecifiedError);
  }

  /** Something was thrown on a way on which nothing may be: the client cannot be told any more, and goes; everybody else stays. */
  escaped(error: unknown): void {
    this.tellEscaped('a connection was given up', error);
    this.transport.destroy();
  }

  private tellEscaped(message: string, error: unknown): void {
    this.parts.metrics.errorsEscaped++;
    this.parts.logger.error(message, {
      client: this.session?.clientId ?? '',
      address: this.transport.remoteAddress,
      error,
    });
  }

  /**
   * A client that sends and does not read makes answers grow in our memory. QoS 0 messages stop at `outboxBytesMax`; at twice that its
   * own packets, which are what the rest is an answer to, are not read either until the socket has drained (P7).
   */
  private pauseUnread(): void {
    if (this.outlet.outbox.pendingBytes > 2 * this.parts.limits.outboxBytesMax) this.pauseReading();
  }

  /** Told by CONNECT, also by one that is refused: the answer is in the same dialect. */
  setVersion(version: ProtocolVersion): void {
    this.version = version;
    this.version5 = version === 5;
    this.outlet.version = version;
    this.outlet.version5 = this.version5;
    this.decoder.version = version;
  }

  /** For the authorizer. */
  identity(clientId: string): ClientIdentity {
    this.client ??= {
      clientId,
      userName: this.userName,
      remoteAddress: this.transport.remoteAddress,
      rules: this.acceptance?.rules,
      notes: undefined,
    };
    return this.client;
  }

  /** The client has proved who it is, at CONNECT or again. False: what that rests on was withdrawn meanwhile. */
  admit(acceptance: Acceptance): boolean {
    this.acceptance?.permit?.release();
    this.acceptance = acceptance;
    this.userName = acceptance.userName;
    this.client = null;
    this.allowedMatch = null;
    const { permit } = acceptance;
    if (permit === undefined) return true;
    if (permit.isWithdrawn || this.state === ConnectionState.closed) {
      permit.release();
      return false;
    }
    permit.withdrawn = (reason) => {
      if (this.state === ConnectionState.connected) this.disconnect(ReasonCode.notAuthorized, reason);
      else refuseConnect(this, ReasonCode.notAuthorized, reason);
    };
    return true;
  }

  private beginPartial(): void {
    this.partialSinceSecond = this.lastReceivedSecond;
    const deadline = this.lastReceivedSecond + this.parts.limits.partialPacketTimeoutSeconds;
    if (this.checkAtSecond > deadline || this.checkAtSecond === 0) this.parts.keepAlive.watch(this, deadline);
  }

  // The order of the cases is that of their frequency. Longer than a screen, since it is a table.
  packet(header: number, bytes: Buffer, start: number, bodyStart: number, end: number): boolean {
    const type = header >> 4;
    const { session } = this;
    const { handlers } = this.parts;
    if (this.holding || session === null || this.state !== ConnectionState.connected) {
      return this.packetBeforeConnected(type, header, bytes, start, bodyStart, end);
    }
    if (type === PacketType.publish) {
      handlers.publish.handle(this, session, header, bytes, start, bodyStart, end);
      return this.state === ConnectionState.connected;
    }
    this.parts.run.flush();
    this.parts.metrics.packetsReceived[type]++;
    switch (type) {
      case PacketType.puback:
        handlers.puback.handle(this, session, bytes, bodyStart, end);
        break;
      case PacketType.pubrec:
        handlers.pubrec.handle(this, session, bytes, bodyStart, end);
        break;
      case PacketType.pubrel:
        handlers.pubrel.handle(this, session, bytes, bodyStart, end);
        break;
      case PacketType.pubcomp:
        handlers.pubcomp.handle(this, session, bytes, bodyStart, end);
        break;
      case PacketType.pingreq:
        handlers.pingreq.handle(this, session, bytes, bodyStart, end);
        break;
      case PacketType.subscribe:
        handlers.subscribe.handle(this, session, bytes, bodyStart, end);
        break;
      case PacketType.unsubscribe:
        handlers.unsubscribe.handle(this, session, bytes, bodyStart, end);
        break;
      case PacketType.disconnect:
        handlers.disconnect.handle(this, session, bytes, bodyStart, end);
        break;
      case PacketType.auth:
        handlers.auth.handle(this, bytes, bodyStart, end);
        break;
      default:
        // A second CONNECT [MQTT-3.1.0-2], or a packet that only servers send.
        throw new ProtocolError(ReasonCode.protocolError, `packet type ${type} is not allowed here`, 'MQTT-3.1.0-2');
    }
    return this.state === ConnectionState.connected;
  }

  private packetBeforeConnected(
    type: number,
    header: number,
    bytes: Buffer,
    start: number,
    bodyStart: number,
    end: number,
  ): boolean {
    if (this.state === ConnectionState.closed) return false;
    if (this.state === ConnectionState.new) {
      // The first packet must be CONNECT [MQTT-3.1.0-1].
      if (type !== PacketType.connect) {
        const error = new ProtocolError(ReasonCode.protocolError, 'the first packet is not CONNECT', 'MQTT-3.1.0-1');
        throw firstPacketError(error, bytes.subarray(start, end), this.parts.httpUrl);
      }
      this.state = ConnectionState.connecting;
      this.parts.metrics.packetsReceived[type]++;
      this.parts.handlers.connect.handle(this, bytes, bodyStart, end);
      return true;
    }
    if (type === PacketType.auth && !this.holding) {
      this.parts.metrics.packetsReceived[type]++;
      this.parts.handlers.auth.handle(this, bytes, bodyStart, end);
      return true;
    }
    this.held ??= new HeldPackets();
    this.held.add(header, bytes, start, bodyStart, end);
    if (this.held.bytes > heldBytesMax) this.pauseReading();
    if (type === PacketType.disconnect) this.lastWordCame();
    return true;
  }

  /** CONNACK is in the outbox. What the client sends is held until `goOn`. */
  connected(session: Session): void {
    this.session = session;
    this.outlet.clientId = session.clientId;
    this.state = ConnectionState.connected;
    this.connectedAt = this.parts.clock.now();
    this.holding = true;
    if (this.lastWordSecond > 0) this.lastWordSecond = Math.max(this.parts.keepAlive.nowSecond, 1); // the time of CONNECT was its own
    this.parts.metrics.listener(this.transport.listener).connected[this.version]++;
  }

  /** What was held takes effect now, in its order, up to a packet that must be waited for in its turn; then the end of the stream, if it was reached. */
  goOn(): void {
    if (this.state !== ConnectionState.connected) return;
    this.holding = false;
    this.hasBegun = true;
    if (this.held !== null && this.held.length > 0 && !this.replay(this.held)) {
      if (this.paused && this.holding) this.resumeIfRoom(); // what comes may go with what waits
      return;
    }
    if (this.streamHasEnded) this.endAfterLastWord('connection-lost');
    else if (this.paused) this.resumeIfRoom();
    this.wakeSettled();
  }

  /**
   * Its client has connected anew: nothing more is read, and what was read takes effect before the session goes. Resolves when it has, or the connection has ended;
   * null: nothing waits. `claimMoved`: the store knows the new owner already.
   */
  settle(claimMoved: boolean): Promise<void> | null {
    this.claimMoved ||= claimMoved;
    if (!this.holding || !(this.hasBegun || (this.held !== null && this.held.length > 0))) return null;
    this.stopReading();
    this.settledWaiters ??= [];
    const waiters = this.settledWaiters;
    return new Promise((resolve) => waiters.push(resolve));
  }

  private wakeSettled(): void {
    const waiters = this.settledWaiters;
    if (waiters === null || (this.state !== ConnectionState.closed && this.owesAnswers)) return;
    this.settledWaiters = null;
    for (const wake of waiters) wake();
  }

  /** False: something has to be waited for again, or the connection has ended. */
  private replay(held: HeldPackets): boolean {
    this.parts.turn.renew();
    try {
      for (let packet = held.shift(); packet !== undefined; packet = held.shift()) {
        if (this.claimMoved && this.session?.stored === true && changesStoredSession(packet.header)) {
          this.passedOver++;
          continue;
        }
        const goesOn = this.packet(packet.header, packet.bytes, 0, packet.bodyStart, packet.bytes.length);
        this.parts.run.flush();
        if (!goesOn || this.holding) return false;
      }
      return true;
    } catch (error) {
      this.failed(error);
      return false;
    }
  }

  /** The body of the next packet that is held, if it is of this type: such packets may be worked off together. `takeHeld` takes it away. */
  nextHeld(type: number): HeldPacket | null {
    const next = this.held?.first;
    return next !== undefined && next.header >> 4 === type ? next : null;
  }

  takeHeld(): void {
    const taken = this.held?.shift();
    if (taken !== undefined) this.parts.metrics.packetsReceived[taken.header >> 4]++;
  }

  private pauseReading(): void {
    if (this.paused) return;
    this.paused = true;
    this.transport.pause();
  }

  private resumeReading(): void {
    if (!this.paused) return;
    this.paused = false;
    // What it sent meanwhile was not read: silence is counted from here.
    this.lastReceivedSecond = this.parts.keepAlive.nowSecond;
    if (this.partialSinceSecond > 0) this.beginPartial();
    this.transport.resume();
  }

  /** Nothing that the client sends later takes effect before this is through; it does not reject. */
  holdUntil(done: Promise<void>): void {
    this.holding = true;
    void done.then(() => this.goOn());
  }

  /** Waits for an answer before anything that the client sends later is handled; refused means no. */
  holdFor(answer: Promise<boolean>, then: (allowed: boolean) => void): void {
    this.holding = true;
    this.isAsking = true;
    const answered = (allowed: boolean): void => {
      if (this.state !== ConnectionState.connected) return;
      this.isAsking = false;
      try {
        then(allowed);
      } catch (error) {
        this.failed(error);
        return;
      }
      this.goOn();
    };
    answer.then(answered, () => answered(false));
  }

  /** Acknowledgements that wait for the store or for others: above the window the socket is not read. */
  acknowledgementPending(): void {
    if (this.outlet.acknowledgements !== null && this.outlet.acknowledgements.length > this.parts.limits.receiveMaximum)
      this.pauseReading();
  }

  acknowledgementsSent(): void {
    if (this.settledWaiters !== null) this.wakeSettled();
    if (this.paused) this.resumeIfRoom();
  }

  holdForLink(): void {
    this.fullLinks++;
    this.pauseReading();
  }

  releaseFromLink(): void {
    this.fullLinks--;
    if (this.paused && this.state !== ConnectionState.closed) this.resumeIfRoom();
  }

  /** What the client sends from now on is not read any more. */
  stopReading(): void {
    this.leaving = true;
    this.pauseReading();
  }

  /** The socket is not read, and not since the client does not read either: that nothing comes says nothing about the client. */
  get isHeldBack(): boolean {
    return this.paused && this.outlet.outbox.pendingBytes <= 2 * this.parts.limits.outboxBytesMax;
  }

  /** Something that came from the client waits for its answer: a publish, a subscription, or what is kept behind them. */
  get owesAnswers(): boolean {
    // Who has said its last sends nothing again elsewhere: it is let through, where others are refused.
    if (this.state !== ConnectionState.connected)
      return this.state !== ConnectionState.closed && this.lastWordSecond > 0;
    return this.holding || (this.outlet.acknowledgements?.length ?? 0) > 0;
  }

  /** Reading stops for several reasons; it goes on when none of them is left. */
  private resumeIfRoom(): void {
    if (this.leaving || this.fullLinks > 0) return;
    if (this.held !== null && this.held.bytes > heldBytesMax) return;
    if (this.outlet.outbox.congested && this.outlet.outbox.pendingBytes > 2 * this.parts.limits.outboxBytesMax) return;
    if ((this.outlet.acknowledgements?.length ?? 0) <= this.parts.limits.receiveMaximum / 2) this.resumeReading();
  }

  /** The transport has sent what it held. */
  drained(): void {
    this.outlet.outbox.congested = false;
    if (this.paused) this.resumeIfRoom();
    this.outlet.wakeRoom();
  }

  /** Resolves to the data of the client's next AUTH; null: the connection ended. */
  nextAuthenticationData(): Promise<Buffer | null> {
    this.authenticationDataCame(null);
    return new Promise((resolve) => {
      this.authenticationWaiter = resolve;
    });
  }

  /** False: nobody waits for it. */
  authenticationDataCame(data: Buffer | null): boolean {
    const waiter = this.authenticationWaiter;
    this.authenticationWaiter = null;
    if (waiter === null) return false;
    waiter(data);
    return true;
  }

  /** The client broke a rule: told why if its version has words for it, then closed [MQTT-4.13.1-1]. */
  protocolError(error: ProtocolError): void {
    this.parts.metrics.protocolErrors++;
    const { message, reasonCode, statement } = error;
    this.parts.clientLog.refusedTo(this, 'protocol error', { error: message, code: hex(reasonCode), statement });
    if (this.state === ConnectionState.connected) this.disconnect(reasonCode, message);
    else sendRefusal(this, reasonCode, message);
  }

  /** Ends the connection from our side. MQTT 5 clients get DISCONNECT with the reason code [MQTT-3.14.0-1], and where else to go if that is given. */
  disconnect(reasonCode: number, reasonString = '', serverReference = ''): void {
    if (this.state === ConnectionState.closed) return;
    this.closeReason = closeReasonOf(reasonCode);
    this.closeCode = reasonCode;
    if (this.version5 && this.state === ConnectionState.connected) {
      const properties: Properties = reasonString === '' ? {} : { reasonString };
      if (serverReference !== '') properties.serverReference = serverReference;
      this.outlet.send({ type: 'disconnect', reasonCode, properties });
    }
    this.end();
  }

  /** Sends what is gathered and closes; the session ends as for any lost connection. */
  end(): void {
    if (this.state === ConnectionState.closed) return;
    this.outlet.outbox.flushNow();
    this.transport.end();
    this.closed();
  }

  /**
   * The client has said that it goes. A stored session is written back first: a client that sees the connection closed finds it as it left it, on whatever
   * worker it connects next. Otherwise the close is at once: nothing unread can turn it into a reset.
   */
  endAfterDisconnect(): void {
    this.endAfterLastWord('client-disconnect');
  }

  private endAfterLastWord(reason: CloseReason): void {
    if (this.state === ConnectionState.closed) return;
    this.closeReason = reason;
    this.outlet.outbox.flushNow();
    if (this.session?.stored !== true) {
      if (this.transport.pendingBytes === 0) this.transport.destroy();
      else this.transport.end();
    }
    this.closed();
  }

  quotaExceeded(): void {
    // Not now: the lists of subscribers must not change while a message goes through them.
    this.parts.clock.nextTurn(() => this.disconnect(ReasonCode.quotaExceeded, 'the queue of the session is full'));
  }

  get remoteAddress(): string {
    return this.transport.remoteAddress;
  }

  /** The session is written back: the client may see its end. */
  released(): void {
    this.transport.end();
  }

  /** Another endpoint owns the session now: nothing may be written back. */
  fenced(): void {
    if (this.claimMoved) return; // it is handed over when what was read before has taken effect
    if (this.session !== null) this.parts.owner.fenced(this.session);
    this.disconnect(ReasonCode.sessionTakenOver);
  }

  /**
   * The transport is closed, by whomever. A client that has sent everything and then closed (FIN, not a reset) has done all it must: what stands before the end
   * takes effect first, within a bound (connection-deadlines.ts), although no answer can be sent any more (MQTT 5 section 3.1.4: nobody need wait for CONNACK).
   */
  transportClosed(error?: Error): void {
    if (this.state === ConnectionState.closed || this.transportGone) return;
    if (error !== undefined || !this.hasWaiting) {
      this.closed(error);
      return;
    }
    this.transportGone = true;
    this.streamHasEnded = true;
    this.drained(); // there is nobody to wait for any more
    this.lastWordCame();
  }

  private get hasWaiting(): boolean {
    return this.holding || (this.state === ConnectionState.connecting && this.held !== null);
  }

  /**
   * The client has closed its side and may still read: it is answered, and its connection closed when what it sent has taken effect, so that it finds that so
   * when it connects anew. False: nothing is waited for.
   */
  streamEnded(): boolean {
    if (this.state === ConnectionState.closed) return false;
    if (!this.hasWaiting) {
      this.end();
      return false;
    }
    this.streamHasEnded = true;
    this.lastWordCame();
    return true;
  }

  /** It says no more, and what it said waits: for a bounded time. */
  private lastWordCame(): void {
    if (this.lastWordSecond > 0) return;
    const { keepAlive } = this.parts;
    this.lastWordSecond = Math.max(keepAlive.nowSecond, 1);
    // Before CONNACK the deadline of CONNECT stands already.
    if (this.state === ConnectionState.connected) keepAlive.watch(this, lastWordDeadlineSecond(this));
  }

  /** Packets that were read and never took effect, since the connection ended before their turn came. */
  private giveUpHeld(): void {
    const { held } = this;
    this.held = null;
    const packets = (held?.length ?? 0) + this.passedOver + (this.isAsking ? 1 : 0);
    if (packets === 0) return;
    this.parts.metrics.packetsGivenUp += packets;
    this.parts.logger.warn('packets of a client were given up: its connection ended before their turn came', {
      client: this.session?.clientId ?? '',
      address: this.transport.remoteAddress,
      reason: this.closeReason,
      packets,
      bytes: held?.bytes ?? 0,
    });
  }

  /** The connection is over. Called once; later calls do nothing. */
  closed(_error?: Error): void {
    if (this.state === ConnectionState.closed) return;
    const listener = this.parts.metrics.listener(this.transport.listener);
    if (this.state === ConnectionState.connected) {
      listener.connected[this.version]--;
      this.parts.clientLog.disconnected(this, this.parts.clock.now() - this.connectedAt);
    }
    listener.closed[this.closeReason]++;
    this.state = ConnectionState.closed;
    this.outlet.acknowledgements?.abandon();
    this.outlet.outbox.close();
    this.giveUpHeld();
    this.parts.keepAlive.forget(this);
    this.acceptance?.permit?.release();
    this.parts.owner.closed(this);
    this.authenticationDataCame(null);
    this.outlet.wakeRoom();
    this.wakeSettled();
  }

  /** Called at `checkAtSecond`. Returns when to look again; 0: never. */
  checkDeadline(nowSecond: number): number {
    return checkDeadlines(this, nowSecond);
  }
}
