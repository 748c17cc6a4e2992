/**
 * CONNECT, from a client that is authenticated to a session in force (MQTT 5 section 3.1.4; ARCHITECTURE.md, section
 * 7). `ConnectHandler.establish` takes it from state to state:
 *
 * ```
 *   received ──authenticate──> authenticated ──claim──> claimed ──takeOver──> handed over ──keep──> kept
 *                                                                                                  │ welcome
 *   open <──begin── confirmed <──confirm── in force <──putInForce── welcomed <──────────────────────┘
 *
 *   in the upper row: refused, or its connection ends ──> released (`over`)
 *   in the lower row: its connection ends             ──> written back (`Sessions.close`)
 * ```
 *
 * | state         | what it holds                                                  | a failure on the way to the next state     | the connection ends in it |
 * | ------------- | -------------------------------------------------------------- | ------------------------------------------ | ------------------------- |
 * | received      | nothing                                                        | CONNACK with its reason                    | nothing to undo           |
 * | authenticated | its turn among the CONNECTs of its client identifier; the      | CONNACK 0x88; what was let go is written   | in its turn it is claimed |
 * |               | connection before, if it is here, has been let go              | back. A clean session goes on unclaimed.   | all the same and released |
 * |               |                                                                | Another user's: CONNACK 0x87               |                           |
 * | claimed       | the claim, of this epoch                                       | CONNACK 0x88, released                     | released                  |
 * | handed over   | also what the former owner had in memory; its will is safe     | CONNACK 0x88, released. Fenced: see below  | released                  |
 * | kept          | that is in the store, and so is the new will                   | CONNACK 0x88, released                     | released                  |
 * | welcomed      | the session is this worker's; CONNACK is in the output, which  | DISCONNECT, written back                   | written back,             |
 * |               | is held                                                        |                                            | the will is published     |
 * | in force      | subscriptions, cursors, what is in flight; the next CONNECT of | does not fail: bounded by time             | the same                  |
 * |               | the client may begin                                           |                                            |                           |
 * | confirmed     | the other workers have the routes; the client reads CONNACK    | DISCONNECT, written back                   | the same                  |
 * | open          | what was in flight is sent again, what came early takes effect | that of a connected client                 | the same                  |
 *
 * Released: the claim is given back, the session is as the store has it, its new will is removed (`over`). Written back: `Sessions.close`.
 * Fenced: a later CONNECT has claimed the session before it was in force here. The client sees what it would have seen a moment later, CONNACK and
 * DISCONNECT 0x8E, and nothing is written.
 */

import { ReasonCode } from '@dunlin/protocol';
import type { Cluster } from '../cluster/cluster.ts';
import { ConnectionState } from '../output/connection-state.ts';
import type { Limits } from '../ports/limits.ts';
import { events } from '../ports/log-events.ts';
import type { Quota } from '../ports/quota.ts';
import type { Claim, StoredSession } from '../ports/session-store.ts';
import { refuseOtherUser } from '../ports/session-store.ts';
import type { Store } from '../ports/store.ts';
import { StoreError } from '../ports/store-error.ts';
import type { StoredWill } from '../ports/will-store.ts';
import { applyHanded, type HandedSession } from '../session/handover.ts';
import { Session, type SessionConnection, type SessionWill } from '../session/session.ts';
import { updateInSlices } from '../session/update-in-slices.ts';
import type { LeaseState } from '../work/lease-state.ts';
import type { PendingWrites } from '../work/pending-writes.ts';
import type { StoreTrust } from '../work/store-trust.ts';
import type { ContestedIdentifiers } from './contested-identifiers.ts';
import type { LateClaims } from './late-claims.ts';
import { sentBefore } from './sent-before.ts';
import { type InForceParts, putInForce } from './session-in-force.ts';
import { type Sessions, takenOverReason } from './sessions.ts';
import { isToPublish, type WillsUnderWay } from './wills-under-way.ts';
import type { WrittenSessions } from './written-sessions.ts';

export interface SessionRequest {
  clientId: string;
  /** Address of the client, for the log. */
  address: string;
  /** Name that the client has proved to have; empty: none. */
  user: string;
  cleanStart: boolean;
  expirySeconds: number;
  inflightMax: number;
  will: SessionWill | null;
}

/** The connection of a CONNECT, as far as its session needs it. */
export interface OpeningConnection extends SessionConnection {
  readonly state: number;
  session: Session | null;
}

export interface OpeningParts extends InForceParts {
  store: Pick<Store, 'sessions' | 'logs' | 'wills'>;
  limits: Limits;
  lease: LeaseState;
  /** True: what belongs to a user is refused to others. */
  isOwnersOnly: boolean;
  /** Limits of stored sessions. */
  quota: Quota;
  trust: StoreTrust;
  cluster: Cluster;
  contested: ContestedIdentifiers;
  pendingWrites: PendingWrites;
  sessions: Sessions;
  written: WrittenSessions;
  lateClaims: LateClaims;
  wills: WillsUnderWay;
}

