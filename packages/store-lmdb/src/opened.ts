import { LastBatches } from '@dunlin/broker/memory';
import {
  type AppendOrigin,
  type AppendRequest,
  type AppendResult,
  type Claim,
  type ClaimRequest,
  type EndpointId,
  refuseOtherUser,
  type SessionChange,
  type SessionKey,
  type StoredWill,
  StoreError,
} from '@dunlin/broker/ports';
import { Bans } from './bans.ts';
import { Batch } from './batch.ts';
import { type ClaimBook, Claims } from './claims.ts';
import { closed } from './closed.ts';
import { Delayed } from './delayed.ts';
import {
  type ClaimTables,
  type Durability,
  type Environment,
  flush,
  removeMarker,
  type Tables,
} from './environment.ts';
import { Groups } from './groups.ts';
import { LargeSessions } from './large-sessions.ts';
import { Logs } from './logs.ts';
import { type PresenceFilter, presenceOf } from './presence-filter.ts';
import { PrivateClaims } from './private-claims.ts';
import { RecordWriter } from './records.ts';
import { Retained } from './retained.ts';
import { SessionEnds } from './session-ends.ts';
import { SessionReading } from './session-reading.ts';
import type { SessionRecord } from './session-records.ts';
import { ENDED_AT, Sessions } from './sessions.ts';
import { storedWill, Wills } from './wills.ts';
import { WriteWatch } from './write-watch.ts';

/** Key in the table `meta` that is written to check whether the disk accepts writes. */
const probeKey = Buffer.from('probe');
const PROBE_BYTES = 128 * 1024;

/** Result of the short way when only a transaction of the main environment may decide. */
export const LONG_WAY = Symbol('long way');

export interface OpenedParts {
  main: Environment<Tables>;
  /** Null: no other thread shares the claims. */
  claimed: Environment<ClaimTables> | null;
  durability: Durability;
  /** Path of the marker file, which a close removes; null: there is none. */
  marker: string | null;
  writesChanged: (failure: StoreError | null) => void;
}

/** Open store: the two environments, the parts of the state, and steps that touch several of them, in transactions. */
export class Opened {
  readonly tables: Tables;
  readonly logs: Logs;
  readonly groups: Groups;
  readonly sessions: Sessions;
  readonly claims: ClaimBook;
  readonly wills: Wills;
  readonly delayed: Delayed;
  readonly bans: Bans;
  readonly retained: Retained;
  private readonly lastBatches: LastBatches;
  readonly ends: SessionEnds;
  readonly large: LargeSessions;
  private readonly main: Environment<Tables>;
  /** Set when no other thread shares the claims: it is told of every client before something is stored for it. */
  readonly presence: PresenceFilter | null;
  /** Shared claims; null: no other thread shares them. */
  private readonly claimed: Environment<ClaimTables> | null;
  private readonly marker: string | null;
  private isClosing: boolean;
  private readonly mainBatch: Batch;
  private readonly writes: WriteWatch;
  private readonly claimBatch: Batch | null;
  /**
   * Calls per client identifier that a main transaction has yet to run or commit: while there are any, the short way is
   * closed for it.
   */
  private readonly onLongWay: Map<string, number>;
  /** Calls under way that may concern every client: while there are any, the short way is closed. */
  private everybodyOnLongWay: number;

