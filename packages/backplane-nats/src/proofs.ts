/**
 * Proof that a signed message is of now and not a recording. The subject of an endpoint is new at each of its starts,
 * and so is its key: what is signed for it was signed during its life. So an endpoint becomes a member when it has
 * signed something for this one alone; whoever is heard on a subject of all is asked for that first.
 *
 *     new endpoint              this endpoint
 *          │── heartbeat, to all ──▶│ signed: somebody has the secret, now or at some time
 *          │◀── heartbeat: answer ──│ signed for the new one alone: it takes this endpoint as a member
 *          │────── heartbeat ──────▶│ signed for this one alone: a member. What it sent to all before counts no more
 */
import type { EndpointId } from '@dunlin/broker';
import { askedForProofMax } from './bounds.ts';

export class Proofs {
  readonly #intervalMilliseconds: number;
  readonly #now: () => number;
  readonly #askedAt = new Map<EndpointId, number>();

  constructor(intervalMilliseconds: number, now: () => number) {
    this.#intervalMilliseconds = intervalMilliseconds;
    this.#now = now;
  }

  /** True when an endpoint is to be asked: not for each of its messages. */
  isDue(endpoint: EndpointId): boolean {
    const now = this.#now();
    const before = this.#askedAt.get(endpoint);
    if (before !== undefined && now - before < this.#intervalMilliseconds) return false;
    if (this.#askedAt.size >= askedForProofMax) this.#askedAt.clear();
    this.#askedAt.set(endpoint, now);
    return true;
  }

  given(endpoint: EndpointId): void {
    this.#askedAt.delete(endpoint);
  }
}
