/** The CONNECTs that are worked off here, and sessions that are handed to CONNECTs elsewhere: each waits for those before it (takeover/opening.ts). */
import type { ClaimedFor } from '../cluster/session-requests.ts';
import { ConnectionState } from '../output/connection-state.ts';
import { sessionQuota } from '../ports/quota.ts';
import { refuseOtherUser } from '../ports/session-store.ts';
import type { HandedSession } from '../session/handover.ts';
import { epochUnknown, Opening, type OpeningConnection, type OpeningParts, type SessionRequest } from './opening.ts';
import { handMilliseconds, sentBefore } from './sent-before.ts';

export class Openings {
  private readonly parts: OpeningParts;
  /** The last one of each client identifier. */
  private readonly byClient = new Map<string, Opening>();

  constructor(parts: Omit<OpeningParts, 'quota'>) {
    this.parts = { ...parts, quota: sessionQuota(parts.limits) };
  }

  /** Resolves when the CONNECTs of this client identifier that came before are over; it has to be told `over`. Null: the connection ended meanwhile. */
  async inTurn(connection: OpeningConnection, request: SessionRequest): Promise<Opening | null> {
    const { clientId } = request;
    for (let before = this.byClient.get(clientId); before !== undefined; before = this.byClient.get(clientId))
      await before.untilOver();
    if (connection.state === ConnectionState.closed) return null;
    const opening = new Opening(this.parts, connection, request);
    this.byClient.set(clientId, opening);
    return opening;
  }

  over(opening: Opening): void {
    const { clientId } = opening.session;
    if (this.byClient.get(clientId) === opening) this.byClient.delete(clientId);
    opening.over();
  }

  /**
   * Another endpoint has claimed the client identifier with this epoch: lets go of it here and returns what was held,
   * null if nothing. `user`: the one that connected, where the store could not compare; rejects with `other-user`.
   */
  async handTo(clientId: string, cleanStart: boolean, epoch: number, user: ClaimedFor): Promise<HandedSession | null> {
    if (user !== null) refuseOtherUser(this.parts.sessions.get(clientId)?.user ?? '', { ...user, isOwnersOnly: true });
    const { clock, wills } = this.parts;
    const deadline = clock.now() + handMilliseconds;
    const handed = await this.handNow(clientId, cleanStart, epoch);
    if (epoch !== epochUnknown) wills.publishMoved(clientId, cleanStart, epoch);
    await wills.safe(clientId, deadline - clock.now());
    return handed;
  }

  private async handNow(clientId: string, cleanStart: boolean, epoch: number): Promise<HandedSession | null> {
    const { clock, sessions, written } = this.parts;
    for (;;) {
      const session = sessions.get(clientId);
      if (session !== undefined) {
        if (session.key.epoch >= epoch) return null;
        const settled = sentBefore(clock, session, epoch !== epochUnknown);
        if (settled !== null) await settled;
        if (sessions.get(clientId) === session) return sessions.letGo(session, cleanStart);
        continue;
      }
      const opening = this.byClient.get(clientId);
      // One with a later claim does not wait for this one, nor this for it: waiting goes from later to earlier claims alone.
      if (opening === undefined || epoch === epochUnknown || opening.epoch > epoch) {
        const { handed } = written.take(clientId);
        return opening?.handed ?? handed;
      }
      await (opening.epoch === 0 ? opening.untilClaimKnown() : opening.untilOver());
      // It was refused by the store, since the claim had moved on: what it was handed is handed on.
      if (opening.isOver && sessions.get(clientId) === undefined) {
        written.take(clientId);
        return opening.handed;
      }
    }
  }
}
