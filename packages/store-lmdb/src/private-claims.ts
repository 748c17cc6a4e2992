import type { Claim, ClaimRequest, EndpointId } from '@dunlin/broker';
import type { ClaimBook, ClaimRecord } from './claims.ts';

/**
 * Claims of a store that no other thread shares: in the memory of this thread.
 *
 * A claim without a stored session is meaningless after its process is gone, so nothing is lost, and no transaction is
 * needed: a claim is decided at the call. Small LMDB transactions are expensive, and most turns bring one to three
 * connects (measured with 5,000 connects, 50 at a time: 35 to 60 µs of CPU a connect less). Marks and epochs are those
 * of claims.ts.
 */
export class PrivateClaims implements ClaimBook {
  private readonly records = new Map<string, ClaimRecord>();
  private epoch = 0;

  begin(): void {}

  finish(): void {}

  find(clientId: string): ClaimRecord | null {
    return this.records.get(clientId) ?? null;
  }

  take(request: ClaimRequest, found: ClaimRecord | null, epochBefore: number): Claim {
    const epoch = this.nextEpoch(epochBefore, found);
    this.raiseEpoch(epoch);
    this.records.set(request.clientId, { epoch, owner: request.owner, user: request.user ?? '' });
    return { epoch, previousOwner: found?.owner ?? '', session: null, will: null };
  }

  nextEpoch(epochBefore: number, found: ClaimRecord | null): number {
    if (epochBefore > 0) return epochBefore + 1;
    return Math.max(found?.epoch ?? 0, this.epoch) + 1;
  }

  mark(clientId: string, _found: ClaimRecord | null, epoch: number): void {
    this.records.set(clientId, { epoch, owner: '', user: '' });
  }

  forget(clientId: string, _found: ClaimRecord | null, epoch: number): void {
    this.records.delete(clientId);
    this.raiseEpoch(epoch);
  }

  releaseOwner(owner: EndpointId, limit: number): number {
    let released = 0;
    for (const [clientId, record] of this.records) {
      if (released === limit) break;
      if (record.owner !== owner) continue;
      this.records.delete(clientId);
      released++;
    }
    return released;
  }

  owners(into: Set<EndpointId>): void {
    for (const { owner } of this.records.values()) if (owner !== '') into.add(owner);
  }

  private raiseEpoch(epoch: number): void {
    if (epoch > this.epoch) this.epoch = epoch;
  }
}
