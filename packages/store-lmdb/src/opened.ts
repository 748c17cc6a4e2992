import {
  type AppendOrigin,
  type AppendRequest,
  type AppendResult,
  type Claim,
  type ClaimRequest,
  type EndpointId,
  LastBatches,
  type SessionChange,
  type SessionKey,
  type StoredWill,
  StoreError,
} from '@dunlin/broker';
import { Batch } from './batch.ts';
import { type ClaimBook, Claims } from './claims.ts';
import { Delayed } from './delayed.ts';
import { type ClaimTables, type Durability, type Environment, removeMarker, type Tables } from './environment.ts';
import { Groups } from './groups.ts';
import { behind, digest, kind } from './keys.ts';
import { Logs } from './logs.ts';
import { type PresenceFilter, presenceOf } from './presence-filter.ts';
import { PrivateClaims } from './private-claims.ts';
import { RecordReader, RecordWriter } from './records.ts';
import { Retained } from './retained.ts';
import type { SessionRecord } from './session-records.ts';
import { Sessions } from './sessions.ts';
import { storedWill, Wills } from './wills.ts';
import { WriteWatch } from './write-watch.ts';

/** In the table `meta`: written when it is tried whether the disk takes writes. */
const probeKey = Buffer.from('probe');
const PROBE_BYTES = 128 * 1024;

/** Owned sessions, wills or claims let go of in one transaction. */
const RELEASE_STEP_MAX = 1024;

/** What the short way gives when only a transaction of the main environment may decide. */
export const LONG_WAY = Symbol('long way');

/**
 * An open store: the two environments, the parts of the state, and the steps that touch several of them. Those run within transactions:
 * `write` and `read` say which.
 */
export class Opened {
  readonly tables: Tables;
  readonly logs: Logs;
  readonly groups: Groups;
  readonly sessions: Sessions;
  readonly claims: ClaimBook;
  readonly wills: Wills;
  readonly delayed: Delayed;
  readonly retained: Retained;
  private readonly lastBatches: LastBatches;
  private readonly main: Environment<Tables>;
  /** Set when no other thread shares the claims: told of every client before something is stored for it. */
  readonly presence: PresenceFilter | null;
  /** Null: no other thread shares the claims. */
  private readonly claimed: Environment<ClaimTables> | null;
  private readonly marker: string | null;
  private isClosing: boolean;
  private readonly mainBatch: Batch;
  private readonly writes: WriteWatch;
  private readonly claimBatch: Batch | null;
  /** Calls per client identifier that a main transaction has yet to run or commit: while there are any, the short way is closed. */
  private readonly onLongWay: Map<string, number>;
  /** Calls under way that may concern every client: while there are any, the short way is closed to all. */
  private everybodyOnLongWay: number;

