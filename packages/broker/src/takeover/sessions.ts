/**
 * The sessions of the clients connected to this worker: how they begin, move and end (MQTT 5 sections 3.1.2.11.2 and 4.1; ARCHITECTURE.md, section 7).
 */

import { ProtocolError, ReasonCode } from '@dunlin/protocol';
import type { Cluster } from '../cluster/cluster.ts';
import type { FatalMessages } from '../delivery/fatal-messages.ts';
import { willDelaySeconds } from '../delivery/will.ts';
import { ConnectionState } from '../output/connection-state.ts';
import type { Limits } from '../ports/limits.ts';
import type { Logger } from '../ports/logger.ts';
import { type Claim, type StoredSession, type StoredWill, StoreError } from '../ports/store.ts';
import { InflightState } from '../session/inflight.ts';
import { Session, type SessionConnection, type SessionWill } from '../session/session.ts';
import type { SessionWriter } from '../session/session-writer.ts';
import { applyHanded, type HandedSession, handOver } from '../session/takeover.ts';
import { releaseInSlices, updateInSlices } from '../session/update-in-slices.ts';
import type { LeaseState } from '../work/lease-state.ts';
import type { StoreTrust } from '../work/store-trust.ts';
import type { ContestedIdentifiers } from './contested-identifiers.ts';
import { Opening } from './opening.ts';
import { handMilliseconds, sentBefore } from './sent-before.ts';
import { type InForceParts, putInForce, takeOutOfForce } from './session-in-force.ts';
import { endServed, type ServedSubscriptions, servedOf } from './session-subscriptions.ts';
import { UnclaimedSessions } from './unclaimed-sessions.ts';
import { isDueAtTakeover, isToPublish, WillsUnderWay } from './wills-under-way.ts';
import { WrittenSessions } from './written-sessions.ts';

export interface SessionRequest {
  clientId: string;
  /** Of the client, for the log. */
  address: string;
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

/** Stands for a claim that every other gives way to: the store, which orders claims, cannot be asked. */
const epochUnknown = Number.MAX_SAFE_INTEGER;

const takenOverReason = 'another client connected with this client identifier';

/** A connection whose CONNECT is worked off. */
export interface OpeningConnection extends SessionConnection {
  readonly state: number;
  session: Session | null;
}

export interface SessionsParts extends InForceParts {
  logger: Logger;
  limits: Limits;
  lease: LeaseState;
  trust: StoreTrust;
  cluster: Cluster;
  writer: SessionWriter;
  contested: ContestedIdentifiers;
  fatalMessages: FatalMessages;
  publishWill: (record: Uint8Array) => Promise<void>;
}

export class Sessions {
  private readonly parts: SessionsParts;
  private readonly byClient = new Map<string, Session>();
  /** CONNECTs of one client identifier are worked off one after the other. */
  private readonly opening = new Map<string, Opening>();
  private readonly written: WrittenSessions;
  private readonly unclaimed: UnclaimedSessions;
  private readonly wills: WillsUnderWay;

