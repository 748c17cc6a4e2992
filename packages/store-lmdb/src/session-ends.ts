import type { EndpointId } from '@dunlin/broker';
import type { ClaimBook } from './claims.ts';
import type { Tables } from './environment.ts';
import { behind, digest, kind } from './keys.ts';
import { RecordReader } from './records.ts';
import type { SessionRecord } from './session-records.ts';
import { ENDED_AT, type Sessions } from './sessions.ts';
import type { Wills } from './wills.ts';

/** Sessions, wills or claims of an owner released in one transaction. */
const RELEASE_STEP_MAX = 1024;
/** Parts removed of each session; the rest is left to later calls that end due sessions. */
const RELEASE_PARTS_MAX = 16;
/** Time of one transaction that ends sessions. */
const EXPIRE_STEP_MILLISECONDS = 5;

/** Ends of connections and sessions, within a transaction. */
export class SessionEnds {
  private readonly tables: Tables;
  private readonly sessions: Sessions;
  private readonly claims: ClaimBook;
  private readonly wills: Wills;

  constructor(tables: Tables, sessions: Sessions, claims: ClaimBook, wills: Wills) {
    this.tables = tables;
    this.sessions = sessions;
    this.claims = claims;
    this.wills = wills;
  }

  /**
   * Ends a session that was not claimed: a will that waits for its delay is due [MQTT-3.1.2-8]. False: it is not
   * completely removed.
   */
  endSession(session: SessionRecord, now: number): boolean {
    const isGone = this.removeEnded(session);
    const will = this.wills.find(session.clientId);
    if (will !== null && will.dueAt !== Infinity && will.dueAt > now) this.wills.schedule(will, now);
    return isGone;
  }

  /** Ends some sessions that are due, as many as one transaction has time for. `left`: there may be more. */
  expireStep(now: number, limit: number): { ended: string[]; isLeft: boolean } {
    const ended: string[] = [];
    const until = performance.now() + EXPIRE_STEP_MILLISECONDS;
    for (const session of this.sessions.due(now, limit)) {
      if (!this.endSession(session, now)) return { ended, isLeft: true };
      ended.push(session.clientId);
      if (performance.now() > until) return { ended, isLeft: true };
    }
    return { ended, isLeft: false };
  }

  /** False: the session has ended and is not completely removed. */
  disconnect(session: SessionRecord, now: number, partsMax?: number): boolean {
    if (session.expiresAt === ENDED_AT || session.sessionExpirySeconds === 0)
      return this.removeEnded(session, partsMax);
    this.sessions.disconnect(session, now);
    return true;
  }

  private removeEnded(session: SessionRecord, partsMax?: number): boolean {
    if (!this.sessions.removeSome(session, partsMax)) {
      if (session.expiresAt !== ENDED_AT || session.owner !== '') this.sessions.markEnded(session, '', session.epoch);
      return false;
    }
    this.claims.forget(session.clientId, this.claims.find(session.clientId), session.epoch);
    return true;
  }

  /** True: there may be more. */
  releaseOwnerStep(owner: EndpointId, now: number): boolean {
    const start = digest(owner);
    const found = [...this.tables.owner.getRange({ start, end: behind(start), limit: RELEASE_STEP_MAX })];
    for (const { key: ownerKey, value } of found) {
      const reader = new RecordReader(value);
      reader.text();
      const clientId = reader.text();
      if ((ownerKey as Buffer)[16] === kind.will[0]) {
        const will = this.wills.find(clientId);
        // No later than the end of the session [MQTT-3.1.3-9].
        const delayMaxSeconds = this.sessions.find(clientId)?.sessionExpirySeconds ?? 0;
        if (will !== null) this.wills.schedule(will, now + Math.min(will.delaySeconds, delayMaxSeconds) * 1000);
      } else {
        const session = this.sessions.find(clientId);
        if (session !== null) this.disconnect(session, now, RELEASE_PARTS_MAX);
      }
    }
    const claims = this.claims.releaseOwner(owner, RELEASE_STEP_MAX);
    return found.length === RELEASE_STEP_MAX || claims === RELEASE_STEP_MAX;
  }
}
