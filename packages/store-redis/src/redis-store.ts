import {
  type AppendOrigin,
  type AppendRequest,
  type AppendResult,
  type Claim,
  type ClaimRequest,
  type DueTimes,
  type DurableFilter,
  type DurableGroup,
  type EndpointId,
  type GroupChange,
  type GroupClaim,
  type GroupKey,
  type GroupReservation,
  type LogLimits,
  type LogPage,
  type RetainedPage,
  type SessionChange,
  type SessionKey,
  type Store,
  type StoredSubscription,
  type StoredWill,
  StoreError,
} from '@dunlin/broker';
import { matchedFilter } from '@dunlin/protocol';
import { Opened } from './opened.ts';
import { type RedisStoreOptions, readSettings, type Settings } from './options.ts';
import { endsSessions } from './order.ts';

/**
 * The store in Redis or Valkey. What is called first is sent first; see order.ts for operations of several steps and turn.ts for how calls of
 * one turn of the event loop share script calls.
 */
export class RedisStore implements Store {
  readonly name: string;
  private readonly settings: Settings;
  private opened: Opened | null;

  /** Throws `RedisUrlError` for a URL that cannot be used. */
  constructor(options: RedisStoreOptions) {
    this.name = 'redis';
    this.settings = readSettings(options);
    this.opened = null;
  }

  /** Resolves when Redis is connected and was found usable. Until then it is tried again; `close` ends that with `closed`. */
  async open(): Promise<void> {
    this.opened ??= new Opened(this.settings);
    await this.opened.connected;
  }

  async close(): Promise<void> {
    const { opened } = this;
    this.opened = null;
    await opened?.close();
  }

  async claim(request: ClaimRequest, now: number): Promise<Claim> {
    const { order, sessions } = this.use();
    return order.multiple([`s${request.clientId}`, endsSessions], (sent) => sessions.claim(request, now, sent));
  }

  async release(key: SessionKey, change: SessionChange, now: number): Promise<void> {
    const { order, sessions } = this.use();
    const touches = [`s${key.clientId}`, endsSessions];
    return order.multiple(touches, (sent) => sessions.release(key, change, now, sent));
  }

  async subscribe(key: SessionKey, subscriptions: StoredSubscription[]): Promise<DurableFilter[]> {
    const { order, sessions } = this.use();
    const touches = [`s${key.clientId}`, ...subscriptions.map(({ filter }) => `l${matchedFilter(filter)}`)];
    return order.multiple(touches, (sent) => sessions.subscribe(key, subscriptions, sent));
  }

  async unsubscribe(key: SessionKey, filters: string[]): Promise<void> {
    const { order, sessions } = this.use();
    const touches = [`s${key.clientId}`, ...filters.map((filter) => `l${matchedFilter(filter)}`)];
    return order.multiple(touches, (sent) => sessions.removeCursors(key, filters, 'gone', sent));
  }

  async endCursors(key: SessionKey, filters: string[]): Promise<void> {
    const { order, sessions } = this.use();
    const touches = [`s${key.clientId}`, ...filters.map((filter) => `l${filter}`)];
    return order.multiple(touches, (sent) => sessions.removeCursors(key, filters, 'ended', sent));
  }

  async update(key: SessionKey, change: SessionChange): Promise<void> {
    const { order, sessions } = this.use();
    const tellsLogs = (change.cursors?.length ?? 0) + (change.inboundDelete?.length ?? 0) > 0;
    const touches = [`s${key.clientId}`];
    if (tellsLogs) return order.multiple(touches, (sent) => sessions.update(key, change, sent));
    return order.single(touches, () => sessions.update(key, change, () => {}));
  }

  async deleteSession(clientId: string): Promise<void> {
    const { order, sessions } = this.use();
    return order.multiple(null, (sent) => sessions.delete(clientId, sent));
  }

  async expireSessions(now: number, limit: number): Promise<string[]> {
    const { order, sessions } = this.use();
    return order.multiple(null, (sent) => sessions.expire(now, limit, sent));
  }

  async releaseOwner(owner: EndpointId, now: number): Promise<void> {
    const { order, sessions } = this.use();
    return order.multiple(null, (sent) => sessions.releaseOwner(owner, now, sent));
  }

  async owners(): Promise<EndpointId[]> {
    const { order, sessions } = this.use();
    return order.single(null, () => sessions.owners());
  }

  async dueTimes(until: number): Promise<DueTimes> {
    const { order, sessions, wills, delayed } = this.use();
    return order.single(null, async () => {
      const due = await Promise.all([sessions.nextEnd(until), wills.nextDue(until), delayed.nextDue(until)]);
      return { sessions: due[0], wills: due[1], delayed: due[2] };
    });
  }

  async countSessions(): Promise<number> {
    const { order, sessions } = this.use();
    return order.single(null, () => sessions.count());
  }

