import type { DelayedMessage, DelayedStore } from '../ports/delayed-store.ts';
import type { MemoryClaims } from './memory-claims.ts';
import { nextDue, takeDue, type Waiting } from './waiting.ts';

/** Delayed publishes of the memory store. */
export class MemoryDelayed implements DelayedStore {
  private readonly claims: MemoryClaims;
  private readonly messages = new Map<string, Waiting<Uint8Array>>();
  private lastNumber = 0;

  constructor(claims: MemoryClaims) {
    this.claims = claims;
  }

  async add(record: Uint8Array, dueAt: number): Promise<void> {
    this.claims.check();
    this.messages.set(String(++this.lastNumber), { value: record, nextAt: dueAt });
  }

  async nextDue(until: number): Promise<number> {
    this.claims.check();
    return nextDue(this.messages, until);
  }

  async takeDue(now: number, limit: number): Promise<DelayedMessage[]> {
    this.claims.check();
    return takeDue(this.messages, now, limit).map(([id, record]) => ({ id, record }));
  }

  async remove(id: string): Promise<void> {
    this.claims.check();
    this.messages.delete(id);
  }
}
