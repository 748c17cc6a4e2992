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
import { matchedFilter } from '@dunlin/protocol';
import { endsSessions } from './order.ts';
import type { StoreHandle } from './store-handle.ts';

/** Calls on sessions in their order: what each of them touches, and so waits for. */
export class OrderedSessions implements SessionStore {
  private readonly handle: StoreHandle;

  constructor(handle: StoreHandle) {
    this.handle = handle;
  }

  async claim(request: ClaimRequest, now: number): Promise<Claim> {
    const { order, sessions } = this.handle.use();
    return order.multiple([`s${request.clientId}`, endsSessions], (sent) => sessions.claim(request, now, sent));
  }

  async release(key: SessionKey, change: SessionChange, now: number): Promise<void> {
    const { order, sessions } = this.handle.use();
    const touches = [`s${key.clientId}`, endsSessions];
    return order.multiple(touches, (sent) => sessions.release(key, change, now, sent));
  }

  async subscribe(key: SessionKey, subscriptions: StoredSubscription[]): Promise<DurableFilter[]> {
    const { order, sessions } = this.handle.use();
    const touches = [`s${key.clientId}`, ...subscriptions.map(({ filter }) => `l${matchedFilter(filter)}`)];
    return order.multiple(touches, (sent) => sessions.subscribe(key, subscriptions, sent));
  }

  async unsubscribe(key: SessionKey, filters: string[]): Promise<void> {
    const { order, sessions } = this.handle.use();
    const touches = [`s${key.clientId}`, ...filters.map((filter) => `l${matchedFilter(filter)}`)];
    return order.multiple(touches, (sent) => sessions.removeCursors(key, filters, 'gone', sent));
  }

  async endCursors(key: SessionKey, filters: string[]): Promise<void> {
    const { order, sessions } = this.handle.use();
    const touches = [`s${key.clientId}`, ...filters.map((filter) => `l${filter}`)];
    return order.multiple(touches, (sent) => sessions.removeCursors(key, filters, 'ended', sent));
  }

  async update(key: SessionKey, change: SessionChange): Promise<void> {
    const { order, sessions } = this.handle.use();
    const tellsLogs = (change.cursors?.length ?? 0) + (change.inboundDelete?.length ?? 0) > 0;
    const touches = [`s${key.clientId}`];
    if (tellsLogs) return order.multiple(touches, (sent) => sessions.update(key, change, sent));
    return order.single(touches, () => sessions.update(key, change, () => {}));
  }

  async delete(clientId: string): Promise<void> {
    const { order, sessions } = this.handle.use();
    return order.multiple(null, (sent) => sessions.delete(clientId, sent));
  }

  async expire(now: number, limit: number): Promise<string[]> {
    const { order, sessions } = this.handle.use();
    return order.multiple(null, (sent) => sessions.expire(now, limit, sent));
  }

  async nextDue(until: number): Promise<number> {
    const { order, sessions } = this.handle.use();
    return order.single(null, () => sessions.nextEnd(until));
  }

  async releaseOwner(owner: EndpointId, now: number): Promise<void> {
    const { order, sessions } = this.handle.use();
    return order.multiple(null, (sent) => sessions.releaseOwner(owner, now, sent));
  }

  async owners(): Promise<EndpointId[]> {
    const { order, sessions } = this.handle.use();
    return order.single(null, () => sessions.owners());
  }

  async find(clientId: string): Promise<StoredSession | null> {
    const { order, sessions } = this.handle.use();
    return order.single([`s${clientId}`], () => sessions.find(clientId));
  }

  async count(): Promise<number> {
    const { order, sessions, users } = this.handle.use();
    const count = await order.single(null, () => sessions.count());
    await users.heal();
    return count;
  }
}