  constructor({ main, claimed, durability, marker, writesChanged }: OpenedParts) {
    const writer = new RecordWriter();
    this.lastBatches = new LastBatches();
    this.large = new LargeSessions(this);
    this.main = main;
    this.claimed = claimed;
    this.presence = claimed === null ? presenceOf([main.tables.session, main.tables.will]) : null;
    this.marker = marker;
    this.tables = main.tables;
    this.logs = new Logs(main.tables, writer);
    this.groups = new Groups(main.tables, writer, this.logs);
    this.sessions = new Sessions(main.tables, writer, this.logs, this.groups);
    this.claims = claimed === null ? new PrivateClaims() : new Claims(claimed.tables, writer);
    this.wills = new Wills(main.tables, writer);
    this.ends = new SessionEnds(main.tables, this.sessions, this.claims, this.wills);
    this.delayed = new Delayed(main.tables, writer);
    this.bans = new Bans(main.tables, writer);
    this.retained = new Retained(main.tables, writer);
    this.isClosing = false;
    this.onLongWay = new Map();
    this.everybodyOnLongWay = 0;
    this.writes = new WriteWatch(writesChanged, () => this.probe());
    this.mainBatch = new Batch(
      main.root,
      durability === 'memory',
      (calls, special) => this.aroundMain(calls, special),
      (failure) => this.writes.failed(failure),
    );
    this.claimBatch = claimed === null ? null : new Batch(claimed.root, true, (calls) => this.aroundClaims(calls));
  }

  /**
   * Runs a call in a transaction of the main environment, in the order of the calls; calls that wait on the short way
   * go first. `clientId`: the client whose claim it may touch; null: none. `grows`: it adds to the stored data, and may
   * wait for room.
   */
  write<T>(clientId: string | null, run: () => T, grows = false): Promise<T> {
    if (this.isClosing) return Promise.reject(closed());
    this.claimBatch?.flush();
    if (clientId === null) return this.mainBatch.call(run, false, grows);
    return new Promise<T>((resolve, reject) => this.pushLong(clientId, run, resolve, reject));
  }

  /** Runs a transaction as `write` does, for calls that may touch or read the claim of any client. */
  async writeAll<T>(run: () => T): Promise<T> {
    if (this.isClosing) throw closed();
    this.claimBatch?.flush();
    this.everybodyOnLongWay++;
    try {
      return await this.mainBatch.call(run, true);
    } finally {
      this.everybodyOnLongWay--;
    }
  }

  /** Reads at once when no call of this store is under way; otherwise after them. */
  async read<T>(run: () => T): Promise<T> {
    if (this.isClosing) throw closed();
    this.claimBatch?.flush();
    if (this.mainBatch.busy) return this.mainBatch.call(run);
    // Other threads may have committed since the snapshot of this thread was taken.
    this.main.root.resetReadTxn();
    this.logs.begin();
    try {
      return run();
    } catch (cause) {
      if (cause instanceof StoreError) throw cause;
      throw new StoreError('unavailable', `LMDB: ${(cause as Error).message}`, cause);
    }
  }

  /** Tries with the environment of claims alone; `short` returns LONG_WAY when that cannot decide. */
  shortWay<T>(clientId: string, short: () => T | typeof LONG_WAY, long: () => T): Promise<T> {
    if (this.everybodyOnLongWay > 0 || this.onLongWay.has(clientId)) return this.write(clientId, long);
    return new Promise<T>((resolve, reject) => {
      const decide = (outcome: T | typeof LONG_WAY): void => {
        if (outcome === LONG_WAY) this.pushLong(clientId, long, resolve, reject);
        else resolve(outcome);
      };
      if (this.claimBatch === null) decide(short());
      else this.claimBatch.push(short, false, decide, reject);
    });
  }

  /** Begins a claim; `large.finish` does the rest before it can be answered. */
  beginClaim(request: ClaimRequest, now: number): Promise<Claim> {
    const { clientId } = request;
    if (request.sessionExpirySeconds > 0) {
      this.presence?.add(clientId);
      return this.write(clientId, () => this.claim(request, now));
    }
    return this.shortWay(
      clientId,
      () => this.claimEphemeral(request),
      () => this.claim(request, now),
    );
  }

  claimEphemeral(request: ClaimRequest): Claim | typeof LONG_WAY {
    const found = this.claims.find(request.clientId);
    if (this.mayBeStored(request.clientId, found)) return LONG_WAY;
    if (this.mayHaveWill(request.clientId)) return LONG_WAY;
    refuseOtherUser(found?.user ?? '', request);
    return this.claims.take(request, found, 0);
  }