  constructor(parts: SessionsParts) {
    this.parts = parts;
    this.unclaimed = new UnclaimedSessions(parts);
    const { clock, logger, pendingWrites, metrics } = parts;
    this.wills = new WillsUnderWay(clock, logger, pendingWrites, metrics, parts.publishWill);
    this.written = new WrittenSessions(parts.clock);
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

  /**
   * Claims the client identifier, takes over from its owner, loads or creates the session. `welcome` is called when the session is there and before
   * any message can reach it: it puts CONNACK into the output buffer, which is sent when everything is in force. Null: the connection ended meanwhile.
   * Rejects with StoreError.
   */
  async open(
    connection: OpeningConnection,
    request: SessionRequest,
    welcome: (opened: OpenedSession) => void,
  ): Promise<OpenedSession | null> {
    const { clientId } = request;
    for (let before = this.opening.get(clientId); before !== undefined; before = this.opening.get(clientId))
      await before.done;
    if (connection.state === ConnectionState.closed) return null;
    const opening = new Opening();
    this.opening.set(clientId, opening);
    const opened = this.openNow(connection, request, opening, welcome);
    opening.done = opened.then(
      () => this.openingDone(clientId, opening),
      () => this.openingDone(clientId, opening), // its caller hears of the error
    );
    const result = await opened;
    if (result === null) return null;
    const { routes } = this.parts;
    if (routes.hasPeers && result.stored !== null) await routes.confirmed();
    connection.outlet.output.uncork();
    return result.session.ended ? null : result;
  }

  private openingDone(clientId: string, opening: Opening): void {
    opening.isDone = true;
    opening.claimKnown();
    if (this.opening.get(clientId) === opening) this.opening.delete(clientId);
  }

  private async openNow(
    connection: OpeningConnection,
    request: SessionRequest,
    opening: Opening,
    welcome: (opened: OpenedSession) => void,
  ): Promise<OpenedSession | null> {
    const { clientId, expirySeconds, inflightMax } = request;
    const { trust } = this.parts;
    const { losses } = trust;
    const claim = await this.claim(request, opening);
    const session = new Session(connection, { clientId, epoch: claim?.epoch ?? 0 }, expirySeconds, inflightMax);
    const stored = claim?.session ?? null;
    if (stored !== null) session.stored = true;
    if (claim === null) {
      this.unclaimed.add(session);
      session.will = request.will;
    } else {
      try {
        if (stored !== null && opening.handed !== null) {
          await updateInSlices(this.parts.store, session.key, applyHanded(stored, opening.handed));
        }
        await this.keepWill(session, request.will, claim.will);
      } catch (error) {
        if (!(error instanceof StoreError) || error.code !== 'fenced') {
          this.releaseUnused(session);
          throw error;
        }
        // A later CONNECT has taken the session over before it was in force here: the client sees what it would have seen a moment later.
        this.abandon(session);
        if (connection.state === ConnectionState.closed) return null;
        welcome({ session, present: stored !== null, stored });
        connection.disconnect(ReasonCode.sessionTakenOver, takenOverReason);
        return null;
      }
    }
    if (connection.state === ConnectionState.closed) {
      this.releaseUnused(session);
      return null;
    }
    if (session.stored && trust.isGone(losses)) {
      // Sessions that were in force then have started over.
      this.releaseUnused(session);
      throw new StoreError('unavailable', 'the store was restored and has lost the claim of this session');
    }
    this.byClient.set(clientId, session);
    connection.session = session;
    const opened = { session, present: stored !== null, stored };
    connection.outlet.output.cork();
    welcome(opened);
    const restoring = stored === null ? null : putInForce(this.parts, session, stored, claim?.previousOwner ?? '');
    if (restoring !== null) await restoring;
    return opened;
  }

  /** Null: the store cannot be asked, and the client needs nothing that it holds (ARCHITECTURE.md, section 7). */
  private async claim(request: SessionRequest, opening: Opening): Promise<Claim | null> {
    const { parts } = this;
    const { clientId, cleanStart, expirySeconds } = request;
    const needsStore = !cleanStart || expirySeconds > 0;
    if (needsStore && !parts.lease.isHeld)
      throw new StoreError('unavailable', 'the lease of this worker has run out, so it claims no durable session');
    const settled = sentBefore(parts.clock, this.byClient.get(clientId), false);
    if (settled !== null) await settled;
    const local = this.byClient.get(clientId); // may have ended meanwhile
    const written = this.written.take(clientId);
    opening.handed = local === undefined ? written.handed : this.letGo(local, cleanStart);
    let claim: Claim;
    try {
      claim = await parts.store.claim(
        { clientId, owner: parts.self, cleanStart, sessionExpirySeconds: expirySeconds },
        parts.clock.now(),
      );
    } catch (error) {
      // The claim is still that of the session which was let go; or the store has the new one, and its answer was lost.
      if (local === undefined) written.putBack();
      else if (opening.handed !== null) this.writeBack(local, opening.handed);
      if (needsStore || !(error instanceof StoreError) || error.code !== 'unavailable') throw error;
      await parts.cluster.requestFromAll(clientId, cleanStart, epochUnknown);
      return null;
    }
    opening.epoch = claim.epoch;
    opening.claimKnown();
    if (claim.previousOwner === '') {
      // Whoever let go last has written what he knew.
      if (local === undefined) opening.handed = null;
    } else if (claim.previousOwner !== parts.self) {
      // What this endpoint held is older than that claim: gone on with, it would undo what was done under it. What nobody hands over is in the store,
      // and that is enough for QoS 2, as after a crash: the state of a handshake is stored before the packet is sent.
      opening.handed = await this.takeFromOther(claim, clientId, cleanStart);
    }
    const { handed } = opening;
    if (local !== undefined || (claim.previousOwner !== '' && claim.previousOwner !== parts.self))
      parts.contested.taken(clientId, request.address, handed?.address ?? '');
    const { will } = claim;
    if (will !== null && isToPublish(parts, will, claim, cleanStart))
      void this.wills.publish(clientId, will.record).catch(() => {}); // said by the pending write
    await this.wills.safe(clientId);
    return claim;
  }

  private async takeFromOther(claim: Claim, clientId: string, cleanStart: boolean): Promise<HandedSession | null> {
    const { parts } = this;
    parts.metrics.takeovers++;
    return parts.cluster.requestSession(claim.previousOwner, clientId, cleanStart, claim.epoch);
  }

  /** Nobody uses the session: the connection ended, or failed, before it was in force. Its will was never that of a connected client. */
  private releaseUnused(session: Session): void {
    const { store, clock, pendingWrites, self } = this.parts;
    if (!this.unclaimed.forget(session)) return;
    if (session.will !== null) pendingWrites.add('removing a will', () => store.setWill(session.key, self, null));
    const change = { sessionExpirySeconds: session.expirySeconds };
    pendingWrites.add('releasing a session', () => store.release(session.key, change, clock.now()));
  }

  /** Keeps the will. In the store the one of the connection before must not outlive that connection. */
  private async keepWill(session: Session, will: SessionWill | null, before: StoredWill | null): Promise<void> {
    const { store, self } = this.parts;
    session.will = will;
    if (will !== null || before?.dueAt === Infinity) await store.setWill(session.key, self, will);
  }

  /** Another endpoint has claimed the client identifier with this epoch: lets go of it here and returns what was held, null if nothing. */
  async handTo(clientId: string, cleanStart: boolean, epoch: number): Promise<HandedSession | null> {
    const deadline = this.parts.clock.now() + handMilliseconds;
    const handed = await this.handNow(clientId, cleanStart, epoch);
    if (epoch !== epochUnknown) this.wills.publishMoved(clientId, cleanStart, epoch);
    await this.wills.safe(clientId, deadline - this.parts.clock.now());
    return handed;
  }

  private async handNow(clientId: string, cleanStart: boolean, epoch: number): Promise<HandedSession | null> {
    for (;;) {
      const session = this.byClient.get(clientId);
      if (session !== undefined) {
        if (session.key.epoch >= epoch) return null;
        const settled = sentBefore(this.parts.clock, session, epoch !== epochUnknown);
        if (settled !== null) await settled;
        if (this.byClient.get(clientId) === session) return this.letGo(session, cleanStart);
        continue;
      }
      const opening = this.opening.get(clientId);
      // One with a later claim does not wait for this one, nor this for it: waiting goes from later to earlier claims alone.
      if (opening === undefined || epoch === epochUnknown || opening.epoch > epoch) {
        const { handed } = this.written.take(clientId);
        return opening?.handed ?? handed;
      }
      await (opening.epoch === 0 ? opening.claimed : opening.done);
      // It was refused by the store, since the claim had moved on: what it was handed is handed on.
      if (opening.isDone && !this.byClient.has(clientId)) {
        this.written.take(clientId);
        return opening.handed;
      }
    }
  }

  /** Ends a session here because its client connected anew, here or elsewhere [MQTT-3.1.4-3]. Returns what the new owner needs. */
  letGo(session: Session, cleanStart: boolean): HandedSession {
    const handed = handOver(session);
    const { will } = session;
    session.will = null;
    // A durable session goes on with the next owner, and so do the messages that it has in flight.
    this.detach(session, !session.stored || cleanStart);
    if (will !== null && isDueAtTakeover(will, cleanStart, session.expirySeconds))
      void this.wills.publish(session.clientId, will.record).catch(() => {}); // said by the pending write
    session.connection.disconnect(ReasonCode.sessionTakenOver, takenOverReason);
    return handed;
  }

  /** The store has refused a write: the session is somebody else's. */
  fenced(session: Session): void {
    this.wills.moved(session);
    this.abandon(session);
  }

  /** It ends here without a word to the store, which may have given it to somebody else. */
  abandon(session: Session): void {
    session.will = null;
    this.detach(session, false);
  }

  /** Takes the session out of everything local. Nothing is sent or written for it any more. */
  private detach(session: Session, redispatchInflight: boolean): void {
    if (session.ended) return;
    session.ended = true;
    this.unclaimed.forget(session);
    this.parts.writer.forget(session);
    if (this.byClient.get(session.clientId) === session) this.byClient.delete(session.clientId);
    takeOutOfForce(this.parts, session, redispatchInflight);
  }

  /** The connection is gone: the session is written back, or ends with it. */
  close(session: Session): void {
    if (session.ended) return;
    const handed = handOver(session);
    const served = servedOf(this.parts, session);
    const isClaimed = this.unclaimed.forget(session);
    this.detach(session, true);
    this.closeWill(session, isClaimed);
    if (!isClaimed) return;
    // What went to another member of a shared group is that one's now.
    handed.outbound = handed.outbound.filter(
      (message) => session.outbound?.stateOf(message.packetId) !== InflightState.none,
    );
    if (session.stored) this.parts.fatalMessages.ended(session, handed.outbound);
    this.writeBack(session, handed, served);
  }

  /** Once its will is safe: who claims it before asks here. `served`: logs that are read no more need not take anything in while the client is away. */
  private writeBack(session: Session, handed: HandedSession, served: ServedSubscriptions | null = null): void {
    const { store, clock, pendingWrites } = this.parts;
    const { clientId, stored, expirySeconds } = session;
    const now = clock.now();
    if (!stored) {
      pendingWrites.add('releasing a client identifier', async () => {
        if (this.wills.has(clientId)) await this.wills.safe(clientId);
        await store.release(session.key, { sessionExpirySeconds: 0 }, now);
      });
      return;
    }
    const change = {
      sessionExpirySeconds: expirySeconds,
      cursors: handed.cursors,
      outboundSet: handed.outbound,
      outboundDelete: [...session.outboundDeleted],
    };
    this.written.add(clientId, handed);
    pendingWrites.add('writing a session back', async () => {
      try {
        if (this.wills.has(clientId)) await this.wills.safe(clientId);
        const ended = served === null ? null : endServed(this.parts, session, served);
        await Promise.all([ended, releaseInSlices(store, session.key, change, now)]);
        if (expirySeconds === 0) this.parts.durableFilters.markStale(); // groups and filters may have ended with it
      } finally {
        session.connection.released(); // see Connection.endAfterLastWord; elsewhere it has ended already
      }
      this.written.done(clientId, handed);
    });
  }

  private closeWill(session: Session, isClaimed: boolean): void {
    const { will, clientId, key } = session;
    if (will === null) return;
    const { pendingWrites, store, clock } = this.parts;
    const delaySeconds = willDelaySeconds(session);
    if (delaySeconds > 0) {
      const dueAt = clock.now() + delaySeconds * 1000;
      pendingWrites.add('keeping a will', () => store.scheduleWill(key, dueAt));
      return;
    }
    const published = this.wills.publish(clientId, will.record);
    // It stays in the store until it is safe elsewhere.
    const remove = (): void => pendingWrites.add('removing a will', () => store.removeWill(clientId, key.epoch));
    if (isClaimed) published.then(remove, remove);
  }

  /** A client asked for another expiry in DISCONNECT. Throws ProtocolError when it had none before [MQTT-3.14.2-2]. */
  changeExpiry(session: Session, expirySeconds: number): void {
    if (session.expirySeconds === 0 && expirySeconds > 0) {
      throw new ProtocolError(
        ReasonCode.protocolError,
        'a session expiry in DISCONNECT where CONNECT had none',
        'MQTT-3.14.2-2',
      );
    }
    session.expirySeconds = Math.min(expirySeconds, this.parts.limits.sessionExpiryMaxSeconds);
  }
}
