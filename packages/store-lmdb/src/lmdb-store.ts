import { setImmediate as nextTurn } from 'node:timers/promises';
import type {
  AppendOrigin,
  AppendRequest,
  AppendResult,
  Claim,
  ClaimRequest,
  DueTimes,
  DurableFilter,
  DurableGroup,
  EndpointId,
  GroupChange,
  GroupClaim,
  GroupKey,
  GroupReservation,
  LogLimits,
  LogPage,
  RetainedPage,
  SessionChange,
  SessionKey,
  Store,
  StoredSubscription,
  StoredWill,
  StoreError,
} from '@dunlin/broker';
import { ownersOf } from './claims.ts';
import { type Durability, openClaims, openMain, writeMarker } from './environment.ts';
import type { TrimStep } from './logs.ts';
import { closed, Opened } from './opened.ts';

export interface LmdbStoreOptions {
  /** A directory; created if missing. Several worker threads of one process may open it, each with its own LmdbStore. */
  path: string;
  /**
   * Events that a resolved promise survives. `fsync`: power loss. `memory`: `kill -9` of the process; after a power
   * loss the file may be damaged and is refused.
   */
  durability: Durability;
  /** No other thread claims client identifiers on this path as long as this store is open: then claims need not be shared, and a connect is cheaper. Default false. */
  exclusive?: boolean;
  /** Address space reserved at the start, default 16 GiB. The map grows when the data does; this is no limit. */
  mapSizeBytes?: number;
  /** Called with the first write that the disk does not take, and with null when it takes them again. Calls that fail so are `unavailable`; what is stored can be read. */
  onWrites?: (failure: StoreError | null) => void;
}

/**
 * The store embedded in the process. Calls of one turn of the event loop, and those that arrive while a commit is under way, share a write
 * transaction, so what several threads do at once is ordered by LMDB's one write lock.
 */
export class LmdbStore implements Store {
  readonly name: string;
  private readonly options: LmdbStoreOptions;
  private opened: Opened | null;

  constructor(options: LmdbStoreOptions) {
    this.name = 'lmdb';
    this.options = options;
    this.opened = null;
  }

  async open(): Promise<void> {
    if (this.opened !== null) return;
    const { path, durability, mapSizeBytes, exclusive } = this.options;
    const main = openMain(path, durability, mapSizeBytes);
    try {
      const claims = exclusive === true ? null : openClaims(path);
      this.opened = new Opened(
        main,
        claims,
        durability,
        durability === 'memory' ? writeMarker(path) : null,
        (failure) => this.options.onWrites?.(failure),
      );
    } catch (cause) {
      await main.root.close();
      throw cause;
    }
  }

  async close(): Promise<void> {
    const opened = this.opened;
    if (opened === null) return;
    this.opened = null;
    await opened.close();
  }

  claim(request: ClaimRequest, now: number): Promise<Claim> {
    const store = this.opened;
    if (store === null) return Promise.reject(closed());
    const claim = store.beginClaim(request, now);
    return claim.then((answer) => store.large.finish(answer));
  }

  release(key: SessionKey, change: SessionChange, now: number): Promise<void> {
    const store = this.opened;
    if (store === null) return Promise.reject(closed());
    const released = store.shortWay<number | undefined>(
      key.clientId,
      () => store.releaseEphemeral(key),
      () => store.release(key, change, now),
    );
    return released.then((ended) => (ended === undefined ? undefined : store.large.end(key.clientId, ended, now)));
  }

  async subscribe(key: SessionKey, subscriptions: StoredSubscription[]): Promise<DurableFilter[]> {
    const store = this.use();
    return store.write(key.clientId, () => store.sessions.subscribe(store.sessions.require(key), subscriptions));
  }

  async unsubscribe(key: SessionKey, filters: string[]): Promise<void> {
    const store = this.use();
    return store.write(key.clientId, () => store.sessions.unsubscribe(store.sessions.require(key), filters));
  }

  async endCursors(key: SessionKey, filters: string[]): Promise<void> {
    const store = this.use();
    return store.write(key.clientId, () => store.sessions.endCursors(store.sessions.require(key), filters));
  }

  async update(key: SessionKey, change: SessionChange): Promise<void> {
    const store = this.use();
    return store.write(key.clientId, () => store.sessions.update(store.sessions.require(key), change));
  }

  async deleteSession(clientId: string): Promise<void> {
    const store = this.use();
    const ended = await store.write(clientId, () => {
      const session = store.sessions.find(clientId);
      return session === null || store.ends.endSession(session, 0) ? undefined : session.number;
    });
    if (ended !== undefined) await store.large.end(clientId, ended, 0);
  }

  async expireSessions(now: number, limit: number): Promise<string[]> {
    const store = this.use();
    const ended: string[] = [];
    for (let isLeft = true; isLeft && ended.length < limit; ) {
      const step = await store.writeAll(() => store.ends.expireStep(now, limit - ended.length));
      ended.push(...step.ended);
      isLeft = step.isLeft;
      if (isLeft) await nextTurn();
    }
    return ended;
  }

  async releaseOwner(owner: EndpointId, now: number): Promise<void> {
    const store = this.use();
    while (await store.writeAll(() => store.ends.releaseOwnerStep(owner, now)));
  }

