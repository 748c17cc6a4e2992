/** Sequences of the signed messages of one endpoint, as another has heard them. */

/** Result of a sequence that was not taken: `stale` comes from a connection that has ended, `replayed` was heard before. */
export type Sequence = 'new' | 'stale' | 'replayed';

/**
 * NATS keeps the order of one subject, and of one subject alone; so on each subject sequences only grow. After another
 * connection of the sender, messages of the one before may come late: they are dropped too.
 */
export class Sequences {
  readonly #last: number[];
  #connection: number;

  /** `first`: sequence of the message that proved the sender: nothing before it is heard. */
  constructor(channels: number, first: number, connection: number) {
    this.#last = new Array<number>(channels).fill(first);
    this.#connection = connection;
  }

  take(channel: number, sequence: number, connection: number): Sequence {
    if (sequence <= this.#last[channel]) return connection < this.#connection ? 'stale' : 'replayed';
    this.#last[channel] = sequence;
    if (connection > this.#connection) this.#connection = connection;
    return 'new';
  }
}
