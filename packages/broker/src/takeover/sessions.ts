/**
 * Sessions of the clients connected to this worker, and the ways in which they end (MQTT 5 sections 3.1.2.11.2 and 4.1;
 * ARCHITECTURE.md, section 7). How they begin is in opening.ts.
 *
 * | way       | called by                       | connection      | claim           | stored session  | will               |
 * | --------- | ------------------------------- | --------------- | --------------- | --------------- | ------------------ |
 * | `close`   | Connection, at its end          | has ended       | released, after | cursors, in     | published, or      |
 * |           |                                 |                 | the write       | flight, expiry  | scheduled          |
 * | `letGo`   | Opening, for a CONNECT here;    | DISCONNECT 0x8E | is the new      | written by the  | published, unless  |
 * |           | Openings, for one elsewhere     |                 | owner's         | new owner       | the session goes   |
 * |           | (`handTo`, after earlier        |                 |                 |                 | on with a delay    |
 * |           | packets have taken effect)      |                 |                 |                 |                    |
 * | `fenced`  | Connection, where the store has | DISCONNECT 0x8E | is another      | unchanged       | published if due,  |
 * |           | refused a write                 |                 | owner's         |                 | when that one asks |
 * | `abandon` | GivenUpSessions (`giveUp`):     | DISCONNECT 0x89 | kept; released  | unchanged       | kept in the store; |
 * |           | lease lost, or writes lost by   | or 0x8B         | with a lease,   |                 | scheduled at the   |
 * |           | the store                       |                 | if not taken    |                 | release            |
 * |           | Opening, fenced before it was   | CONNACK, then   | is another      | unchanged       | never set          |
 * |           | in force                        | 0x8E            | owner's         |                 |                    |
 *
 * `detach` is the step that all of them share: out of the tree, groups and logs, nothing is sent or written any more.
 * A CONNECT that is refused before its session is in force releases its claim itself (`Opening.over`).
 */

import { ProtocolError, ReasonCode } from '@dunlin/protocol';
import type { FatalMessages } from '../delivery/fatal-messages.ts';
import { willDelaySeconds } from '../delivery/will.ts';
import type { Limits } from '../ports/limits.ts';
import { events } from '../ports/log-events.ts';
import type { Store } from '../ports/store.ts';
import { type HandedSession, handOver } from '../session/handover.ts';
import { InflightState } from '../session/inflight.ts';
import type { Session } from '../session/session.ts';
import type { SessionWriter } from '../session/session-writer.ts';
import { releaseInSlices } from '../session/update-in-slices.ts';
import type { LateClaims } from './late-claims.ts';
import { type InForceParts, takeOutOfForce } from './session-in-force.ts';
import { endServed, type ServedSubscriptions, servedOf } from './session-subscriptions.ts';
import { isDueAtTakeover, type WillsUnderWay } from './wills-under-way.ts';
import type { WrittenSessions } from './written-sessions.ts';

export const takenOverReason = 'another client connected with this client identifier';

export interface SessionsParts extends InForceParts {
  store: Pick<Store, 'sessions' | 'logs' | 'wills'>;
  limits: Limits;
  writer: SessionWriter;
  fatalMessages: FatalMessages;
  written: WrittenSessions;
  lateClaims: LateClaims;
  wills: WillsUnderWay;
}

export class Sessions {
  private readonly parts: SessionsParts;
  private readonly byClient = new Map<string, Session>();

