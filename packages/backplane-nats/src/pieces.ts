/**
 * Messages that are larger than the server takes at once go in pieces, one after the other with nothing else from the
 * sender between them. So a receiver joins at most one message per sender, and anything out of turn means that pieces
 * are missing.
 */
import { halfJoinedBytesMax, wholeBytesMax } from './bounds.ts';
import type { Envelope } from './envelope.ts';

/** Memory for incomplete messages of all senders. */
export class PieceBudget {
  #left: number;

  constructor(bytesMax: number = halfJoinedBytesMax) {
    this.#left = bytesMax;
  }

  get left(): number {
    return this.#left;
  }

  take(bytes: number): boolean {
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }

  give(bytes: number): void {
    this.#left += bytes;
  }
}

/** Joins the pieces of one sender. */
export class PieceJoiner {
  readonly #budget: PieceBudget;
  #number = -1;
  #count = 0;
  #pieces: Buffer[] = [];
  #bytes = 0;

  constructor(budget: PieceBudget) {
    this.#budget = budget;
  }

  /** True while pieces are kept. */
  get isOpen(): boolean {
    return this.#pieces.length > 0;
  }

  /**
   * Adds a piece. Returns the whole message with its last piece, 'more' until then, 'dropped' when a piece is missing
   * or there is no room.
   */
  add(envelope: Envelope): Buffer | 'more' | 'dropped' {
    const { number, index, count, bytes } = envelope;
    if (index === 0) {
      this.drop();
      this.#number = number;
      this.#count = count;
    }
    const inTurn = number === this.#number && count === this.#count && index === this.#pieces.length;
    if (!inTurn || this.#bytes + bytes.length > wholeBytesMax || !this.#budget.take(bytes.length)) {
      this.drop();
      return 'dropped';
    }
    this.#pieces.push(bytes);
    this.#bytes += bytes.length;
    if (this.#pieces.length < count) return 'more';
    const whole = Buffer.concat(this.#pieces, this.#bytes);
    this.drop();
    return whole;
  }

  /** Drops the incomplete message. */
  drop(): void {
    this.#budget.give(this.#bytes);
    this.#number = -1;
    this.#count = 0;
    this.#pieces = [];
    this.#bytes = 0;
  }
}