/** The states of the drawing that begin here, in their order, and a last one. */
const OpeningState = {
  authenticated: 0,
  claimed: 1,
  handedOver: 2,
  kept: 3,
  welcomed: 4,
  inForce: 5,
  confirmed: 6,
  /** A later CONNECT owns the session. */
  fenced: 7,
} as const;

/** A claim that every other gives way to: the store, which orders claims, cannot be asked. */
export const epochUnknown = Number.MAX_SAFE_INTEGER;

export class Opening {
  private readonly parts: OpeningParts;
  private readonly connection: OpeningConnection;
  private readonly request: SessionRequest;
  /** Session, nobody's until `welcome`. Its epoch is 0 while the claim is not known. */
  readonly session: Session;
  /** The state of the session before this connection; null: a new one. */
  stored: StoredSession | null = null;
  /** The state that the owner before handed to it. */
  handed: HandedSession | null = null;
  /** Null before the claim is known, and where the store cannot be asked. */
  private claimed: Claim | null = null;
  /** The moment before the claim: the store may go back behind it. */
  private losses = 0;
  /** The client was connected to this worker. */
  private hadSessionHere = false;
  private state: number = OpeningState.authenticated;
  /** Connection that was ended for this one; null: there was none. */
  takenFrom: { readonly endpoint: string; readonly address: string } | null = null;
  /** True when it is in force, refused or abandoned: nobody waits for it. */
  isOver = false;
  /** Null: nobody waits, as nobody does for most. */
  private claimWaiters: (() => void)[] | null = null;
  private endWaiters: (() => void)[] | null = null;

  constructor(parts: OpeningParts, connection: OpeningConnection, request: SessionRequest) {
    this.parts = parts;
    this.connection = connection;
    this.request = request;
    const { clientId, expirySeconds, inflightMax } = request;
    this.session = new Session(connection, { clientId, epoch: 0 }, expirySeconds, parts.limits, inflightMax);
    this.session.user = request.user;
  }

  /** Epoch of its claim; 0 while that is not known. */
  get epoch(): number {
    return this.session.key.epoch;
  }

  /** Resolves when the claim is known, or the opening is over; never rejects. */
  untilClaimKnown(): Promise<void> {
    if (this.isOver || this.claimed !== null) return Promise.resolve();
    this.claimWaiters ??= [];
    const waiters = this.claimWaiters;
    return new Promise((resolve) => waiters.push(resolve));
  }

  /** Resolves when the opening is over; never rejects. */
  untilOver(): Promise<void> {
    if (this.isOver) return Promise.resolve();
    this.endWaiters ??= [];
    const waiters = this.endWaiters;
    return new Promise((resolve) => waiters.push(resolve));
  }

  private claimIsKnown(): void {
    const waiters = this.claimWaiters;
    this.claimWaiters = null;
    if (waiters !== null) for (const wake of waiters) wake();
  }

  /**
   * authenticated → claimed: lets go of the connection before, if it is here, and claims the client identifier. Rejects
   * with StoreError; with `other-user` nothing has changed for whom it belongs to.
   */
  async claim(): Promise<void> {
    const { parts, session } = this;
    const { store, clock, sessions, lease, trust, self } = parts;
    const { clientId, cleanStart, expirySeconds, user } = this.request;
    const { isOwnersOnly, quota } = parts;
    this.losses = trust.losses;
    const needsStore = !cleanStart || expirySeconds > 0;
    if (needsStore && !lease.isHeld)
      throw new StoreError('unavailable', 'the lease of this worker has run out, so it claims no durable session');
    refuseOtherUser(sessions.get(clientId)?.user ?? '', { user, isOwnersOnly });
    const settled = sentBefore(clock, sessions.get(clientId), false);
    if (settled !== null) await settled;
    const local = sessions.get(clientId); // may have ended meanwhile
    const written = parts.written.take(clientId);
    this.handed = local === undefined ? written.handed : sessions.letGo(local, cleanStart);
    let claim: Claim;
    try {
      claim = await store.sessions.claim(
        { clientId, owner: self, cleanStart, sessionExpirySeconds: expirySeconds, user, isOwnersOnly, quota },
        clock.now(),
      );
    } catch (error) {
      // The claim is still that of the session which was let go; or the store has the new one, and its answer was lost.
      if (local === undefined) written.putBack();
      else if (this.handed !== null) sessions.writeBack(local, this.handed);
      // A client that needs nothing of the store is served without it (ARCHITECTURE.md, section 7).
      if (needsStore || !(error instanceof StoreError) || error.code !== 'unavailable') throw error;
      this.state = OpeningState.claimed;
      return;
    }
    this.state = OpeningState.claimed;
    this.claimed = claim;
    this.hadSessionHere = local !== undefined;
    session.key.epoch = claim.epoch;
    this.stored = claim.session;
    if (this.stored !== null) session.isStored = true;
    // Whoever let go last has written what he knew.
    if (claim.previousOwner === '' && local === undefined) this.handed = null;
    this.claimIsKnown();
  }

