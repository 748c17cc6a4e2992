import { isShared } from '@dunlin/protocol/topic';
import type { EndpointId } from '../ports/endpoint-id.ts';
import type { DurableFilter } from '../ports/log-store.ts';
import type { SessionKey } from '../ports/session-key.ts';
import {
  type Claim,
  type ClaimRequest,
  refuseOtherUser,
  type SessionChange,
  type SessionStore,
  type StoredSession,
  type StoredSubscription,
} from '../ports/session-store.ts';
import type { MemoryClaim, MemoryClaims } from './memory-claims.ts';
import type { MemoryGroups } from './memory-groups.ts';
import type { MemoryLogs } from './memory-logs.ts';
import { copyOf, MemorySession } from './memory-session.ts';
import { MemoryUsage } from './memory-usage.ts';
import type { MemoryWills } from './memory-wills.ts';

const NEVER_SECONDS = 0xffffffff;

/** Claims and durable sessions of the memory store. */
export class MemorySessions implements SessionStore {
  private readonly claims: MemoryClaims;
  private readonly logs: MemoryLogs;
  private readonly groups: MemoryGroups;
  private readonly wills: MemoryWills;
  private readonly usage = new MemoryUsage('sessions');

  constructor(claims: MemoryClaims, logs: MemoryLogs, groups: MemoryGroups, wills: MemoryWills) {
    this.claims = claims;
    this.logs = logs;
    this.groups = groups;
    this.wills = wills;
  }

  async claim(request: ClaimRequest, now: number): Promise<Claim> {
    this.claims.check();
    const { clientId, owner, cleanStart, sessionExpirySeconds } = request;
    const found = this.claims.byClient.get(clientId);
    const stored = found?.session ?? null;
    const isPast = stored !== null && stored.expiresAt > 0 && stored.expiresAt <= now;
    if (!isPast) refuseOtherUser(found?.user ?? '', request);
    const ended = isPast || (stored !== null && cleanStart);
    const user = request.user ?? '';
    const before = stored === null ? undefined : { user: stored.user, bytes: 0 };
    const isStored = (stored !== null && !ended) || sessionExpirySeconds > 0;
    this.usage.replace(
      before,
      isStored ? { user, bytes: 0 } : undefined,
      request.quota && { user, quota: request.quota },
    );
    if (stored !== null && ended) stored.isCounted = false;
    const will = this.wills.claimed(clientId, stored !== null && !ended, stored !== null && cleanStart);
    if (stored !== null && ended) this.end(stored);
    const kept = ended ? null : stored;
    const epoch = this.claims.nextEpoch(found);
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
      session.user = user;
    }
    this.claims.byClient.set(clientId, { epoch, owner, user, session });
    return claim;
  }

  async release(key: SessionKey, change: SessionChange, now: number): Promise<void> {
    this.claims.check();
    const claim = this.claims.byClient.get(key.clientId);
    if (claim === undefined || claim.epoch !== key.epoch || claim.owner === '') return;
    if (claim.session !== null) this.change(claim.session, change);
    this.disconnect(key.clientId, claim, now);
  }

  async subscribe(key: SessionKey, subscriptions: StoredSubscription[]): Promise<DurableFilter[]> {
    const session = this.claims.require(key);
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
    const session = this.claims.require(key);
    for (const filter of filters) {
      session.subscriptions.delete(filter);
      this.removeCursor(session, filter);
    }
  }

  async endCursors(key: SessionKey, filters: string[]): Promise<void> {
    const session = this.claims.require(key);
    for (const filter of filters) if (session.subscriptions.get(filter)?.qos === 0) this.removeCursor(session, filter);
  }

  async update(key: SessionKey, change: SessionChange): Promise<void> {
    this.change(this.claims.require(key), change);
  }

  async delete(clientId: string): Promise<void> {
    this.claims.check();
    const session = this.claims.byClient.get(clientId)?.session;
    if (session) this.expireOne(session, 0);
  }

  async expire(now: number, limit: number): Promise<string[]> {
    this.claims.check();
    const due = this.ended(now).sort((a, b) => a.expiresAt - b.expiresAt);
    const ended = due.slice(0, limit);
    for (const session of ended) this.expireOne(session, now);
    return ended.map((session) => session.clientId);
  }

  async nextDue(until: number): Promise<number> {
    this.claims.check();
    return Math.min(...this.ended(until).map(({ expiresAt }) => expiresAt));
  }

  async releaseOwner(owner: EndpointId, now: number): Promise<void> {
    this.claims.check();
    for (const [clientId, claim] of this.claims.byClient)
      if (claim.owner === owner) this.disconnect(clientId, claim, now);
    this.wills.releaseOwner(owner, now);
  }

  async owners(): Promise<EndpointId[]> {
    this.claims.check();
    const owners = new Set<EndpointId>();
    for (const { owner } of this.claims.byClient.values()) if (owner !== '') owners.add(owner);
    this.wills.addOwners(owners);
    return [...owners];
  }

  async find(clientId: string): Promise<StoredSession | null> {
    this.claims.check();
    return this.claims.byClient.get(clientId)?.session?.stored() ?? null;
  }

  async count(): Promise<number> {
    this.claims.check();
    let count = 0;
    for (const { session } of this.claims.byClient.values()) if (session !== null) count++;
    return count;
  }

  private ended(now: number): MemorySession[] {
    const ended: MemorySession[] = [];
    // Without a list of all: this is looked for each second, and most claims have no session.
    for (const { session } of this.claims.byClient.values())
      if (session !== null && session.expiresAt > 0 && session.expiresAt <= now) ended.push(session);
    return ended;
  }

  private disconnect(clientId: string, claim: MemoryClaim, now: number): void {
    claim.owner = '';
    const { session } = claim;
    if (session === null) this.claims.byClient.delete(clientId);
    else if (session.sessionExpirySeconds === 0) this.end(session);
    else {
      session.expiresAt =
        session.sessionExpirySeconds === NEVER_SECONDS ? Infinity : now + session.sessionExpirySeconds * 1000;
    }
  }

  private expireOne(session: MemorySession, now: number): void {
    this.end(session);
    this.wills.sessionExpired(session.clientId, now);
  }

  private end(session: MemorySession): void {
    for (const filter of session.subscriptions.keys()) this.removeCursor(session, filter);
    if (session.isCounted) this.usage.replace({ user: session.user, bytes: 0 }, undefined);
    this.logs.forgetProducer(session.clientId);
    this.claims.byClient.delete(session.clientId);
  }

  /** Removes the session as a reader of the log, by itself or as a member of a group. */
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