  releaseEphemeral(key: SessionKey): undefined | typeof LONG_WAY {
    const found = this.claims.find(key.clientId);
    if (this.mayBeStored(key.clientId, found)) return LONG_WAY;
    if (found !== null && found.epoch === key.epoch) this.claims.forget(key.clientId, found, found.epoch);
  }

  claim(request: ClaimRequest, now: number): Claim {
    const { clientId, cleanStart, sessionExpirySeconds } = request;
    const found = this.claims.find(clientId);
    let session = this.sessions.find(clientId);
    const previousOwner = session === null ? (found?.owner ?? '') : session.owner;
    const epochBefore = session?.epoch ?? 0;
    const isPast = session !== null && session.expiresAt > 0 && session.expiresAt <= now;
    if (!isPast || session?.expiresAt === ENDED_AT) refuseOtherUser(session?.user ?? found?.user ?? '', request);
    const ended = isPast || (session !== null && cleanStart);
    this.sessions.quota.check(request, session, ended);
    const will = this.claimWill(clientId, session !== null && !ended, session !== null && cleanStart);
    if (session !== null && ended) {
      if (!this.sessions.removeSome(session)) return this.claimEnded(request, session, previousOwner, will);
      session = null;
    }
    if (session === null && sessionExpirySeconds === 0) {
      return { ...this.claims.take(request, found, epochBefore), previousOwner, will };
    }
    const epoch = this.claims.nextEpoch(epochBefore, found);
    if (session === null) {
      this.claims.mark(clientId, found, epoch);
      this.sessions.create(request, epoch);
      return { epoch, previousOwner, session: null, will };
    }
    const reading = new SessionReading(session);
    this.sessions.readSome(session, reading);
    this.sessions.claim(session, request, epoch);
    const claim = { epoch, previousOwner, session: reading.stored, will };
    if (!reading.isWhole) this.large.readRest(claim, session, reading);
    return claim;
  }

  /** The claim ends a session that is too large to be removed at once. */
  private claimEnded(
    request: ClaimRequest,
    session: SessionRecord,
    previousOwner: EndpointId,
    will: StoredWill | null,
  ): Claim {
    const epoch = this.claims.nextEpoch(session.epoch, null);
    this.sessions.markEnded(session, request.owner, epoch, request.user);
    const claim = { epoch, previousOwner, session: null, will };
    this.large.removeRest(claim, request);
    return claim;
  }

  /** Returns the number of a session that has ended and is still to be removed (`LargeSessions.end`). */
  release(key: SessionKey, change: SessionChange, now: number): number | undefined {
    const session = this.sessions.find(key.clientId);
    if (session === null) {
      const found = this.claims.find(key.clientId);
      if (found !== null && found.epoch === key.epoch) this.claims.forget(key.clientId, found, found.epoch);
      return;
    }
    if (session.epoch !== key.epoch || session.owner === '') return;
    this.sessions.update(session, change);
    return this.ends.disconnect(session, now) ? undefined : session.number;
  }

  /** Appends in a transaction of its own, as the port requires of appends with an origin. */
  async appendOnce(requests: readonly AppendRequest[], origin: AppendOrigin): Promise<AppendResult[]> {
    let isNew = false;
    try {
      return await this.write(
        null,
        () => {
          const known = this.lastBatches.find(origin);
          const results = this.append(requests, known);
          isNew = known === null;
          if (isNew) this.lastBatches.remember(origin, results);
          return results;
        },
        true,
      );
    } catch (cause) {
      // The transaction was aborted, and its appends with it.
      if (isNew) this.lastBatches.forget(origin);
      throw cause;
    }
  }