  /**
   * claimed → handed over: asks the former owner for what it knows, and waits for the will of the connection before.
   * Rejects with StoreError `other-user` where the store cannot be asked, and another endpoint serves its user.
   */
  async takeOver(): Promise<void> {
    const { parts, claimed } = this;
    const { clientId, cleanStart, address, user } = this.request;
    if (claimed === null) {
      const owner = parts.isOwnersOnly ? { user } : null;
      await parts.cluster.requestFromAll(clientId, cleanStart, epochUnknown, owner);
      this.state = OpeningState.handedOver;
      return;
    }
    const { previousOwner, will } = claimed;
    const isElsewhere = previousOwner !== '' && previousOwner !== parts.self;
    if (isElsewhere) {
      parts.metrics.takeovers++;
      // What this endpoint held is older than that claim: gone on with, it would undo what was done under it. What nobody hands over is in the store,
      // and that is enough for QoS 2, as after a crash: the state of a handshake is stored before the packet is sent.
      this.handed = await parts.cluster.requestSession(previousOwner, clientId, cleanStart, claimed.epoch);
    }
    if (this.hadSessionHere || isElsewhere) {
      const fromAddress = this.handed?.address ?? '';
      parts.contested.taken(clientId, address, fromAddress);
      this.takenFrom = { endpoint: isElsewhere ? previousOwner : parts.self, address: fromAddress };
    }
    if (will !== null && isToPublish(parts, will, claimed, cleanStart))
      void parts.wills.publish(clientId, will.record).catch(() => {}); // said by the pending write
    await parts.wills.safe(clientId);
    this.state = OpeningState.handedOver;
  }

  /** handed over → kept: the store has what was handed over, and the will. Rejects with StoreError. */
  async keep(): Promise<void> {
    const { parts, session, claimed, stored, handed } = this;
    if (claimed === null) {
      parts.lateClaims.add(session);
      session.will = this.request.will;
      this.state = OpeningState.kept;
      return;
    }
    try {
      if (stored !== null && handed !== null)
        await updateInSlices(parts.store.sessions, session.key, applyHanded(stored, handed));
      await this.keepWill(claimed.will);
      this.state = OpeningState.kept;
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'fenced') throw error;
      this.state = OpeningState.fenced;
      parts.sessions.abandon(session);
    }
  }

  /** Keeps the will. In the store the one of the connection before must not outlive that connection. */
  private async keepWill(before: StoredWill | null): Promise<void> {
    const { parts, session } = this;
    const { will } = this.request;
    session.will = will;
    if (will !== null || before?.dueAt === Infinity) await parts.store.wills.set(session.key, parts.self, will);
  }

  /**
   * kept → welcomed: the session is this worker's, and its output held. In the same turn CONNACK has to follow, before any message. False: the connection has
   * ended. Throws StoreError.
   */
  welcome(): boolean {
    const { parts, connection, session } = this;
    if (connection.state === ConnectionState.closed) return false;
    if (this.state === OpeningState.fenced) return true;
    // Sessions that were in force then have started over.
    if (session.isStored && parts.trust.isGone(this.losses))
      throw new StoreError('unavailable', 'the store was restored and has lost the claim of this session');
    this.state = OpeningState.welcomed;
    parts.sessions.add(session);
    connection.session = session;
    connection.outlet.output.cork();
    return true;
  }

  /** welcomed → in force: subscriptions, cursors and what is in flight, as the store has them. */
  async putInForce(): Promise<void> {
    const { parts, connection, session, stored, claimed } = this;
    if (this.state === OpeningState.fenced) {
      connection.disconnect(ReasonCode.sessionTakenOver, takenOverReason);
      return;
    }
    if (stored !== null) await putInForce(parts, session, stored, claimed?.previousOwner ?? '');
    this.state = OpeningState.inForce;
  }

  /**
   * Ends it, in force, refused or abandoned: other CONNECTs of this client go on. A claim that no connected client came
   * of is given back.
   */
  over(): void {
    this.isOver = true;
    if (this.state < OpeningState.welcomed) this.release();
    this.claimIsKnown();
    const waiters = this.endWaiters;
    this.endWaiters = null;
    if (waiters !== null) for (const wake of waiters) wake();
  }

  /** Its will was never that of a connected client. */
  private release(): void {
    const { session, claimed } = this;
    const { store, clock, pendingWrites, self, lateClaims } = this.parts;
    lateClaims.forget(session);
    if (claimed === null) return;
    if (session.will !== null)
      pendingWrites.add(events['will.remove-failed'], () => store.wills.set(session.key, self, null));
    const change = { sessionExpirySeconds: session.expirySeconds };
    pendingWrites.add(events['session.release-failed'], () => store.sessions.release(session.key, change, clock.now()));
  }

  /** in force → confirmed: the other workers have its routes, and the client is sent what was held. False: the session has ended meanwhile. */
  async confirm(): Promise<boolean> {
    const { parts, connection, session, stored } = this;
    if (this.state === OpeningState.fenced) return false;
    if (parts.routes.hasPeers && stored !== null) await parts.routes.confirmed();
    connection.outlet.output.uncork();
    this.state = OpeningState.confirmed;
    return !session.hasEnded;
  }
}