  async owners(): Promise<EndpointId[]> {
    const store = this.use();
    return store.writeAll(() => {
      const owners = new Set<EndpointId>();
      ownersOf(store.tables.owner, owners);
      store.claims.owners(owners);
      return [...owners];
    });
  }

  async dueTimes(until: number): Promise<DueTimes> {
    const store = this.use();
    return store.read(() => ({
      sessions: store.sessions.nextDue(until),
      wills: store.wills.nextDue(until),
      delayed: store.delayed.nextDue(until),
    }));
  }

  async countSessions(): Promise<number> {
    const store = this.use();
    return store.read(() => store.sessions.count());
  }

  async durableFilters(): Promise<DurableFilter[]> {
    const store = this.use();
    const filters: DurableFilter[] = [];
    for (let from: Buffer | undefined; ; await nextTurn()) {
      const page = await store.read(() => store.logs.durableFilters(from));
      filters.push(...page.filters);
      if (page.next === null) return filters;
      from = page.next;
    }
  }

  async logEnds(filters: readonly string[]): Promise<number[]> {
    const store = this.use();
    return store.read(() => filters.map((filter) => store.logs.head(filter)?.lastSequence ?? 0));
  }

  append(requests: AppendRequest[], _now: number, origin?: AppendOrigin): Promise<AppendResult[]> {
    const store = this.opened;
    if (store === null) return Promise.reject(closed());
    if (origin === undefined) return store.write(null, () => store.append(requests, null), true);
    return store.appendOnce(requests, origin);
  }

  async readLog(filter: string, from: number, messagesMax: number, bytesMax: number, now: number): Promise<LogPage> {
    const store = this.use();
    return store.read(() => store.logs.readLog(filter, from, messagesMax, bytesMax, now));
  }

  async trimLogs(limits: LogLimits, now: number): Promise<number> {
    const store = this.use();
    let dropped = 0;
    let after: Buffer | null = null;
    do {
      const from: Buffer | null = after;
      const step: TrimStep = await store.write(null, () => store.logs.trimStep(from, limits, now));
      dropped += step.dropped;
      after = step.after;
    } while (after !== null);
    return dropped;
  }

  async durableGroups(): Promise<DurableGroup[]> {
    const store = this.use();
    return store.read(() => store.groups.list());
  }

  async claimGroup(group: string): Promise<GroupClaim> {
    const store = this.use();
    return store.write(null, () => store.groups.claim(group));
  }

  async updateGroup(key: GroupKey, change: GroupChange): Promise<void> {
    const store = this.use();
    return store.write(null, () => store.groups.update(key, change));
  }

  async reserveMessages(key: GroupKey, reservations: GroupReservation[]): Promise<boolean[]> {
    const store = this.use();
    return store.write(null, () => store.groups.reserve(key, reservations));
  }

  async groupReservations(group: string): Promise<GroupReservation[]> {
    const store = this.use();
    return store.read(() => store.groups.reservations(group));
  }

  async setRetained(topic: string, record: Uint8Array | null, expiresAt: number): Promise<void> {
    const store = this.use();
    return store.write(null, () => store.retained.set(topic, record, expiresAt), record !== null);
  }

  async readRetained(filter: string, after: string | null, limit: number, now: number): Promise<RetainedPage> {
    const store = this.use();
    return store.read(() => store.retained.read(filter, after, limit, now));
  }

  async countRetained(): Promise<number> {
    const store = this.use();
    return store.read(() => store.retained.count());
  }

  async setWill(
    key: SessionKey,
    owner: EndpointId,
    will: { record: Uint8Array; delaySeconds: number } | null,
  ): Promise<void> {
    const store = this.use();
    if (will !== null) store.presence?.add(key.clientId);
    return store.write(key.clientId, () => {
      store.fence(key);
      store.wills.set(key, owner, will);
    });
  }

  async scheduleWill(key: SessionKey, dueAt: number): Promise<void> {
    const store = this.use();
    return store.write(key.clientId, () => {
      store.fence(key);
      const will = store.wills.find(key.clientId);
      if (will !== null && will.epoch === key.epoch) store.wills.schedule(will, dueAt);
    });
  }

  async takeDueWills(now: number, limit: number): Promise<StoredWill[]> {
    const store = this.use();
    return store.write(null, () => store.wills.takeDue(now, limit));
  }

  async removeWill(clientId: string, epoch: number): Promise<void> {
    const store = this.use();
    return store.write(clientId, () => {
      const will = store.wills.find(clientId);
      if (will !== null && will.epoch === epoch) store.wills.remove(will);
    });
  }

  async addDelayed(record: Uint8Array, dueAt: number): Promise<void> {
    const store = this.use();
    return store.write(null, () => store.delayed.add(record, dueAt), true);
  }

  async takeDueDelayed(now: number, limit: number): Promise<{ id: string; record: Uint8Array }[]> {
    const store = this.use();
    return store.write(null, () => store.delayed.takeDue(now, limit));
  }

  async removeDelayed(id: string): Promise<void> {
    const store = this.use();
    return store.write(null, () => store.delayed.remove(id));
  }

  private use(): Opened {
    if (this.opened === null) throw closed();
    return this.opened;
  }
}
