import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Claim, ClaimRequest } from '@dunlin/broker';
import type { Opened } from './opened.ts';
import { SessionReading } from './session-reading.ts';
import type { SessionRecord } from './session-records.ts';

/**
 * Sessions with more parts than one turn of the event loop has time for: they are read, and removed, a slice at a time
 * with turns between them.
 *
 * Reading: the claim is committed first, and from then on no other owner writes to the session; a later claim, whose
 * owner may write, is detected at the end.
 *
 * Removal: the session is marked as ended first. From then on it is not found any more, and the next claim of its
 * client continues the removal. What a crash leaves is due when its owner is released, or at once where it has none.
 */
export class LargeSessions {
  private readonly store: Opened;
  /** Work that is left before a claim can be answered. */
  private readonly unfinished = new WeakMap<Claim, () => Promise<Claim>>();

  constructor(store: Opened) {
    this.store = store;
  }

  /** Resolves when that work is done. */
  finish(claim: Claim): Claim | Promise<Claim> {
    const rest = this.unfinished.get(claim);
    return rest === undefined ? claim : rest();
  }

  /** Reads more of the session within the transaction of the claim. `reading`: the parts read so far. */
  readRest(claim: Claim, session: SessionRecord, reading: SessionReading): void {
    this.unfinished.set(claim, async () => {
      const { sessions } = this.store;
      let isOurs = true;
      while (!reading.isWhole) {
        await nextTurn();
        isOurs = await this.store.read(() => {
          sessions.readSome(session, reading);
          return sessions.find(session.clientId)?.epoch === claim.epoch;
        });
      }
      return isOurs ? claim : await this.readAnew(claim, session);
    });
  }

  /**
   * The client identifier was claimed again meanwhile: the parts that were read may be partly older, partly newer than
   * that.
   */
  private readAnew(claim: Claim, session: SessionRecord): Promise<Claim> {
    const { sessions } = this.store;
    return this.store.read(() => {
      const found = sessions.find(session.clientId);
      if (found === null || found.number !== session.number) return claim;
      const reading = new SessionReading(found);
      while (!reading.isWhole) sessions.readSome(found, reading);
      return { ...claim, session: reading.stored };
    });
  }

  /**
   * Removes more of the session within the transaction of the claim, whose owner the session has now: it is marked as
   * ended and not completely removed.
   */
  removeRest(claim: Claim, request: ClaimRequest): void {
    this.unfinished.set(claim, async () => {
      for (;;) {
        await nextTurn();
        const finished = await this.store.write(request.clientId, () => this.removeMore(claim, request));
        if (finished !== null) return finished;
      }
    });
  }

  /** The result; null: there is more. */
  private removeMore(claim: Claim, request: ClaimRequest): Claim | null {
    const { sessions, claims } = this.store;
    const { clientId, sessionExpirySeconds } = request;
    const session = sessions.find(clientId);
    // A later claim continues; this one is void.
    if (session === null || session.epoch !== claim.epoch) return claim;
    if (!sessions.removeSome(session)) return null;
    const found = claims.find(clientId);
    if (sessionExpirySeconds === 0) return { ...claim, epoch: claims.take(request, found, claim.epoch).epoch };
    claims.mark(clientId, found, claim.epoch);
    sessions.create(request, claim.epoch);
    return claim;
  }

  /** Resolves when the ended session is removed, or another claim continues with that. */
  async end(clientId: string, number: number, now: number): Promise<void> {
    let isLeft = true;
    while (isLeft) {
      await nextTurn();
      isLeft = await this.store.write(clientId, () => {
        const session = this.store.sessions.find(clientId);
        if (session === null || session.number !== number || session.owner !== '') return false;
        return !this.store.ends.endSession(session, now);
      });
    }
  }
}