  constructor(
    main: Environment<Tables>,
    claimed: Environment<ClaimTables> | null,
    durability: Durability,
    marker: string | null,
    writesChanged: (failure: StoreError | null) => void,
  ) {
    const writer = new RecordWriter();
    this.lastBatches = new LastBatches();
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
    this.delayed = new Delayed(main.tables, writer);
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

  /** Runs in a transaction of the main environment, in the order of the calls: what waits on the short way goes first. `clientId`: whose claim it may touch; null: nobody's. `grows`: it adds to what is stored, and may wait for room. */
  write<T>(clientId: string | null, run: () => T, grows = false): Promise<T> {
    if (this.isClosing) return Promise.reject(closed());
    this.claimBatch?.flush();
    if (clientId === null) return this.mainBatch.call(run, false, grows);
    return new Promise<T>((resolve, reject) => this.pushLong(clientId, run, resolve, reject));
  }

  /** Like `write`, for what may touch or read anybody's claim. */
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

  /** At once, when nothing of this store is under way; else behind what is. */
  async read<T>(run: () => T): Promise<T> {
    if (this.isClosing) throw closed();
    this.claimBatch?.flush();
    if (this.mainBatch.busy) return this.mainBatch.call(run);
    // Other threads may have committed since this thread's snapshot was taken.
    this.main.root.resetReadTxn();
    this.logs.begin();
    try {
      return run();
    } catch (cause) {
      if (cause instanceof StoreError) throw cause;
      throw new StoreError('unavailable', `LMDB: ${(cause as Error).message}`, cause);
    }
  }

  /** Tries with the claims' environment alone; `short` gives LONG_WAY when that cannot decide. */
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

  claimEphemeral(request: ClaimRequest): Claim | typeof LONG_WAY {
    const found = this.claims.find(request.clientId);
    if (this.mayBeStored(request.clientId, found)) return LONG_WAY;
    if (this.mayHaveWill(request.clientId)) return LONG_WAY;
    return this.claims.take(request, found, 0);
  }

  releaseEphemeral(key: SessionKey): undefined | typeof LONG_WAY {
    const found = this.claims.find(key.clientId);
    if (this.mayBeStored(key.clientId, found)) return LONG_WAY;
    if (found !== null && found.epoch === key.epoch) this.claims.forget(key.clientId, found, found.epoch);
  }

  claim(request: ClaimRequest, now: number): Claim {
    const { clientId, owner, cleanStart, sessionExpirySeconds } = request;
    const found = this.claims.find(clientId);
    let session = this.sessions.find(clientId);
    const previousOwner = session === null ? (found?.owner ?? '') : session.owner;
    const epochBefore = session?.epoch ?? 0;
    const ended = session !== null && (cleanStart || (session.expiresAt > 0 && session.expiresAt <= now));
    const will = this.claimWill(clientId, session !== null && !ended, session !== null && cleanStart);
    if (session !== null && ended) {
      this.sessions.remove(session);
      session = null;
    }
    if (session === null && sessionExpirySeconds === 0) {
      return { ...this.claims.take(request, found, epochBefore), previousOwner, will };
    }
    const epoch = this.claims.nextEpoch(epochBefore, found);
    if (session === null) {
      this.claims.mark(clientId, found, epoch);
      this.sessions.create(clientId, epoch, owner, sessionExpirySeconds);
      return { epoch, previousOwner, session: null, will };
    }
    const stored = this.sessions.read(session);
    this.sessions.claim(session, owner, epoch, sessionExpirySeconds);
    return { epoch, previousOwner, session: stored, will };
  }

  release(key: SessionKey, change: SessionChange, now: number): void {
    const session = this.sessions.find(key.clientId);
    if (session === null) {
      const found = this.claims.find(key.clientId);
      if (found !== null && found.epoch === key.epoch) this.claims.forget(key.clientId, found, found.epoch);
      return;
    }
    if (session.epoch !== key.epoch || session.owner === '') return;
    this.sessions.update(session, change);
    this.disconnect(session, now);
  }

  /** In a transaction of its own making; as the port says of appends with an origin. */
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
      // The transaction was given up, and what it appended with it.
      if (isNew) this.lastBatches.forget(origin);
      throw cause;
    }
  }

  /** `known`: what logs gave at an earlier attempt. Within a transaction. */
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
        // The publisher's session has moved: this request alone is refused.
        results[index] = [];
        continue;
      }
      results[index] = known === null ? this.logs.append(request) : known[index];
      this.sessions.putInbound(session, inbound.packetId, request.producer?.number ?? 0, inbound.digest);
    }
    return results;
  }

  /** The session is over although nobody claimed it: a will that waits for its delay is due [MQTT-3.1.2-8]. */
  endSession(session: SessionRecord, now: number): void {
    this.sessions.remove(session);
    this.claims.forget(session.clientId, this.claims.find(session.clientId), session.epoch);
    const will = this.wills.find(session.clientId);
    if (will !== null && will.dueAt !== Infinity && will.dueAt > now) this.wills.schedule(will, now);
  }

  /** Throws `fenced` when the claim has gone to a later epoch. */
  fence(key: SessionKey): void {
    const epoch = this.sessions.find(key.clientId)?.epoch ?? this.claims.find(key.clientId)?.epoch ?? 0;
    if (epoch > key.epoch) throw new StoreError('fenced', `epoch ${key.epoch} is not the claim's, which is ${epoch}`);
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
        if (session !== null) this.disconnect(session, now);
      }
    }
    const claims = this.claims.releaseOwner(owner, RELEASE_STEP_MAX);
    return found.length === RELEASE_STEP_MAX || claims === RELEASE_STEP_MAX;
  }

  /** A write that nobody reads, of a size that does not fit into what a transaction leaves free. */
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

  /** A scheduled will goes: to the caller if its session has ended. One of a connection that lasts stays, but with a session cleaned away. */
  private claimWill(clientId: string, goesOn: boolean, cleaned: boolean): StoredWill | null {
    const will = this.wills.find(clientId);
    if (will === null) return null;
    const scheduled = will.dueAt !== Infinity;
    if (scheduled || cleaned) this.wills.remove(will);
    return scheduled && !goesOn ? storedWill(will) : null;
  }

  private disconnect(session: SessionRecord, now: number): void {
    this.sessions.disconnect(session, now);
    if (session.sessionExpirySeconds > 0) return;
    this.claims.forget(session.clientId, this.claims.find(session.clientId), session.epoch);
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
    // The lock of the claims is held now: a snapshot taken from here on has every session whose mark is gone.
    this.main.root.resetReadTxn();
    this.withClaims(calls);
  }

  private withClaims(calls: () => void): void {
    this.claims.begin();
    calls();
    this.claims.finish();
  }
}

/** For what goes on by itself while the store is closed under it, such as trimming. */
export function closed(): StoreError {
  return new StoreError('closed', 'the LMDB store is closed');
}

function flush(environment: Environment<unknown>): Promise<void> {
  const root = environment.root as unknown as { sync(done: (cause?: Error) => void): void };
  return new Promise((resolve, reject) => {
    root.sync((cause) => (cause ? reject(new StoreError('unavailable', 'LMDB: flush failed', cause)) : resolve()));
  });
}