  constructor(parts: SessionsParts) {
    this.parts = parts;
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

  /** Adds a session that is in force here from now on (takeover/opening.ts). */
  add(session: Session): void {
    this.byClient.set(session.clientId, session);
  }

  /**
   * Ends a session here because its client connected anew, here or elsewhere [MQTT-3.1.4-3]. Returns what the new owner
   * needs.
   */
  letGo(session: Session, cleanStart: boolean): HandedSession {
    const handed = handOver(session);
    const { will } = session;
    session.will = null;
    // A durable session goes on with the next owner, and so do the messages that it has in flight.
    this.detach(session, !session.isStored || cleanStart);
    if (will !== null && isDueAtTakeover(will, cleanStart, session.expirySeconds))
      void this.parts.wills.publish(session.clientId, will.record).catch(() => {}); // logged by the pending write
    session.connection.disconnect(ReasonCode.sessionTakenOver, takenOverReason);
    return handed;
  }

  /** The store has refused a write: another endpoint owns the session. */
  fenced(session: Session): void {
    this.parts.wills.moved(session);
    this.abandon(session);
  }

  /** Ends the session here without a call to the store, where another endpoint may own it. */
  abandon(session: Session): void {
    session.will = null;
    this.detach(session, false);
  }

  /** Removes the session from everything local. Nothing is sent or written for it any more. */
  private detach(session: Session, redispatchInflight: boolean): void {
    if (session.hasEnded) return;
    session.hasEnded = true;
    this.parts.lateClaims.forget(session);
    this.parts.writer.forget(session);
    if (this.byClient.get(session.clientId) === session) this.byClient.delete(session.clientId);
    takeOutOfForce(this.parts, session, redispatchInflight);
  }

  /** The connection has ended: the session is written back, or ends with it. */
  close(session: Session): void {
    if (session.hasEnded) return;
    const handed = handOver(session);
    const served = servedOf(this.parts, session);
    const isClaimed = this.parts.lateClaims.forget(session);
    this.detach(session, true);
    this.closeWill(session, isClaimed);
    if (!isClaimed) return;
    // Messages that went to another member of a shared group are that member's now.
    handed.outbound = handed.outbound.filter(
      (message) => session.outbound?.stateOf(message.packetId) !== InflightState.none,
    );
    if (session.isStored) {
      const withheld = session.suspended?.withheld;
      const sent = handed.outbound.filter(({ packetId }) => withheld?.has(packetId) !== true);
      this.parts.fatalMessages.ended(session, sent);
    }
    this.writeBack(session, handed, served);
  }

  /**
   * Writes the session back once its will is safe: an endpoint that claims it before asks here. `served`: logs that are
   * not read any more need not grow while the client is away.
   */
  writeBack(session: Session, handed: HandedSession, served: ServedSubscriptions | null = null): void {
    const { store, clock, pendingWrites, wills, written } = this.parts;
    const { clientId, isStored, expirySeconds } = session;
    const now = clock.now();
    if (!isStored) {
      pendingWrites.add(events['identifier.release-failed'], async () => {
        if (wills.has(clientId)) await wills.safe(clientId);
        await store.sessions.release(session.key, { sessionExpirySeconds: 0 }, now);
      });
      return;
    }
    const change = {
      sessionExpirySeconds: expirySeconds,
      cursors: handed.cursors,
      outboundSet: handed.outbound,
      outboundDelete: [...session.outboundDeleted],
    };
    written.add(clientId, handed);
    pendingWrites.add(events['session.write-back-failed'], async () => {
      try {
        if (wills.has(clientId)) await wills.safe(clientId);
        const ended = served === null ? null : endServed(this.parts, session, served);
        await Promise.all([ended, releaseInSlices(store.sessions, session.key, change, now)]);
        if (expirySeconds === 0) this.parts.durableFilters.markStale(); // groups and filters may have ended with it
      } finally {
        session.connection.released(); // see Connection.endAfterInput; otherwise it has ended already
      }
      written.done(clientId, handed);
    });
  }

  private closeWill(session: Session, isClaimed: boolean): void {
    const { will, clientId, key } = session;
    if (will === null) return;
    const { pendingWrites, store, clock } = this.parts;
    const delaySeconds = willDelaySeconds(session);
    if (delaySeconds > 0) {
      const dueAt = clock.now() + delaySeconds * 1000;
      pendingWrites.add(events['will.schedule-failed'], () => store.wills.schedule(key, dueAt));
      return;
    }
    const published = this.parts.wills.publish(clientId, will.record);
    // It stays in the store until it is safe elsewhere.
    const remove = (): void =>
      pendingWrites.add(events['will.remove-failed'], () => store.wills.remove(clientId, key.epoch));
    if (isClaimed) published.then(remove, remove);
  }

  /** Changes the session expiry as DISCONNECT asks. Throws ProtocolError if CONNECT had none [MQTT-3.14.2-2]. */
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
