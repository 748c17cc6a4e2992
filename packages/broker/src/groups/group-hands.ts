/**
 * Which messages of a shared group are in whose hands, as its leader knows it: numbers alone, their content is in the log.
 */
import type { EndpointId } from '../ports/store.ts';

interface Hand {
  /** It has told what it holds. */
  isAnswered: boolean;
  /** Messages of this epoch that it was given, and up to where it takes more. */
  given: number;
  limit: number;
  /** Bytes of those that it was given and has not finished. */
  bytes: number;
}

interface Out {
  endpoint: EndpointId;
  isQos2: boolean;
  bytes: number;
}

export class GroupHands {
  private readonly hands = new Map<EndpointId, Hand>();
  private readonly out = new Map<number, Out>();
  /** Bytes under way to one endpoint: what its members do not take at once waits there in memory. */
  private readonly bytesMax: number;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** All are to tell what they hold; others are not known any more. */
  askAll(endpoints: readonly EndpointId[]): void {
    const known = new Set([...endpoints, ...this.hands.keys()]);
    this.hands.clear();
    for (const endpoint of known) this.ask(endpoint);
  }

  ask(endpoint: EndpointId): void {
    this.hands.set(endpoint, { isAnswered: false, given: 0, limit: 0, bytes: 0 });
  }

  answered(endpoint: EndpointId): void {
    const hand = this.hands.get(endpoint);
    if (hand !== undefined) hand.isAnswered = true;
    else this.hands.set(endpoint, { isAnswered: true, given: 0, limit: 0, bytes: 0 });
  }

  setLimit(endpoint: EndpointId, limit: number): void {
    const hand = this.hands.get(endpoint);
    if (hand !== undefined) hand.limit = limit;
  }

  /** Asked, or has answered. */
  isKnown(endpoint: EndpointId): boolean {
    return this.hands.has(endpoint);
  }

  isAnswered(endpoint: EndpointId): boolean {
    return this.hands.get(endpoint)?.isAnswered === true;
  }

  get isWaiting(): boolean {
    for (const { isAnswered } of this.hands.values()) if (!isAnswered) return true;
    return false;
  }

  endpoints(): EndpointId[] {
    return [...this.hands.keys()];
  }

  hasRoom = (endpoint: EndpointId): boolean => {
    const hand = this.hands.get(endpoint);
    return hand?.isAnswered === true && hand.given < hand.limit && hand.bytes < this.bytesMax;
  };

  has(sequence: number): boolean {
    return this.out.has(sequence);
  }

  give(endpoint: EndpointId, sequence: number, isQos2: boolean, bytes: number): void {
    this.out.set(sequence, { endpoint, isQos2, bytes });
    const hand = this.hands.get(endpoint);
    if (hand === undefined || bytes === 0) return;
    hand.given++;
    hand.bytes += bytes;
  }

  /** Whoever has it, it is done with. */
  settle(sequence: number): void {
    const out = this.out.get(sequence);
    if (out === undefined) return;
    this.out.delete(sequence);
    const hand = this.hands.get(out.endpoint);
    if (hand !== undefined) hand.bytes = Math.max(0, hand.bytes - out.bytes);
  }

  /** The endpoint does not have it any more. False: it never had, as far as is known here. */
  takeBack(endpoint: EndpointId, sequence: number): boolean {
    if (this.out.get(sequence)?.endpoint !== endpoint) return false;
    this.settle(sequence);
    return true;
  }

  numbersAt(endpoint: EndpointId): number[] {
    const found: number[] = [];
    for (const [sequence, out] of this.out) if (out.endpoint === endpoint) found.push(sequence);
    return found;
  }

  /** The endpoint is gone: what it had. QoS 2 is doubtful: it may be a client's already. */
  left(endpoint: EndpointId): { certain: number[]; doubtful: number[] } {
    const certain: number[] = [];
    const doubtful: number[] = [];
    for (const sequence of this.numbersAt(endpoint)) {
      (this.out.get(sequence)?.isQos2 === true ? doubtful : certain).push(sequence);
      this.out.delete(sequence);
    }
    this.hands.delete(endpoint);
    return { certain, doubtful };
  }
}