  async durableFilters(): Promise<DurableFilter[]> {
    const { order, logs } = this.use();
    return order.single(null, () => logs.durableFilters());
  }

  async logEnds(filters: readonly string[]): Promise<number[]> {
    const { order, logs } = this.use();
    if (order.free) return logs.ends(filters);
    return order.single(
      filters.map((filter) => `l${filter}`),
      () => logs.ends(filters),
    );
  }

  async append(requests: AppendRequest[], _now: number, origin?: AppendOrigin): Promise<AppendResult[]> {
    const { order, appends } = this.use();
    if (requests.some((request) => request.producer !== null || request.inbound !== null)) {
      return order.multiple(touchesOf(requests), (sent) => appends.withProducers(requests, origin, sent));
    }
    if (order.free) return appends.plain(requests, origin);
    return order.single(touchesOf(requests), () => appends.plain(requests, origin));
  }

  async readLog(filter: string, from: number, messagesMax: number, bytesMax: number, now: number): Promise<LogPage> {
    const { order, logs } = this.use();
    return order.single([`l${filter}`], () => logs.read(filter, from, messagesMax, bytesMax, now));
  }

  async trimLogs(limits: LogLimits, now: number): Promise<number> {
    const { order, logs } = this.use();
    return order.multiple(null, (sent) => logs.trim(limits, now, sent));
  }

  async durableGroups(): Promise<DurableGroup[]> {
    const { order, groups } = this.use();
    return order.single(null, () => groups.list());
  }

  async claimGroup(group: string): Promise<GroupClaim> {
    const { order, groups } = this.use();
    return order.single([`l${matchedFilter(group)}`], () => groups.claim(group));
  }

  async updateGroup(key: GroupKey, change: GroupChange): Promise<void> {
    const { order, groups } = this.use();
    return order.single([`l${matchedFilter(key.group)}`], () => groups.update(key, change));
  }

  async reserveMessages(key: GroupKey, reservations: GroupReservation[]): Promise<boolean[]> {
    const { order, groups } = this.use();
    return order.single([`l${matchedFilter(key.group)}`], () => groups.reserve(key, reservations));
  }

  async groupReservations(group: string): Promise<GroupReservation[]> {
    const { order, groups } = this.use();
    return order.single([`l${matchedFilter(group)}`], () => groups.reservations(group));
  }

  async setRetained(topic: string, record: Uint8Array | null, expiresAt: number): Promise<void> {
    return this.use().retained.set(topic, record, expiresAt);
  }

  async readRetained(filter: string, after: string | null, limit: number, now: number): Promise<RetainedPage> {
    return this.use().retained.read(filter, after, limit, now);
  }

  async countRetained(): Promise<number> {
    return this.use().retained.count();
  }

  async setWill(
    key: SessionKey,
    owner: EndpointId,
    will: { record: Uint8Array; delaySeconds: number } | null,
  ): Promise<void> {
    const { order, wills } = this.use();
    return order.single([`s${key.clientId}`], () => wills.set(key, owner, will));
  }

  async scheduleWill(key: SessionKey, dueAt: number): Promise<void> {
    const { order, wills } = this.use();
    return order.single([`s${key.clientId}`], () => wills.schedule(key, dueAt));
  }

  async takeDueWills(now: number, limit: number): Promise<StoredWill[]> {
    const { order, wills } = this.use();
    return order.multiple(null, (sent) => wills.takeDue(now, limit, sent));
  }

  async removeWill(clientId: string, epoch: number): Promise<void> {
    const { order, wills } = this.use();
    return order.single([`s${clientId}`], () => wills.remove(clientId, epoch));
  }

  async addDelayed(record: Uint8Array, dueAt: number): Promise<void> {
    const { order, delayed } = this.use();
    return order.single(delayedTouches, () => delayed.add(record, dueAt));
  }

  async takeDueDelayed(now: number, limit: number): Promise<{ id: string; record: Uint8Array }[]> {
    const { order, delayed } = this.use();
    return order.multiple(delayedTouches, (sent) => delayed.takeDue(now, limit, sent));
  }

  async removeDelayed(id: string): Promise<void> {
    const { order, delayed } = this.use();
    return order.single(delayedTouches, () => delayed.remove(id));
  }

  private use(): Opened {
    if (this.opened === null) throw new StoreError('closed', 'the Redis store is closed');
    return this.opened;
  }
}

const delayedTouches = ['d'];

function touchesOf(requests: readonly AppendRequest[]): string[] {
  const touches = new Set<string>();
  for (const { filters, producer, inbound } of requests) {
    for (const filter of filters) touches.add(`l${filter}`);
    if (producer !== null) touches.add(`s${producer.clientId}`);
    if (inbound !== null) touches.add(`s${inbound.key.clientId}`);
  }
  return [...touches];
}
