import type { MessagePort } from 'node:worker_threads';
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
import { ownBytes, type StoreCalls, type StoreMethod, type StoreReplies } from './store-message.ts';

interface Waiting {
  resolve(value: unknown): void;
  reject(error: StoreError): void;
}

/**
 * A store that lives in another thread. Calls of one turn of the event loop travel as one message and arrive in the order they were made.
 * When the other thread ends, everything that waits is rejected with `unavailable`.
 */
export class RemoteStore implements Store {
  readonly name: string;
  readonly #port: MessagePort;
  readonly #waiting = new Map<number, Waiting>();
  #batch: StoreCalls['calls'] = [];
  #lastId = 0;
  #closed = false;
  #lost = false;
  #whenIdle: (() => void) | null = null;

  constructor(name: string, port: MessagePort) {
    this.name = name;
    this.#port = port;
    port.on('message', (message: StoreReplies) => this.#settle(message));
    port.on('close', () => this.#portClosed());
  }

  /** The store was opened by the thread it lives in; this asks it for a sign of life. */
  async open(): Promise<void> {
    this.#closed = false;
    this.#port.ref();
    await this.owners();
  }

  /** Waits for what was begun. The port stays, for another `open`; it no longer keeps this thread alive. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#waiting.size > 0) {
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve;
      });
    }
    this.#port.unref();
  }

  #call<T>(method: StoreMethod, ...parameters: unknown[]): Promise<T> {
    if (this.#closed) return Promise.reject(new StoreError('closed', 'the store is closed'));
    if (this.#lost) return Promise.reject(new StoreError('unavailable', 'the store thread has ended'));
    const id = ++this.#lastId;
    if (this.#batch.push({ id, method, parameters: ownBytes(parameters) as unknown[] }) === 1)
      setImmediate(() => this.#send());
    return new Promise<unknown>((resolve, reject) => this.#waiting.set(id, { resolve, reject })) as Promise<T>;
  }

  #send(): void {
    const calls = this.#batch;
    this.#batch = [];
    if (!this.#lost) this.#port.postMessage({ calls } satisfies StoreCalls);
  }

  #settle({ replies }: StoreReplies): void {
    for (const reply of replies) {
      const waiting = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      if ('code' in reply) waiting?.reject(new StoreError(reply.code, reply.message));
      else waiting?.resolve(reply.value);
    }
    if (this.#waiting.size === 0) this.#whenIdle?.();
  }

  #portClosed(): void {
    this.#lost = true;
    for (const waiting of this.#waiting.values())
      waiting.reject(new StoreError('unavailable', 'the store thread has ended'));
    this.#waiting.clear();
    this.#whenIdle?.();
  }

  claim(request: ClaimRequest, now: number): Promise<Claim> {
    return this.#call('claim', request, now);
  }

  release(key: SessionKey, change: SessionChange, now: number): Promise<void> {
    return this.#call('release', key, change, now);
  }

  subscribe(key: SessionKey, subscriptions: StoredSubscription[]): Promise<DurableFilter[]> {
    return this.#call('subscribe', key, subscriptions);
  }

  unsubscribe(key: SessionKey, filters: string[]): Promise<void> {
    return this.#call('unsubscribe', key, filters);
  }

  endCursors(key: SessionKey, filters: string[]): Promise<void> {
    return this.#call('endCursors', key, filters);
  }

  update(key: SessionKey, change: SessionChange): Promise<void> {
    return this.#call('update', key, change);
  }

  deleteSession(clientId: string): Promise<void> {
    return this.#call('deleteSession', clientId);
  }

  expireSessions(now: number, limit: number): Promise<string[]> {
    return this.#call('expireSessions', now, limit);
  }

  releaseOwner(owner: EndpointId, now: number): Promise<void> {
    return this.#call('releaseOwner', owner, now);
  }

  owners(): Promise<EndpointId[]> {
    return this.#call('owners');
  }

  dueTimes(until: number): Promise<DueTimes> {
    return this.#call('dueTimes', until);
  }

  countSessions(): Promise<number> {
    return this.#call('countSessions');
  }

  durableFilters(): Promise<DurableFilter[]> {
    return this.#call('durableFilters');
  }

  logEnds(filters: readonly string[]): Promise<number[]> {
    return this.#call('logEnds', filters);
  }

  append(requests: AppendRequest[], now: number, origin?: AppendOrigin): Promise<AppendResult[]> {
    return this.#call('append', requests, now, origin);
  }

  readLog(filter: string, fromSequence: number, messagesMax: number, bytesMax: number, now: number): Promise<LogPage> {
    return this.#call('readLog', filter, fromSequence, messagesMax, bytesMax, now);
  }

  trimLogs(limits: LogLimits, now: number): Promise<number> {
    return this.#call('trimLogs', limits, now);
  }

  durableGroups(): Promise<DurableGroup[]> {
    return this.#call('durableGroups');
  }

  claimGroup(group: string): Promise<GroupClaim> {
    return this.#call('claimGroup', group);
  }

  updateGroup(key: GroupKey, change: GroupChange): Promise<void> {
    return this.#call('updateGroup', key, change);
  }

  reserveMessages(key: GroupKey, reservations: GroupReservation[]): Promise<boolean[]> {
    return this.#call('reserveMessages', key, reservations);
  }

  groupReservations(group: string): Promise<GroupReservation[]> {
    return this.#call('groupReservations', group);
  }

  setRetained(topic: string, record: Uint8Array | null, expiresAt: number): Promise<void> {
    return this.#call('setRetained', topic, record, expiresAt);
  }

  readRetained(filter: string, after: string | null, limit: number, now: number): Promise<RetainedPage> {
    return this.#call('readRetained', filter, after, limit, now);
  }

  countRetained(): Promise<number> {
    return this.#call('countRetained');
  }

  setWill(
    key: SessionKey,
    owner: EndpointId,
    will: { record: Uint8Array; delaySeconds: number } | null,
  ): Promise<void> {
    return this.#call('setWill', key, owner, will);
  }

  scheduleWill(key: SessionKey, dueAt: number): Promise<void> {
    return this.#call('scheduleWill', key, dueAt);
  }

  takeDueWills(now: number, limit: number): Promise<StoredWill[]> {
    return this.#call('takeDueWills', now, limit);
  }

  removeWill(clientId: string, epoch: number): Promise<void> {
    return this.#call('removeWill', clientId, epoch);
  }

  addDelayed(record: Uint8Array, dueAt: number): Promise<void> {
    return this.#call('addDelayed', record, dueAt);
  }

  takeDueDelayed(now: number, limit: number): Promise<{ id: string; record: Uint8Array }[]> {
    return this.#call('takeDueDelayed', now, limit);
  }

  removeDelayed(id: string): Promise<void> {
    return this.#call('removeDelayed', id);
  }
}
