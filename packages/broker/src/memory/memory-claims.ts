import type { EndpointId } from '../ports/endpoint-id.ts';
import type { SessionKey } from '../ports/session-key.ts';
import { StoreError } from '../ports/store-error.ts';
import type { MemorySession } from './memory-session.ts';

export interface MemoryClaim {
  epoch: number;
  owner: EndpointId;
  /** User that owns it; empty: nobody. */
  user: string;
  /** Null: an ephemeral session, nothing is stored. */
  session: MemorySession | null;
}

/** Claims of the memory store, which determine the owner that may write; and whether the store is open. */
export class MemoryClaims {
  isOpen = false;
  readonly byClient = new Map<string, MemoryClaim>();
  /** The highest epoch of clients that are no longer stored. */
  private epochForgotten = 0;

  nextEpoch(before: MemoryClaim | undefined): number {
    const epoch = (before?.epoch ?? this.epochForgotten) + 1;
    this.epochForgotten = Math.max(this.epochForgotten, epoch);
    return epoch;
  }

  check(): void {
    if (!this.isOpen) throw new StoreError('closed', 'the memory store is closed');
  }

  /** The session that the key may write. */
  require(key: SessionKey): MemorySession {
    this.check();
    const claim = this.byClient.get(key.clientId);
    if (!claim?.session) throw new StoreError('unknown-session', 'no session is stored for this client identifier');
    if (claim.epoch !== key.epoch)
      throw new StoreError('fenced', `epoch ${key.epoch} is not the claim's, which is ${claim.epoch}`);
    return claim.session;
  }

  /** Throws when the client was claimed again. */
  fence(key: SessionKey): void {
    this.check();
    const epoch = this.byClient.get(key.clientId)?.epoch ?? 0;
    if (epoch > key.epoch) throw new StoreError('fenced', `epoch ${key.epoch} is not the claim's, which is ${epoch}`);
  }
}
