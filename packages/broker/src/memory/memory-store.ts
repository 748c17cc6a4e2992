import { isShared } from '@dunlin/protocol';
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
} from '../ports/store.ts';
import { LastBatches } from './last-batches.ts';
import { MemoryGroups } from './memory-groups.ts';
import { MemoryLogs } from './memory-logs.ts';
import { MemoryRetained } from './memory-retained.ts';
import { copyOf, MemorySession } from './memory-session.ts';
import { nextDue, takeDue, type Waiting } from './waiting.ts';

const NEVER_SECONDS = 0xffffffff;

interface Held {
  epoch: number;
  owner: EndpointId;
  /** Null: an ephemeral session, nothing is stored. */
  session: MemorySession | null;
}

/**
 * The store for tests, and the model of the others: the port's contract in plain objects. Nothing survives the object; `close` and `open`
 * again keep what it holds.
 */
export class MemoryStore implements Store {
  readonly name = 'memory';
  private isOpen = false;
  private readonly held = new Map<string, Held>();
  private readonly logs = new MemoryLogs();
  private readonly groups = new MemoryGroups(this.logs);
  private readonly lastBatches = new LastBatches();
  private readonly retained = new MemoryRetained();
  private readonly wills = new Map<string, Waiting<StoredWill>>();
  private readonly delayed = new Map<string, Waiting<Uint8Array>>();
  /** The highest epoch of a client of whom nothing is kept. */
  private epochForgotten = 0;
  private delayedNumber = 0;

  async open(): Promise<void> {
    this.isOpen = true;
  }

  async close(): Promise<void> {
    this.isOpen = false;
  }

  async claim(request: ClaimRequest, now: number): Promise<Claim> {
    this.check();
    const { clientId, owner, cleanStart, sessionExpirySeconds } = request;
    const found = this.held.get(clientId);
    const stored = found?.session ?? null;
    const ended = stored !== null && (cleanStart || (stored.expiresAt > 0 && stored.expiresAt <= now));
    const will = this.claimWill(clientId, stored !== null && !ended, stored !== null && cleanStart);
    if (stored !== null && ended) this.endSession(stored);
    const kept = ended ? null : stored;
    const epoch = (found?.epoch ?? this.epochForgotten) + 1;
    this.epochForgotten = Math.max(this.epochForgotten, epoch);
    const claim = {
      epoch,
      previousOwner: found?.owner ?? '',
      session: kept === null ? null : kept.stored(),
      will,
    };
    const session = kept ?? (sessionExpirySeconds > 0 ? new MemorySession(clientId) : null);
    if (session !== null) {
      session.sessionExpirySeconds = sessionExpirySeconds;
      session.expiresAt = 0;
    }
    this.held.set(clientId, { epoch, owner, session });
    return claim;
  }

  async release(key: SessionKey, change: SessionChange, now: number): Promise<void> {
    this.check();
    const held = this.held.get(key.clientId);
    if (held === undefined || held.epoch !== key.epoch || held.owner === '') return;
    if (held.session !== null) this.change(held.session, change);
    this.disconnect(key.clientId, held, now);
  }

  async subscribe(key: SessionKey, subscriptions: StoredSubscription[]): Promise<DurableFilter[]> {
    const session = this.require(key);
    return subscriptions.map((subscription) => {
      const { filter } = subscription;
      session.subscriptions.set(filter, { ...subscription });
      if (subscription.qos === 0) {
        this.groups.leave(filter, key.clientId);
        return { filter, lastSequence: session.cursors.has(filter) ? this.logs.end(filter) : 0 };
      }
      if (isShared(filter)) return { filter, lastSequence: this.groups.join(filter, key.clientId) };
      const { lastSequence, added } = this.logs.addCursor(filter, key.clientId);
      if (added) session.cursors.set(filter, { filter, acknowledged: lastSequence, above: [] });
      return { filter, lastSequence };
    });
  }

  async unsubscribe(key: SessionKey, filters: string[]): Promise<void> {
    const session = this.require(key);
    for (const filter of filters) {
      session.subscriptions.delete(filter);
      this.removeCursor(session, filter);
    }
  }

  async endCursors(key: SessionKey, filters: string[]): Promise<void> {
    const session = this.require(key);
    for (const filter of filters) if (session.subscriptions.get(filter)?.qos === 0) this.removeCursor(session, filter);
  }

  async update(key: SessionKey, change: SessionChange): Promise<void> {
    this.change(this.require(key), change);
  }

  async deleteSession(clientId: string): Promise<void> {
    this.check();
    const session = this.held.get(clientId)?.session;
    if (session) this.expire(session, 0);
  }

  async expireSessions(now: number, limit: number): Promise<string[]> {
    this.check();
    const due = this.endedSessions(now).sort((a, b) => a.expiresAt - b.expiresAt);
    const ended = due.slice(0, limit);
    for (const session of ended) this.expire(session, now);
    return ended.map((session) => session.clientId);
  }

