import type { EndpointId } from '../ports/endpoint-id.ts';
import type { SessionKey } from '../ports/session-key.ts';
import type { StoredWill, WillStore, WillToStore } from '../ports/will-store.ts';
import type { MemoryClaims } from './memory-claims.ts';
import { nextDue, takeDue, type Waiting } from './waiting.ts';

/** Wills of the memory store. */
export class MemoryWills implements WillStore {
  private readonly claims: MemoryClaims;
  private readonly wills = new Map<string, Waiting<StoredWill>>();

  constructor(claims: MemoryClaims) {
    this.claims = claims;
  }

  async set(key: SessionKey, owner: EndpointId, will: WillToStore | null): Promise<void> {
    this.claims.fence(key);
    this.wills.delete(key.clientId);
    if (will === null) return;
    const { clientId, epoch } = key;
    this.wills.set(clientId, { value: { clientId, owner, epoch, ...will, dueAt: Infinity }, nextAt: Infinity });
  }

  async schedule(key: SessionKey, dueAt: number): Promise<void> {
    this.claims.fence(key);
    const waiting = this.wills.get(key.clientId);
    if (waiting?.value.epoch === key.epoch) waiting.nextAt = waiting.value.dueAt = dueAt;
  }

  async nextDue(until: number): Promise<number> {
    this.claims.check();
    return nextDue(this.wills, until);
  }

  async takeDue(now: number, limit: number): Promise<StoredWill[]> {
    this.claims.check();
    return takeDue(this.wills, now, limit).map(([, will]) => ({ ...will }));
  }

  async remove(clientId: string, epoch: number): Promise<void> {
    this.claims.check();
    if (this.wills.get(clientId)?.value.epoch === epoch) this.wills.delete(clientId);
  }

  /**
   * Removes a scheduled will; returns it if its session has ended. The will of a connection that lasts is kept, unless
   * the session is cleaned away.
   */
  claimed(clientId: string, goesOn: boolean, cleaned: boolean): StoredWill | null {
    const will = this.wills.get(clientId)?.value;
    if (will === undefined) return null;
    const scheduled = will.dueAt !== Infinity;
    if (scheduled || cleaned) this.wills.delete(clientId);
    return scheduled && goesOn ? null : { ...will };
  }

  /** A will that waits for its delay is due when its session is over [MQTT-3.1.2-8]. */
  sessionExpired(clientId: string, now: number): void {
    const waiting = this.wills.get(clientId);
    if (waiting !== undefined && waiting.value.dueAt !== Infinity && waiting.value.dueAt > now) {
      waiting.nextAt = waiting.value.dueAt = now;
    }
  }

  /** Wills of the owner's connections become due. */
  releaseOwner(owner: EndpointId, now: number): void {
    for (const [clientId, waiting] of this.wills) {
      const will = waiting.value;
      if (will.owner !== owner || will.dueAt !== Infinity) continue;
      // No later than the end of the session [MQTT-3.1.3-9].
      const delayMaxSeconds = this.claims.byClient.get(clientId)?.session?.sessionExpirySeconds ?? 0;
      waiting.nextAt = will.dueAt = now + Math.min(will.delaySeconds, delayMaxSeconds) * 1000;
    }
  }

  addOwners(owners: Set<EndpointId>): void {
    for (const { value } of this.wills.values()) if (value.dueAt === Infinity) owners.add(value.owner);
  }
}