  /** `known`: the numbers of an earlier attempt. Within a transaction. */
  append(requests: readonly AppendRequest[], known: readonly AppendResult[] | null): AppendResult[] {
    const results: AppendResult[] = new Array(requests.length);
    for (let index = 0; index < requests.length; index++) {
      const request = requests[index];
      const { inbound } = request;
      if (inbound === null) {
        results[index] = known === null ? this.logs.append(request) : known[index];
        continue;
      }
      const session = this.sessions.find(inbound.key.clientId);
      if (session === null || session.epoch !== inbound.key.epoch) {
        // The session of the publisher has moved: this request alone is refused.
        results[index] = [];
        continue;
      }
      results[index] = known === null ? this.logs.append(request) : known[index];
      this.sessions.putInbound(session, inbound.packetId, request.producer?.number ?? 0, inbound.digest);
    }
    return results;
  }

  /** Throws `fenced` when the claim has gone to a later epoch. */
  fence(key: SessionKey): void {
    const epoch = this.sessions.find(key.clientId)?.epoch ?? this.claims.find(key.clientId)?.epoch ?? 0;
    if (epoch > key.epoch) throw new StoreError('fenced', `epoch ${key.epoch} is not the claim's, which is ${epoch}`);
  }

  /** Writes a record that is never read, of a size that does not fit into the free space of a transaction. */
  private async probe(): Promise<void> {
    const { meta } = this.main.tables;
    await this.mainBatch.call(() => void meta.put(probeKey, Buffer.alloc(PROBE_BYTES)), false, true);
    await this.mainBatch.call(() => void meta.remove(probeKey));
  }

  async close(): Promise<void> {
    this.isClosing = true;
    this.writes.stop();
    this.claimBatch?.flush();
    await this.mainBatch.settled();
    if (this.marker !== null) await flush(this.main);
    await this.main.root.close();
    await this.claimed?.root.close();
    if (this.marker !== null) removeMarker(this.marker);
  }

  /**
   * Removes a scheduled will; returns it if its session has ended. The will of a connection that lasts is returned and
   * kept, unless the session is cleaned away.
   */
  private claimWill(clientId: string, goesOn: boolean, cleaned: boolean): StoredWill | null {
    const will = this.wills.find(clientId);
    if (will === null) return null;
    const scheduled = will.dueAt !== Infinity;
    if (scheduled || cleaned) this.wills.remove(will);
    return scheduled && goesOn ? null : storedWill(will);
  }

  private pushLong<T>(
    clientId: string,
    run: () => T,
    resolve: (value: T) => void,
    reject: (cause: unknown) => void,
  ): void {
    this.onLongWay.set(clientId, (this.onLongWay.get(clientId) ?? 0) + 1);
    const leave = (): void => {
      const left = (this.onLongWay.get(clientId) ?? 1) - 1;
      if (left === 0) this.onLongWay.delete(clientId);
      else this.onLongWay.set(clientId, left);
    };
    this.mainBatch.push(
      run,
      true,
      (value) => {
        leave();
        resolve(value);
      },
      (cause) => {
        leave();
        reject(cause);
      },
    );
  }

  private mayBeStored(clientId: string, found: { owner: EndpointId } | null): boolean {
    if (found !== null && found.owner === '') return true;
    if (this.presence !== null && !this.presence.mayHave(clientId)) return false;
    return this.sessions.isStored(clientId);
  }

  private mayHaveWill(clientId: string): boolean {
    if (this.presence !== null && !this.presence.mayHave(clientId)) return false;
    return this.wills.find(clientId) !== null;
  }

  private aroundMain(calls: () => void, touchClaims: boolean): void {
    this.claimBatch?.flush();
    this.logs.begin();
    if (touchClaims && this.claimed !== null) this.claimed.root.transactionSync(() => this.withClaims(calls));
    else calls();
    this.logs.finish();
  }

  private aroundClaims(calls: () => void): void {
    // The lock of the claims is held now: a snapshot taken from here on contains every session whose mark is gone.
    this.main.root.resetReadTxn();
    this.withClaims(calls);
  }

  private withClaims(calls: () => void): void {
    this.claims.begin();
    calls();
    this.claims.finish();
  }
}
