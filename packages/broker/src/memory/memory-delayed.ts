import type { DelayedMessage, DelayedStore } from '../ports/delayed-store.ts';
import type { Charge } from '../ports/quota.ts';
import type { MemoryClaims } from './memory-claims.ts';
import { MemoryUsage } from './memory-usage.ts';
import { nextDue, takeDue, type Waiting } from './waiting.ts';

type Message = Omit<DelayedMessage, 'id'>;

/** Delayed publishes of the memory store. */
export class MemoryDelayed implements DelayedStore {
  private readonly claims: MemoryClaims;
  private readonly messages = new Map<string, Waiting<Message>>();
  private readonly usage = new MemoryUsage('delayed messages');
  private lastNumber = 0;

  constructor(claims: MemoryClaims) {
    this.claims = claims;
  }

  async add(record: Uint8Array, dueAt: number, charge?: Charge): Promise<void> {
    this.claims.check();
    const user = charge?.user ?? '';
    this.usage.replace(undefined, { user, bytes: record.length }, charge);
    this.messages.set(String(++this.lastNumber), { value: { record, user }, nextAt: dueAt });
  }

  async nextDue(until: number): Promise<number> {
    this.claims.check();
    return nextDue(this.messages, until);
  }

  async takeDue(now: number, limit: number): Promise<DelayedMessage[]> {
    this.claims.check();
    return takeDue(this.messages, now, limit).map(([id, message]) => ({ id, ...message }));
  }

  async remove(id: string): Promise<void> {
    this.claims.check();
    const message = this.messages.get(id)?.value;
    if (message === undefined) return;
    this.usage.replace({ user: message.user, bytes: message.record.length }, undefined);
    this.messages.delete(id);
  }
}
