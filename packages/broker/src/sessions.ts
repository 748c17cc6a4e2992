/**
 * The sessions of the clients connected to this worker: how they begin, move and end (MQTT 5 sections 3.1.2.11.2 and 4.1; ARCHITECTURE.md, section 7).
 */
import { ProtocolError, ReasonCode } from '@dunlin/protocol';
import type { Broker } from './broker.ts';
import { type Connection, ConnectionState } from './connection.ts';
import type { Claim, StoredSession } from './ports/store.ts';
import { Session, type SessionWill } from './session.ts';
import { removeSubscription, restoreSubscription } from './session-subscriptions.ts';
import { applyHanded, type HandedSession, handOver, outboundOf } from './takeover.ts';
import { willDelaySeconds, willPublication } from './will.ts';

export interface SessionRequest {
  clientId: string;
  cleanStart: boolean;
  expirySeconds: number;
  inflightMax: number;
  will: SessionWill | null;
}

export interface OpenedSession {
  session: Session;
  /** Session Present of CONNACK [MQTT-3.2.2-2]. */
  present: boolean;
  stored: StoredSession | null;
}

export class Sessions {
  private readonly broker: Broker;
  private readonly byClient = new Map<string, Session>();
  /** CONNECTs of one client identifier are worked off one after the other. */
  private readonly opening = new Map<string, Promise<unknown>>();

  constructor(broker: Broker) {
    this.broker = broker;
  }

  get count(): number {
    return this.byClient.size;
  }

  get(clientId: string): Session | undefined {
    return this.byClient.get(clientId);
  }

  all(): Iterable<Session> {
    return this.byClient.values();
  }

  /** Claims the client identifier, takes over from its owner, loads or creates the session. Null: the connection ended meanwhile. Rejects with StoreError. */
  async open(connection: Connection, request: SessionRequest): Promise<OpenedSession | null> {
    const { clientId } = request;
    for (let before = this.opening.get(clientId); before !== undefined; before = this.opening.get(clientId)) {
      await before.catch(() => {}); // its own caller hears of it
    }
    const opened = this.openNow(connection, request);
    this.opening.set(clientId, opened);
    try {
      return await opened;
    } finally {
      if (this.opening.get(clientId) === opened) this.opening.delete(clientId);
    }
  }

  private async openNow(connection: Connection, request: SessionRequest): Promise<OpenedSession | null> {
    const { broker } = this;
    const { clientId, cleanStart, expirySeconds } = request;
    const local = this.byClient.get(clientId);
    let handed = local === undefined ? null : this.letGo(local, cleanStart);
    const claim = await broker.store.claim(
      { clientId, owner: broker.self, cleanStart, sessionExpirySeconds: expirySeconds },
      broker.clock.now(),
    );
    if (local === undefined) handed = await this.takeFromOther(claim, clientId, cleanStart);
    if (claim.will !== null) broker.pendingWrites.add('publishing a will', broker.publishWill(claim.will.record));
    const session = new Session(connection, { clientId, epoch: claim.epoch }, expirySeconds, request.inflightMax);
    const stored = claim.session;
    if (stored !== null) {
      session.stored = true;
      if (handed !== null) await broker.store.update(session.key, applyHanded(stored, handed));
    }
    if (connection.state === ConnectionState.closed) {
      await this.releaseUnused(session);
      return null;
    }
    this.byClient.set(clientId, session);
    connection.session = session;
    if (stored !== null) this.restore(session, stored);
    await this.keepWill(session, request.will);
    if (broker.routes.hasPeers && stored !== null) await broker.routes.confirmed();
    return session.ended ? null : { session, present: stored !== null, stored };
  }

  private async takeFromOther(claim: Claim, clientId: string, cleanStart: boolean): Promise<HandedSession | null> {
    const { broker } = this;
    if (claim.previousOwner === '' || claim.previousOwner === broker.self) return null;
    broker.metrics.takeovers++;
    return broker.cluster.requestSession(claim.previousOwner, clientId, cleanStart);
  }

  private async releaseUnused(session: Session): Promise<void> {
    const now = this.broker.clock.now();
    await this.broker.store.release(session.key, { sessionExpirySeconds: session.expirySeconds }, now);
  }

  private restore(session: Session, stored: StoredSession): void {
    session.producerNumber = stored.producerNumber;
    for (const { packetId, producerNumber } of stored.inbound) session.inboundInflight.add(packetId, producerNumber);
    for (const subscription of stored.subscriptions) {
      const cursor = stored.cursors.find((known) => known.filter === subscription.filter) ?? null;
      restoreSubscription(this.broker, session, subscription, cursor);
    }
  }