  private endedSessions(now: number): MemorySession[] {
    const sessions = Array.from(this.held.values(), ({ session }) => session).filter((session) => session !== null);
    return sessions.filter(({ expiresAt }) => expiresAt > 0 && expiresAt <= now);
  }

  async releaseOwner(owner: EndpointId, now: number): Promise<void> {
    this.check();
    for (const [clientId, held] of this.held) if (held.owner === owner) this.disconnect(clientId, held, now);
    for (const [clientId, waiting] of this.wills) {
      const will = waiting.value;
      if (will.owner !== owner || will.dueAt !== Infinity) continue;
      // No later than the end of the session [MQTT-3.1.3-9].
      const delayMaxSeconds = this.held.get(clientId)?.session?.sessionExpirySeconds ?? 0;
      waiting.nextAt = will.dueAt = now + Math.min(will.delaySeconds, delayMaxSeconds) * 1000;
    }
  }

  async owners(): Promise<EndpointId[]> {
    this.check();
    const owners = new Set<EndpointId>();
    for (const { owner } of this.held.values()) if (owner !== '') owners.add(owner);
    for (const { value } of this.wills.values()) if (value.dueAt === Infinity) owners.add(value.owner);
    return [...owners];
  }

  async dueTimes(until: number): Promise<DueTimes> {
    this.check();
    const sessions = Math.min(...this.endedSessions(until).map(({ expiresAt }) => expiresAt));
    return { sessions, wills: nextDue(this.wills, until), delayed: nextDue(this.delayed, until) };
  }

  async countSessions(): Promise<number> {
    this.check();
    let count = 0;
    for (const { session } of this.held.values()) if (session !== null) count++;
    return count;
  }

  async durableFilters(): Promise<DurableFilter[]> {
    this.check();
    return this.logs.durableFilters();
  }

  async logEnds(filters: readonly string[]): Promise<number[]> {
    this.check();
    return filters.map((filter) => this.logs.end(filter));
  }

  async append(requests: AppendRequest[], _now: number, origin?: AppendOrigin): Promise<AppendResult[]> {
    this.check();
    const known = origin === undefined ? null : this.lastBatches.find(origin);
    const results = requests.map((request, index) => this.appendOne(request, known === null ? null : known[index]));
    if (origin !== undefined && known === null) this.lastBatches.remember(origin, results);
    return results;
  }

  async readLog(filter: string, from: number, messagesMax: number, bytesMax: number, now: number): Promise<LogPage> {
    this.check();
    return this.logs.read(filter, from, messagesMax, bytesMax, now);
  }

  async trimLogs(limits: LogLimits, now: number): Promise<number> {
    this.check();
    return this.logs.trim(limits, now);
  }

  async durableGroups(): Promise<DurableGroup[]> {
    this.check();
    return this.groups.list();
  }

  async claimGroup(group: string): Promise<GroupClaim> {
    this.check();
    return this.groups.claim(group);
  }

  async updateGroup(key: GroupKey, change: GroupChange): Promise<void> {
    this.check();
    this.groups.update(key, change);
  }

  async reserveMessages(key: GroupKey, reservations: GroupReservation[]): Promise<boolean[]> {
    this.check();
    return this.groups.reserve(key, reservations);
  }

  async groupReservations(group: string): Promise<GroupReservation[]> {
    this.check();
    return this.groups.reservations(group);
  }

  async setRetained(topic: string, record: Uint8Array | null, expiresAt: number): Promise<void> {
    this.check();
    this.retained.set(topic, record, expiresAt);
  }

  async readRetained(filter: string, after: string | null, limit: number, now: number): Promise<RetainedPage> {
    this.check();
    return this.retained.read(filter, after, limit, now);
  }

  async countRetained(): Promise<number> {
    this.check();
    return this.retained.size;
  }

  async setWill(
    key: SessionKey,
    owner: EndpointId,
    will: { record: Uint8Array; delaySeconds: number } | null,
  ): Promise<void> {
    this.fence(key);
    this.wills.delete(key.clientId);
    if (will === null) return;
    const { clientId, epoch } = key;
    this.wills.set(clientId, { value: { clientId, owner, epoch, ...will, dueAt: Infinity }, nextAt: Infinity });
  }

  async scheduleWill(key: SessionKey, dueAt: number): Promise<void> {
    this.fence(key);
    const waiting = this.wills.get(key.clientId);
    if (waiting?.value.epoch === key.epoch) waiting.nextAt = waiting.value.dueAt = dueAt;
  }

  async takeDueWills(now: number, limit: number): Promise<StoredWill[]> {
    this.check();
    return takeDue(this.wills, now, limit).map(([, will]) => ({ ...will }));
  }

