/**
 * What the store is told of durable sessions' progress, in batches.
 *
 * Urgent: packet identifiers of QoS 2 (before PUBLISH and before PUBREL), written at the end of the turn. Not urgent: acknowledged numbers, written
 * every 100 ms: after a crash a QoS 1 message may come again (P3). Every update carries all that is known of the session, so a packet identifier
 * that is used again never reaches the store before the end of its earlier message.
 */
import type { LogCursor } from './log-cursor.ts';
import type { Clock } from './ports/clock.ts';
import type { Logger } from './ports/logger.ts';
import type { Metrics } from './ports/metrics.ts';
import { type OutboundInflight, type SessionChange, type Store, StoreError } from './ports/store.ts';
import type { Session } from './session.ts';

const lazyMilliseconds = 100;
/** A failed update is tried again after this: the handshake it belongs to waits. */
const retryMilliseconds = 250;

interface Urgent {
  set: OutboundInflight[];
  inboundDelete: number[];
  then: (() => void)[];
}

export class SessionWriter {
  private readonly store: Store;
  private readonly logger: Logger;
  private readonly metrics: Metrics;
  private readonly clock: Clock;
  private readonly dirty = new Set<Session>();
  private readonly urgent = new Map<Session, Urgent>();
  private scheduled = false;
  private readonly retries: (() => void)[] = [];

  constructor(store: Store, clock: Clock, logger: Logger, metrics: Metrics) {
    this.store = store;
    this.clock = clock;
    this.logger = logger;
    this.metrics = metrics;
    clock.every(lazyMilliseconds, () => this.writeDirty());
    clock.every(retryMilliseconds, () => {
      for (const retry of this.retries.splice(0)) retry();
    });
  }

  cursorMoved(cursor: LogCursor): void {
    const session = cursor.session;
    if (session.ended) return;
    session.dirtyCursors.add(cursor);
    this.dirty.add(session);
  }

  /** The handshake of a packet identifier that the store may know is through. */
  completed(session: Session, packetId: number): void {
    if (session.ended) return;
    session.outboundDeleted.add(packetId);
    this.dirty.add(session);
  }

  /** Writes a packet identifier's state, then calls `then`, unless the session has ended by then. */
  setOutbound(session: Session, outbound: OutboundInflight, then: () => void): void {
    const urgent = this.urgentOf(session);
    urgent.set.push(outbound);
    urgent.then.push(then);
  }

  /** Forgets a QoS 2 packet identifier of the publisher, then calls `then`. */
  releaseInbound(session: Session, packetId: number, then: () => void): void {
    const urgent = this.urgentOf(session);
    urgent.inboundDelete.push(packetId);
    urgent.then.push(then);
  }

  private urgentOf(session: Session): Urgent {
    let urgent = this.urgent.get(session);
    if (urgent === undefined) {
      urgent = { set: [], inboundDelete: [], then: [] };
      this.urgent.set(session, urgent);
    }
    if (!this.scheduled) {
      this.scheduled = true;
      this.clock.nextTurn(() => this.writeUrgent());
    }
    return urgent;
  }

  private writeUrgent(): void {
    this.scheduled = false;
    for (const [session, urgent] of this.urgent) {
      if (session.ended) continue;
      const change = this.takeChange(session, urgent.set);
      change.inboundDelete = urgent.inboundDelete;
      this.write(session, change, urgent.then);
    }
    this.urgent.clear();
  }

  private writeDirty(): void {
    for (const session of this.dirty) {
      if (session.ended || (session.dirtyCursors.size === 0 && session.outboundDeleted.size === 0)) continue;
      this.write(session, this.takeChange(session, []), []);
    }
    this.dirty.clear();
  }

  /** All that the store has not heard of this session, and `set`. */
  takeChange(session: Session, set: OutboundInflight[]): SessionChange {
    for (const outbound of set) session.outboundDeleted.delete(outbound.packetId);
    const change: SessionChange = {
      cursors: [...session.dirtyCursors].map((cursor) => cursor.stored()),
      outboundSet: set,
      outboundDelete: [...session.outboundDeleted],
    };
    session.dirtyCursors.clear();
    session.outboundDeleted.clear();
    return change;
  }

  private write(session: Session, change: SessionChange, then: (() => void)[]): void {
    this.store.update(session.key, change).then(
      () => {
        if (!session.ended) for (const callback of then) callback();
      },
      (error: unknown) => this.failed(session, change, then, error),
    );
  }

  private failed(session: Session, change: SessionChange, then: (() => void)[], error: unknown): void {
    if (session.ended) return;
    if (error instanceof StoreError && error.code === 'fenced') {
      session.connection.fenced();
      return;
    }
    this.metrics.storeErrors++;
    this.logger.warn('the state of a session could not be written; it will be tried again', {
      client: session.clientId,
      error: String(error),
    });
    // Identifiers that were taken again since must not be deleted by the late repetition.
    this.retries.push(() => {
      const outboundDelete = change.outboundDelete?.filter((packetId) => session.outbound?.stateOf(packetId) === 0);
      this.write(session, { ...change, outboundDelete }, then);
    });
  }
}
