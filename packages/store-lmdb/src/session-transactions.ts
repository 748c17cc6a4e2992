import { setImmediate as nextTurn } from 'node:timers/promises';
import type {
  Claim,
  ClaimRequest,
  DurableFilter,
  EndpointId,
  SessionChange,
  SessionKey,
  SessionStore,
  StoredSession,
  StoredSubscription,
} from '@dunlin/broker';
import { ownersOf } from './claims.ts';
import { closed } from './closed.ts';
import { SessionReading } from './session-reading.ts';
import { ENDED_AT } from './sessions.ts';
import type { StoreHandle } from './store-handle.ts';

/** Transactions of claims and sessions; a large session takes several, with turns of the event loop between them. */
export class SessionTransactions implements SessionStore {
  private readonly handle: StoreHandle;

  constructor(handle: StoreHandle) {
    this.handle = handle;
  }

  claim(request: ClaimRequest, now: number): Promise<Claim> {
    const store = this.handle.opened;
    if (store === null) return Promise.reject(closed());
    const claim = store.beginClaim(request, now);
    return claim.then((answer) => store.large.finish(answer));
  }

  release(key: SessionKey, change: SessionChange, now: number): Promise<void> {
    const store = this.handle.opened;
    if (store === null) return Promise.reject(closed());
    const released = store.shortWay<number | undefined>(
      key.clientId,
      () => store.releaseEphemeral(key),
      () => store.release(key, change, now),
    );
    return released.then((ended) => (ended === undefined ? undefined : store.large.end(key.clientId, ended, now)));
  }

  async subscribe(key: SessionKey, subscriptions: StoredSubscription[]): Promise<DurableFilter[]> {
    const store = this.handle.use();
    return store.write(key.clientId, () => store.sessions.subscribe(store.sessions.require(key), subscriptions));
  }

  async unsubscribe(key: SessionKey, filters: string[]): Promise<void> {
    const store = this.handle.use();
    return store.write(key.clientId, () => store.sessions.unsubscribe(store.sessions.require(key), filters));
  }

  async endCursors(key: SessionKey, filters: string[]): Promise<void> {
    const store = this.handle.use();
    return store.write(key.clientId, () => store.sessions.endCursors(store.sessions.require(key), filters));
  }

  async update(key: SessionKey, change: SessionChange): Promise<void> {
    const store = this.handle.use();
    return store.write(key.clientId, () => store.sessions.update(store.sessions.require(key), change));
  }

  async delete(clientId: string): Promise<void> {
    const store = this.handle.use();
    const ended = await store.write(clientId, () => {
      const session = store.sessions.find(clientId);
      return session === null || store.ends.endSession(session, 0) ? undefined : session.number;
    });
    if (ended !== undefined) await store.large.end(clientId, ended, 0);
  }

  async expire(now: number, limit: number): Promise<string[]> {
    const store = this.handle.use();
    const ended: string[] = [];
    for (let isLeft = true; isLeft && ended.length < limit; ) {
      const step = await store.writeAll(() => store.ends.expireStep(now, limit - ended.length));
      ended.push(...step.ended);
      isLeft = step.isLeft;
      if (isLeft) await nextTurn();
    }
    return ended;
  }

  async nextDue(until: number): Promise<number> {
    const store = this.handle.use();
    return store.read(() => store.sessions.nextDue(until));
  }

  async releaseOwner(owner: EndpointId, now: number): Promise<void> {
    const store = this.handle.use();
    while (await store.writeAll(() => store.ends.releaseOwnerStep(owner, now)));
  }

  async owners(): Promise<EndpointId[]> {
    const store = this.handle.use();
    return store.writeAll(() => {
      const owners = new Set<EndpointId>();
      ownersOf(store.tables.owner, owners);
      store.claims.owners(owners);
      return [...owners];
    });
  }

  async find(clientId: string): Promise<StoredSession | null> {
    const store = this.handle.use();
    const found = await store.read(() => store.sessions.find(clientId));
    if (found === null || found.expiresAt === ENDED_AT) return null;
    const reading = new SessionReading(found);
    for (;;) {
      await store.read(() => store.sessions.readSome(found, reading));
      if (reading.isWhole) return reading.stored;
      await nextTurn();
    }
  }

  async count(): Promise<number> {
    const store = this.handle.use();
    return store.read(() => store.sessions.count());
  }
}