  private async keepWill(session: Session, will: SessionWill | null): Promise<void> {
    session.will = will;
    if (will !== null) await this.broker.store.setWill(session.key, this.broker.self, will);
  }

  /** Ends a session here because its client connected anew, here or elsewhere [MQTT-3.1.4-3]. Returns what the new owner needs. */
  letGo(session: Session, cleanStart: boolean): HandedSession {
    const handed = handOver(session);
    const { will } = session;
    session.will = null;
    this.detach(session);
    // The will of a connection that is closed by the server is published [MQTT-3.1.2-8], unless it is delayed and the session goes on.
    if (will !== null && (cleanStart || will.delaySeconds === 0 || session.expirySeconds === 0)) {
      this.broker.pendingWrites.add('publishing a will', this.broker.publishWill(will.record));
    }
    session.connection.disconnect(ReasonCode.sessionTakenOver, 'another client connected with this client identifier');
    return handed;
  }

  /** The store has given the session to somebody else: it ends here without a word to the store. */
  abandon(session: Session): void {
    session.will = null;
    this.detach(session);
  }

  /** Takes the session out of everything local. Nothing is sent or written for it any more. */
  private detach(session: Session): void {
    if (session.ended) return;
    session.ended = true;
    if (this.byClient.get(session.clientId) === session) this.byClient.delete(session.clientId);
    for (const subscription of session.subscriptions.values()) removeSubscription(this.broker, subscription);
    this.redispatch(session);
  }

  /** The connection is gone: the session is written back, or ends with it. */
  close(session: Session): void {
    if (session.ended) return;
    const { broker } = this;
    const outbound = outboundOf(session);
    const cursors = session.cursors.map((cursor) => cursor.stored());
    this.detach(session);
    this.closeWill(session);
    const outboundDelete = [...session.outboundDeleted];
    const change = session.stored
      ? { sessionExpirySeconds: session.expirySeconds, cursors, outboundSet: outbound.filter((m) => !this.wasRedispatched(session, m.packetId)), outboundDelete }
      : { sessionExpirySeconds: 0 };
    broker.pendingWrites.add('writing a session back', broker.store.release(session.key, change, broker.clock.now()));
  }

  private closeWill(session: Session): void {
    const { will } = session;
    if (will === null) return;
    const { broker } = this;
    const delaySeconds = willDelaySeconds(session);
    if (delaySeconds === 0) {
      const published = broker.publishWill(will.record).then(() => broker.store.removeWill(session.clientId, session.key.epoch));
      broker.pendingWrites.add('publishing a will', published);
    } else {
      broker.pendingWrites.add(
        'keeping a will',
        broker.store.scheduleWill(session.key, broker.clock.now() + delaySeconds * 1000),
      );
    }
  }

  /** Messages of shared groups that this member leaves go to another (features D4). */
  private redispatch(session: Session): void {
    const { outbound, waiting } = session;
    if (outbound !== null) {
      for (const packetId of outbound.packetIdsInUse()) {
        const content = outbound.contentOf(packetId);
        if (content === null || content.member === null || outbound.stateOf(packetId) !== 1) continue;
        if (this.broker.redispatch(content.member, content.publication)) outbound.release(packetId);
      }
    }
    if (waiting === null) return;
    for (let message = waiting.shift(); message !== undefined; message = waiting.shift()) {
      if (message.subscription.filter.startsWith('$share/')) this.broker.redispatch(message.subscription, message.publication);
      else this.broker.metrics.dropped['session-ended']++;
    }
  }

  private wasRedispatched(session: Session, packetId: number): boolean {
    return session.outbound === null || session.outbound.stateOf(packetId) === 0;
  }

  /** A client asked for another expiry in DISCONNECT. Throws ProtocolError when it had none before [MQTT-3.14.2-2]. */
  changeExpiry(session: Session, expirySeconds: number): void {
    if (session.expirySeconds === 0 && expirySeconds > 0) {
      throw new ProtocolError(ReasonCode.protocolError, 'a session expiry in DISCONNECT where CONNECT had none', 'MQTT-3.14.2-2');
    }
    session.expirySeconds = Math.min(expirySeconds, this.broker.limits.sessionExpiryMaxSeconds);
  }
}