  async removeWill(clientId: string, epoch: number): Promise<void> {
    this.check();
    if (this.wills.get(clientId)?.value.epoch === epoch) this.wills.delete(clientId);
  }

  async addDelayed(record: Uint8Array, dueAt: number): Promise<void> {
    this.check();
    this.delayed.set(String(++this.delayedNumber), { value: record, nextAt: dueAt });
  }

  async takeDueDelayed(now: number, limit: number): Promise<{ id: string; record: Uint8Array }[]> {
    this.check();
    return takeDue(this.delayed, now, limit).map(([id, record]) => ({ id, record }));
  }

  async removeDelayed(id: string): Promise<void> {
    this.check();
    this.delayed.delete(id);
  }

  /** `known`: what logs were given at an earlier attempt. */
  private appendOne(request: AppendRequest, known: AppendResult | null): AppendResult {
    const { inbound, producer } = request;
    if (inbound === null) return known ?? this.logs.append(request);
    const held = this.held.get(inbound.key.clientId);
    if (!held?.session || held.epoch !== inbound.key.epoch) return [];
    const session = held.session;
    const result = known ?? this.logs.append(request);
    const producerNumber = producer?.number ?? 0;
    session.inbound.set(inbound.packetId, { packetId: inbound.packetId, producerNumber, digest: inbound.digest });
    session.producerNumber = Math.max(session.producerNumber, producerNumber);
    return result;
  }

  private check(): void {
    if (!this.isOpen) throw new StoreError('closed', 'the memory store is closed');
  }

  private require(key: SessionKey): MemorySession {
    this.check();
    const held = this.held.get(key.clientId);
    if (!held?.session) throw new StoreError('unknown-session', 'no session is stored for this client identifier');
    if (held.epoch !== key.epoch)
      throw new StoreError('fenced', `epoch ${key.epoch} is not the claim's, which is ${held.epoch}`);
    return held.session;
  }

  private fence(key: SessionKey): void {
    this.check();
    const epoch = this.held.get(key.clientId)?.epoch ?? 0;
    if (epoch > key.epoch) throw new StoreError('fenced', `epoch ${key.epoch} is not the claim's, which is ${epoch}`);
  }

  /** A scheduled will goes: to the caller if its session has ended. One of a connection that lasts stays, but with a session cleaned away. */
  private claimWill(clientId: string, goesOn: boolean, cleaned: boolean): StoredWill | null {
    const will = this.wills.get(clientId)?.value;
    if (will === undefined) return null;
    const scheduled = will.dueAt !== Infinity;
    if (scheduled || cleaned) this.wills.delete(clientId);
    return scheduled && goesOn ? null : { ...will };
  }

  private disconnect(clientId: string, held: Held, now: number): void {
    held.owner = '';
    const { session } = held;
    if (session === null) this.held.delete(clientId);
    else if (session.sessionExpirySeconds === 0) this.endSession(session);
    else {
      session.expiresAt =
        session.sessionExpirySeconds === NEVER_SECONDS ? Infinity : now + session.sessionExpirySeconds * 1000;
    }
  }

  /** A will that waits for its delay is due when its session is over [MQTT-3.1.2-8]. */
  private expire(session: MemorySession, now: number): void {
    this.endSession(session);
    const waiting = this.wills.get(session.clientId);
    if (waiting !== undefined && waiting.value.dueAt !== Infinity && waiting.value.dueAt > now) {
      waiting.nextAt = waiting.value.dueAt = now;
    }
  }

  private endSession(session: MemorySession): void {
    for (const filter of session.subscriptions.keys()) this.removeCursor(session, filter);
    this.logs.forgetProducer(session.clientId);
    this.held.delete(session.clientId);
  }

  /** The session does not read the log any more, by itself or with a group. */
  private removeCursor(session: MemorySession, filter: string): void {
    this.groups.leave(filter, session.clientId);
    session.cursors.delete(filter);
    this.logs.removeCursor(filter, session.clientId);
  }

  private change(session: MemorySession, change: SessionChange): void {
    if (change.sessionExpirySeconds !== undefined) session.sessionExpirySeconds = change.sessionExpirySeconds;
    for (const cursor of change.cursors ?? []) {
      if (!session.cursors.has(cursor.filter)) continue;
      session.cursors.set(cursor.filter, copyOf(cursor));
      this.logs.moveCursor(cursor.filter, session.clientId, cursor.acknowledged);
    }
    for (const message of change.outboundSet ?? []) session.outbound.set(message.packetId, { ...message });
    for (const packetId of change.outboundDelete ?? []) session.outbound.delete(packetId);
    for (const packetId of change.inboundDelete ?? []) {
      const message = session.inbound.get(packetId);
      if (message === undefined) continue;
      this.logs.forgetProducerNumber(session.clientId, message.producerNumber);
      session.inbound.delete(packetId);
    }
  }
}
