/**
 * Kind of a message that came: the first of its kind and in order, the first but after a later one, one more of the
 * same, none of ours.
 */
export type Arrival = 'inOrder' | 'outOfOrder' | 'doubled' | 'stray';

/** The numbers that came of one stream at one audience: all below `next`, and those `ahead`. */
class Seen {
  next = 0;
  highest = -1;
  readonly ahead = new Set<number>();

  add(sequence: number): Exclude<Arrival, 'stray'> {
    if (sequence < this.next || this.ahead.has(sequence)) return 'doubled';
    const isLate = sequence < this.highest;
    if (!isLate) this.highest = sequence;
    if (sequence === this.next) {
      this.next++;
      while (this.ahead.delete(this.next)) this.next++;
    } else {
      this.ahead.add(sequence);
    }
    return isLate ? 'outOfOrder' : 'inOrder';
  }
}

/**
 * Tally of who should have got what. An audience is who gets a message once: a subscriber, or all members of a shared
 * subscription together. A stream is the row of messages of one publisher on one topic, numbered 0, 1, 2 …
 */
export class Tally {
  /** Number of messages that all audiences together have not got. */
  outstanding = 0;
  readonly #audiences: number;
  readonly #hears: (audience: number, stream: number) => boolean;
  /** Next number of each stream, and how many audiences hear it. */
  readonly #sent: number[] = [];
  readonly #listeners: number[] = [];
  /** Messages seen, by audience, by stream. */
  readonly #seen: Seen[][] = [];
  readonly #received: number[] = [];

  constructor(audiences: number, hears: (audience: number, stream: number) => boolean) {
    this.#audiences = audiences;
    this.#hears = hears;
    for (let audience = 0; audience < audiences; audience++) {
      this.#seen.push([]);
      this.#received.push(0);
    }
  }

  /** The number that the next message of a stream gets. */
  nextSequence(stream: number): number {
    return this.#sent[stream] ?? 0;
  }

  /** The message with `nextSequence` has been sent. */
  sent(stream: number): void {
    this.#sent[stream] = this.nextSequence(stream) + 1;
    this.#listeners[stream] ??= this.#countListeners(stream);
    this.outstanding += this.#listeners[stream];
  }

  /** A message has come. */
  received(audience: number, stream: number, sequence: number): Arrival {
    if (sequence >= this.nextSequence(stream) || !this.#hears(audience, stream)) return 'stray';
    const streams = this.#seen[audience];
    streams[stream] ??= new Seen();
    const arrival = streams[stream].add(sequence);
    if (arrival === 'doubled') return arrival;
    this.outstanding--;
    this.#received[audience]++;
    return arrival;
  }

  /** Number of messages that one audience has got, each counted once. */
  receivedOf(audience: number): number {
    return this.#received[audience];
  }

  #countListeners(stream: number): number {
    let count = 0;
    for (let audience = 0; audience < this.#audiences; audience++) {
      if (this.#hears(audience, stream)) count++;
    }
    return count;
  }
}
