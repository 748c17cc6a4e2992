/**
 * Connection of one client: bytes in, packets to their handlers, bytes out. The rules of each packet are in
 * handlers/<packet>.ts.
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
import type { ClientRates, RateQuotas } from '../guards/client-rates.ts';
import type { UnsignedClient } from '../guards/unsigned-clients.ts';
import type { InboundTopicAliases } from '../message/topic-alias.ts';
import { ConnectionState } from '../output/connection-state.ts';
import { Outlet, type OutletOwner, type OutletParts } from '../output/outlet.ts';
import type { Acceptance } from '../ports/authenticator.ts';
import { type CloseReason, closeReasonOf } from '../ports/close-reason.ts';
import type { Limits } from '../ports/limits.ts';
import { events } from '../ports/log-events.ts';
import type { Logger } from '../ports/logger.ts';
import type { Transport } from '../ports/transport.ts';
import type { Session, SessionConnection } from '../session/session.ts';
import type { TopicMatch } from '../subscriptions/topic-match.ts';
import type { TurnShare } from '../work/turn-share.ts';
import { earlyBytesCame, firstError, mayCarry, takeEarlyPacket } from './before-connack.ts';
import type { ClientLog } from './client-log.ts';
import { checkDeadlines } from './connection-deadlines.ts';
import { faulty, ruleBroken, tellEscaped } from './faults.ts';
import { Holding, type HoldingOwner } from './holding.ts';
import { InputEnd, type InputEndOwner } from './input-end.ts';
import type { KeepAlive, KeepAliveEntry } from './keep-alive.ts';
import { handlePacket, type PacketHandlers } from './packet-handlers.ts';
import { applyRates } from './rated-client.ts';
import { Reading, type ReadingOwner } from './reading.ts';
import { endWithdrawn, sendRefusal } from './send-refusal.ts';
import { SignIn, type SignInOwner } from './sign-in.ts';

/** Events of a connection that the broker is told. */
export interface ConnectionOwner {
  /** Called once. */
  closed(connection: Connection): void;
  /** The session belongs to another endpoint. */
  fenced(session: Session): void;
  /** The socket has taken everything: messages that waited for that may be sent. */
  drained(connection: Connection): void;
}

export interface ConnectionParts extends OutletParts {
  logger: Logger;
  limits: Limits;
  keepAlive: KeepAlive;
  rates: RateQuotas;
  clientLog: ClientLog;
  httpUrl: string;
  /** Publishes that are gathered; flushed before anything that must come after them. */
  publishBatch: { flush(): void };
  turnShare: TurnShare;
  handlers: PacketHandlers;
  owner: ConnectionOwner;
}

