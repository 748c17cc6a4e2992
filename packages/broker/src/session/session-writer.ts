/**
 * Writer of the progress of durable sessions to the store, in batches.
 *
 * Urgent: packet identifiers of QoS 2 (before PUBLISH and before PUBREL), written at the end of the turn. Not urgent:
 * acknowledged numbers, written every 100 ms: after a crash a QoS 1 message may come again (P3). Every update carries
 * all that is known of the session, so a reused packet identifier never reaches the store before the end of its earlier
 * message. One update of a session is in progress at a time: later changes go with the next one, so that a failed
 * update is repeated in its place and handshakes keep their order (P4).
 */

import type { Clock } from '../ports/clock.ts';
import { events } from '../ports/log-events.ts';
import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { SessionChange, SessionStore, StoredOutbound } from '../ports/session-store.ts';
import { StoreError } from '../ports/store-error.ts';
import { WorkTimer } from '../work/work-timer.ts';
import type { LogCursor } from './log-cursor.ts';
import type { Session } from './session.ts';
import { updateInSlices } from './update-in-slices.ts';

const lazyMilliseconds = 100;
/** Pause after which a failed update is repeated: the handshake it belongs to waits. */
const retryMilliseconds = 250;

const noCursors: readonly LogCursor[] = [];

class Urgent {
  set: StoredOutbound[] = [];
  inboundDelete: number[] = [];
  callbacks: (() => void)[] = [];
}

export interface SessionWriterParts {
  sessionStore: SessionStore;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
}

export class SessionWriter {
  private readonly sessionStore: SessionStore;
  private readonly logger: Logger;
  private readonly metrics: Metrics;
  private readonly clock: Clock;
  private readonly dirty = new Set<Session>();
  private urgent = new Map<Session, Urgent>();
  /** Sessions with an update in progress, or with a failed one that will be repeated. */
  private readonly busy = new Set<Session>();
  private failedSessions: Session[] = [];
  private isScheduled = false;
  private readonly lazy: WorkTimer;

  constructor({ sessionStore, clock, logger, metrics }: SessionWriterParts) {
    this.sessionStore = sessionStore;
    this.clock = clock;
    this.logger = logger;
    this.metrics = metrics;
    this.lazy = new WorkTimer(clock, lazyMilliseconds, () => this.writeDirty());
    clock.every(retryMilliseconds, () => this.retry());
  }

  cursorMoved(cursor: LogCursor): void {
    const session = cursor.session;
    if (session.hasEnded) return;
    session.dirtyCursors.add(cursor);
    this.writeLater(session);
  }

  /** The handshake of a packet identifier that the store may know is complete. */
  completed(session: Session, packetId: number): void {
    if (session.hasEnded) return;
    session.outboundDeleted.add(packetId);
    this.writeLater(session);
  }

  private writeLater(session: Session): void {
    this.dirty.add(session);
    this.lazy.start();
  }

  /** Writes a packet identifier's state, then calls `then`, unless the session has ended by then. */
  setOutbound(session: Session, outbound: StoredOutbound, then: () => void): void {
    const urgent = this.urgentOf(session);
    urgent.set.push(outbound);
    urgent.callbacks.push(then);
  }

  /** Deletes a QoS 2 packet identifier of the publisher, then calls `then`. */
  releaseInbound(session: Session, packetId: number, then: () => void): void {
    const urgent = this.urgentOf(session);
    urgent.inboundDelete.push(packetId);
    urgent.callbacks.push(then);
  }

  /** A QoS 2 message was refused after it was begun: it is forgotten, without an answer. */
  refuseInbound(session: Session, packetId: number): void {
    if (session.inbound?.delete(packetId) && session.isStored) this.releaseInbound(session, packetId, () => {});
  }

  /** The session has ended here: drops everything that concerns it. */
  forget(session: Session): void {
    this.dirty.delete(session);
    this.urgent.delete(session);
    this.busy.delete(session);
  }

  private urgentOf(session: Session): Urgent {
    let urgent = this.urgent.get(session);
    if (urgent === undefined) {
      urgent = new Urgent();
      this.urgent.set(session, urgent);
    }
    if (!this.busy.has(session)) this.schedule();
    return urgent;
  }

  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    this.clock.nextTurn(() => this.writeUrgent());
  }

  private writeUrgent(): void {
    this.isScheduled = false;
    const all = this.urgent;
    this.urgent = new Map();
    for (const [session, urgent] of all) {
      if (session.hasEnded) continue;
      if (this.busy.has(session)) this.urgent.set(session, urgent);
      else this.write(session, urgent);
    }
  }

  /** Writes the dirty sessions. Returns whether some are left. */
  private writeDirty(): boolean {
    for (const session of this.dirty) {
      if (this.busy.has(session)) continue; // goes with the next
      this.dirty.delete(session);
      if (session.hasEnded || (session.dirtyCursors.size === 0 && session.outboundDeleted.size === 0)) continue;
      this.write(session, new Urgent());
    }
    return this.dirty.size > 0;
  }

  /** Update with everything that the store does not know of this session, and `urgent`. */
  private takeChange(session: Session, urgent: Urgent): SessionChange {
    for (const outbound of urgent.set) session.outboundDeleted.delete(outbound.packetId);
    const change: SessionChange = {
      cursors: [...session.dirtyCursors].map((cursor) => cursor.stored()),
      outboundSet: urgent.set,
      outboundDelete: [...session.outboundDeleted],
      inboundDelete: urgent.inboundDelete,
    };
    session.dirtyCursors.clear();
    session.outboundDeleted.clear();
    return change;
  }

  private write(session: Session, urgent: Urgent): void {
    const cursors = [...session.dirtyCursors];
    const change = this.takeChange(session, urgent);
    session.cursorsUnderWay = cursors;
    this.busy.add(session);
    updateInSlices(this.sessionStore, session.key, change).then(
      () => {
        if (session.hasEnded) return;
        session.cursorsUnderWay = noCursors;
        this.busy.delete(session);
        if (this.urgent.has(session)) this.schedule();
        for (const callback of urgent.callbacks) callback();
      },
      (error: unknown) => this.failed(session, urgent, change, cursors, error),
    );
  }

  private failed(session: Session, urgent: Urgent, change: SessionChange, cursors: LogCursor[], error: unknown): void {
    if (session.hasEnded) return;
    if (error instanceof StoreError && (error.code === 'fenced' || error.code === 'unknown-session')) {
      session.connection.fenced();
      return;
    }
    this.metrics.storeErrors++;
    this.logger.warn(events['session.write-failed'], {
      client: session.clientId,
      error,
    });
    session.cursorsUnderWay = noCursors;
    for (const cursor of cursors) if (!cursor.isDetached) session.dirtyCursors.add(cursor);
    // Reused identifiers are set by a later update; they must not be deleted after it.
    for (const packetId of change.outboundDelete ?? []) {
      if ((session.outbound?.stateOf(packetId) ?? 0) === 0) session.outboundDeleted.add(packetId);
    }
    const waiting = this.urgent.get(session);
    if (waiting !== undefined) {
      urgent.set.push(...waiting.set);
      urgent.inboundDelete.push(...waiting.inboundDelete);
      urgent.callbacks.push(...waiting.callbacks);
    }
    this.urgent.set(session, urgent);
    this.failedSessions.push(session);
  }

  private retry(): void {
    const sessions = this.failedSessions;
    this.failedSessions = [];
    for (const session of sessions) this.busy.delete(session);
    if (sessions.length > 0) this.schedule();
  }
}
