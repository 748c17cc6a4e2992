/**
 * Wills that are being published. A client that is back gets CONNACK when the will of its former connection is safe,
 * here or at the endpoint that held it: else a retained "offline" could come after the "online" that the client
 * publishes next. A session whose connection broke is released when its will is safe: an endpoint that claims it before
 * asks the one that holds it, and waits as well.
 */

import type { Cluster } from '../cluster/cluster.ts';
import type { Clock } from '../ports/clock.ts';
import type { EndpointId } from '../ports/endpoint-id.ts';
import { events } from '../ports/log-events.ts';
import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Claim } from '../ports/session-store.ts';
import type { StoredWill } from '../ports/will-store.ts';
import type { Session, SessionWill } from '../session/session.ts';
import type { PendingWrites } from '../work/pending-writes.ts';
import { withinBound } from '../work/within-bound.ts';

/**
 * Longest wait of a client for its former will: less than a new owner waits for the former one
 * (cluster/session-requests.ts).
 */
const waitMilliseconds = 3000;

/** Time within which a new owner asks for a will (cluster/session-requests.ts). */
const movedMilliseconds = 10_000;

interface MovedWill {
  will: SessionWill;
  epoch: number;
  expirySeconds: number;
  /** Time from which it is not asked for any more. */
  until: number;
}

/**
 * True if the will of a connection that the server closes is published [MQTT-3.1.2-8]: unless it is delayed and the
 * session goes on.
 */
export function isDueAtTakeover(will: SessionWill, cleanStart: boolean, expirySeconds: number): boolean {
  return cleanStart || will.delaySeconds === 0 || expirySeconds === 0;
}

/**
 * True if a stored will is published: one that was scheduled, or one whose owner has died and cannot publish it, unless
 * it is delayed and the session goes on.
 */
export function isToPublish(
  { self, cluster }: { self: EndpointId; cluster: Pick<Cluster, 'has'> },
  will: StoredWill,
  { session }: Claim,
  cleanStart: boolean,
): boolean {
  if (will.dueAt !== Infinity) return true;
  if (will.owner === self || cluster.has(will.owner)) return false;
  return cleanStart || session === null || will.delaySeconds === 0;
}

export interface WillsUnderWayParts {
  clock: Clock;
  logger: Logger;
  pendingWrites: PendingWrites;
  metrics: Metrics;
  /** Resolves when the will is safe. */
  publishWill: (record: Uint8Array) => Promise<void>;
}

export class WillsUnderWay {
  private readonly parts: WillsUnderWayParts;
  /** The last will of each client; it is done when the earlier ones are. */
  private readonly byClient = new Map<string, Promise<void>>();
  private readonly movedAway = new Map<string, MovedWill>();
  /** Counted already: several calls may wait for one will. */
  private readonly late = new WeakSet<Promise<void>>();

  constructor(parts: WillsUnderWayParts) {
    this.parts = parts;
  }

  /** Resolves or rejects with the first attempt; if the store refuses it for now, it is repeated. */
  publish(clientId: string, record: Uint8Array): Promise<void> {
    const published = this.parts.publishWill(record);
    let attempts = 0;
    this.parts.pendingWrites.add(events['will.publish-failed'], () =>
      attempts++ === 0 ? published : this.parts.publishWill(record),
    );
    const before = this.byClient.get(clientId);
    const through = Promise.allSettled([before, published]).then(() => {
      if (this.byClient.get(clientId) === through) this.byClient.delete(clientId);
    });
    this.byClient.set(clientId, through);
    return published;
  }

  /**
   * The store has another owner for the session, which has not asked for it yet: now the will is due, or goes on with
   * the session.
   */
  moved({ clientId, key, will, expirySeconds }: Session): void {
    if (will === null) return;
    const now = this.parts.clock.now();
    for (const [client, { until }] of this.movedAway) {
      if (until > now) break; // the rest is younger: all sessions of a worker may move at once
      this.movedAway.delete(client);
    }
    this.movedAway.delete(clientId); // to the end of the order
    this.movedAway.set(clientId, { will, epoch: key.epoch, expirySeconds, until: now + movedMilliseconds });
  }

  /** The new owner asks for the session. */
  publishMoved(clientId: string, cleanStart: boolean, epoch: number): void {
    const moved = this.movedAway.get(clientId);
    if (moved === undefined || moved.epoch >= epoch) return;
    this.movedAway.delete(clientId);
    if (isDueAtTakeover(moved.will, cleanStart, moved.expirySeconds))
      void this.publish(clientId, moved.will.record).catch(() => {}); // logged by the pending write
  }

  has(clientId: string): boolean {
    return this.byClient.has(clientId);
  }

  /** Resolves when the wills of this client are safe, or have failed, or the time is up. */
  async safe(clientId: string, milliseconds = waitMilliseconds): Promise<void> {
    const through = this.byClient.get(clientId);
    if (through === undefined) return;
    const bound = Math.max(1, Math.min(milliseconds, waitMilliseconds));
    if ((await withinBound(this.parts.clock, through, bound)) || this.late.has(through)) return;
    this.late.add(through);
    this.parts.metrics.willsLate++;
    this.parts.logger.warn(events['will.late'], { client: clientId });
  }
}