export class Connection
  implements
    PacketSink,
    HoldingOwner,
    InputEndOwner,
    KeepAliveEntry,
    OutletOwner,
    ReadingOwner,
    SignInOwner,
    SessionConnection
{
  readonly parts: ConnectionParts;
  readonly outlet: Outlet;
  readonly transport: Transport;
  readonly reading: Reading;
  readonly signIn: SignIn;
  readonly holding: Holding;
  readonly inputEnd: InputEnd;
  state: number = ConnectionState.new;
  version: ProtocolVersion = 4;
  version5 = false;
  /** A bridge of another broker, with MQTT 3: its subscriptions have No Local and Retain As Published. */
  isBridge = false;
  session: Session | null = null;
  /** Client identifier of CONNECT, or the assigned one; empty before. */
  clientId = '';
  inboundAliases: InboundTopicAliases | null = null;
  /** Counted until CONNACK; null: not any more. */
  unsigned: UnsignedClient | null = null;
  /** Match of the last topic published to: most clients stay with one. */
  lastMatch: TopicMatch | null = null;
  /** Match of the topic that this client may publish to with QoS 0, as the authorizer answered last. */
  allowedMatch: TopicMatch | null = null;
  keepAliveSeconds = 0;
  /** Reason under which its end is counted: the first one wins. */
  closeReason: CloseReason = 'connection-lost';
  /** Reason code of the DISCONNECT that ended it, from either side; also where the version has none. */
  closeCode = 0;
  /** Milliseconds since 1970. */
  connectedAt = Number.NaN;
  lastReceivedSecond: number;
  partialSinceSecond = 0;
  /** The same for a message of the transport, of which packets have not come yet. */
  carriedSinceSecond = 0;
  checkAtSecond = 0;
  /** Rates of the client; null: nothing is charged. */
  rates: ClientRates | null = null;
  /** A SUBSCRIBE or UNSUBSCRIBE in progress. */
  subscribing: Promise<void> | null = null;
  readonly decoder: Decoder;

  constructor(parts: ConnectionParts, transport: Transport) {
    this.parts = parts;
    this.transport = transport;
    this.outlet = new Outlet(parts, this, transport);
    this.reading = new Reading(this.outlet, transport, parts.limits, this);
    this.holding = new Holding(parts, this.reading, this);
    this.inputEnd = new InputEnd(this, parts.keepAlive);
    this.signIn = new SignIn(transport.remoteAddress, this);
    this.decoder = new Decoder(this, parts.limits.connectPacketBytesMax);
    this.lastReceivedSecond = parts.keepAlive.nowSecond;
    parts.keepAlive.watch(this, this.lastReceivedSecond + parts.limits.connectTimeoutSeconds);
  }

  /** Handles bytes from the client. */
  receive(chunk: Buffer): void {
    if (this.state === ConnectionState.closed) return;
    const { parts } = this;
    this.lastReceivedSecond = parts.keepAlive.nowSecond;
    parts.metrics.bytesReceived += chunk.length;
    parts.turn.renew();
    const publishes = parts.metrics.publishesReceived;
    const sent = parts.metrics.publishesSent;
    try {
      this.decoder.push(chunk);
      parts.publishBatch.flush();
    } catch (error) {
      this.failed(this.state === ConnectionState.new ? firstError(this, error, chunk) : error);
      return;
    }
    const received = parts.metrics.publishesReceived - publishes;
    if (this.rates !== null) this.rates.received(received, chunk.length);
    if (received > 0 && parts.turnShare.isUsedUp(this, received + parts.metrics.publishesSent - sent))
      this.reading.holdForTurn(parts.clock);
    const { partialBytes } = this.decoder;
    if (partialBytes === 0) this.partialSinceSecond = 0;
    // At most the bytes of this chunk are buffered: the packet begins in it, whatever was unfinished before.
    else if (partialBytes <= chunk.length) this.beginPartial();
    if (this.state !== ConnectionState.connected) earlyBytesCame(this);
    if (this.outlet.output.isCongested) this.reading.pauseIfUnread();
  }

  /** True from CONNACK on. */
  get isConnected(): boolean {
    return this.state === ConnectionState.connected;
  }

  /** Bytes that a transport has read in all, whose messages are larger than a chunk. False: the connection has ended. */
  carried(bytes: number): boolean {
    return this.state === ConnectionState.connected || mayCarry(this, bytes);
  }

  /** An error while packets are handled ends this connection alone, never the worker. */
  failed(error: unknown): void {
    try {
      this.parts.publishBatch.flush();
      if (error instanceof ProtocolError) ruleBroken(this, error);
      else faulty(this, events['packet.handle-failed'], error);
    } catch (second) {
      this.escaped(second);
    }
  }

  /** An error where none may occur: the connection is destroyed without an answer; all others stay. */
  escaped(error: unknown): void {
    tellEscaped(this, events['connection.aborted'], error);
    this.transport.destroy();
  }

  /** Sets the version of CONNECT, also of a refused one: the answer is in that version. */
  setVersion(version: ProtocolVersion): void {
    this.version = version;
    this.version5 = version === 5;
    this.outlet.version = version;
    this.outlet.version5 = this.version5;
    this.decoder.version = version;
  }

  /** The client has authenticated, at CONNECT or again. False: its credentials were revoked meanwhile. */
  admit(acceptance: Acceptance): boolean {
    this.allowedMatch = null;
    return this.signIn.admit(acceptance);
  }

  /** Ends a connection that has no session. */
  refuse(reasonCode: number, reason: string): void {
    sendRefusal(this, reasonCode, reason);
  }

  /** The client's credentials are not valid any more. */
  signInWithdrawn(reason: string): void {
    endWithdrawn(this, reason);
  }

  /** The client's silence counts from here: while its socket was not read, it could not be heard. */
  readingResumed(): void {
    this.lastReceivedSecond = this.parts.keepAlive.nowSecond;
    if (this.partialSinceSecond > 0) this.beginPartial();
    if (this.carriedSinceSecond > 0) this.carriesPartial(true);
  }

  /** A message of the transport has begun to come; false: it is complete. */
  carriesPartial(hasBegun: boolean): void {
    this.carriedSinceSecond = hasBegun ? this.parts.keepAlive.nowSecond : 0;
    if (hasBegun) this.watchPartial(this.carriedSinceSecond);
  }

  private beginPartial(): void {
    this.partialSinceSecond = this.lastReceivedSecond;
    this.watchPartial(this.partialSinceSecond);
  }

  private watchPartial(sinceSecond: number): void {
    const deadline = sinceSecond + this.parts.limits.partialPacketTimeoutSeconds;
    if (this.checkAtSecond > deadline || this.checkAtSecond === 0) this.parts.keepAlive.watch(this, deadline);
  }

  packet(header: number, bytes: Buffer, start: number, bodyStart: number, end: number): boolean {
    const type = header >> 4;
    const { session } = this;
    const { handlers } = this.parts;
    if (this.holding.isOn || session === null || this.state !== ConnectionState.connected)
      return this.heldOrEarly(type, bytes, start, bodyStart, end);
    if (type === PacketType.publish) {
      handlers.publish.handle(this, session, header, bytes, start, bodyStart, end);
      return this.state === ConnectionState.connected;
    }
    this.parts.publishBatch.flush();
    this.parts.metrics.packetsReceived[type]++;
    handlePacket(handlers, type, this, session, bytes, bodyStart, end);
    return this.state === ConnectionState.connected;
  }

  /** Apart from `packet`, which is inlined where it is small. */
  private heldOrEarly(type: number, bytes: Buffer, start: number, bodyStart: number, end: number): boolean {
    if (this.state === ConnectionState.closed) return false;
    if (this.state !== ConnectionState.connected)
      return takeEarlyPacket(this, this.parts.handlers, bytes, start, bodyStart, end);
    this.hold(type, bytes, start, end);
    return true;
  }

  /** Keeps a packet until the one that it stands behind has taken effect. */
  hold(type: number, bytes: Buffer, start: number, end: number): void {
    this.holding.add(bytes, start, end);
    if (type === PacketType.disconnect) this.inputEnd.reached();
  }

  /** CONNACK is in the output buffer. Packets of the client are held until `holding.goOn`. */
  connected(session: Session): void {
    this.session = session;
    this.outlet.clientId = session.clientId;
    this.state = ConnectionState.connected;
    this.rates = applyRates(this, this.parts.rates);
    this.decoder.maximumPacketSize = this.parts.limits.maximumPacketSizeBytes;
    this.unsigned?.leave();
    this.unsigned = null;
    this.connectedAt = this.parts.clock.now();
    this.holding.isOn = true;
    this.inputEnd.connected();
    this.parts.metrics.listener(this.transport.listener).connected[this.version]++;
  }

  /** All held packets have taken effect: then the end of the stream is handled, if it was reached. */
  heldThrough(): void {
    if (this.inputEnd.isOfStream) this.endAfterInput('connection-lost');
    else this.reading.resumeIfRoom();
  }

  /** True while a publish, a subscription, or a packet held behind them waits for its answer. */
  get owesAnswers(): boolean {
    // A client that has sent its last packet repeats nothing elsewhere: it is let through where others are refused.
    if (this.state !== ConnectionState.connected)
      return this.state !== ConnectionState.closed && this.inputEnd.sinceSecond > 0;
    return this.holding.isOn || (this.outlet.acknowledgements?.length ?? 0) > 0;
  }

  /** The transport has sent its buffered bytes. */
  drained(): void {
    this.outlet.drained();
    this.reading.resumeIfRoom();
    this.parts.owner.drained(this);
  }

  /** Ends the connection from our side; MQTT 5 clients get DISCONNECT [MQTT-3.14.0-1], with a server reference if given. */
  disconnect(code: number, reasonString = '', serverReference = '', closeReason = closeReasonOf(code)): void {
    if (this.state === ConnectionState.closed) return;
    this.closeReason = closeReason;
    this.closeCode = code;
    if (this.version5 && this.state === ConnectionState.connected) {
      const properties: Properties = reasonString === '' ? {} : { reasonString };
      if (serverReference !== '') properties.serverReference = serverReference;
      this.outlet.send({ type: 'disconnect', reasonCode: code, properties });
    }
    this.end();
  }

  /** Sends the output buffer and closes; the session ends as for any lost connection. */
  end(): void {
    if (this.state === ConnectionState.closed) return;
    this.outlet.output.flushNow();
    this.transport.end();
    this.closed();
  }

  /**
   * The client has sent DISCONNECT, or closed its side. A stored session is written back first: a client that sees the
   * connection closed finds the session as it left it, on whatever worker it connects next. Otherwise the close is
   * immediate: no unread bytes can turn it into a reset.
   */
  endAfterInput(reason: CloseReason): void {
    if (this.state === ConnectionState.closed) return;
    this.closeReason = reason;
    this.outlet.output.flushNow();
    if (this.session?.isStored !== true) {
      if (this.transport.pendingBytes === 0) this.transport.destroy();
      else this.transport.end();
    }
    this.closed();
  }

  quotaExceeded(): void {
    // Later: the lists of subscribers must not change while a message is delivered to them.
    this.parts.clock.nextTurn(() => this.disconnect(ReasonCode.quotaExceeded, 'the queue of the session is full'));
  }

  get remoteAddress(): string {
    return this.transport.remoteAddress;
  }

  /** The session is written back: the client may see the end. */
  released(): void {
    this.transport.end();
  }

  /** Another endpoint owns the session now: nothing may be written back. */
  fenced(): void {
    if (this.holding.claimMoved) return; // it is handed over when earlier packets have taken effect
    if (this.session !== null) this.parts.owner.fenced(this.session);
    this.disconnect(ReasonCode.sessionTakenOver);
  }

  /** The transport is closed, by either side. */
  transportClosed(error?: Error): void {
    this.inputEnd.transportClosed(error);
  }

  /** The client has closed its side, and may still read. False: nothing is pending, and the connection has ended. */
  streamEnded(): boolean {
    return this.inputEnd.streamEnded();
  }

  /** Ends the connection. Called once; later calls do nothing. */
  closed(_error?: Error): void {
    if (this.state === ConnectionState.closed) return;
    const listener = this.parts.metrics.listener(this.transport.listener);
    if (this.state === ConnectionState.connected) {
      listener.connected[this.version]--;
      this.parts.clientLog.disconnected(this, this.parts.clock.now() - this.connectedAt);
    }
    listener.closed[this.closeReason]++;
    this.state = ConnectionState.closed;
    this.rates?.end();
    this.outlet.acknowledgements?.abandon();
    this.outlet.output.close();
    this.holding.giveUp(this.session?.clientId ?? '', this.transport.remoteAddress, this.closeReason);
    this.parts.keepAlive.forget(this);
    this.unsigned?.leave();
    this.signIn.end();
    this.parts.owner.closed(this);
    this.outlet.wakeRoom();
    this.holding.wakeSettled();
  }

  /** Called at `checkAtSecond`. Returns the second of the next check; 0: never. */
  checkDeadline(nowSecond: number): number {
    return checkDeadlines(this, nowSecond);
  }
}
