/**
 * QoS 2 numbers of a shared group of which its leader does not know whose they are (group-reservations.ts): the store knows, and the clients' endpoints do.
 *
 * | the store says | then |
 * | --- | --- |
 * | not reserved | it waits in the log again |
 * | reserved, final | it is done with |
 * | reserved for a client | its endpoint is looked for: if the client is connected and the message is not on its way to it, it was never sent |
 *
 * The store is asked once more after the client was found: it may have been made good a moment before. Before anything waits in the log again the leader writes
 * to the store: one that was replaced is told so there, and reservations with its epoch are refused however often it hands out.
 */
import type { Store } from '../ports/store.ts';

export interface GroupDoubtsParts {
  group: string;
  store: Store;
  free: (sequence: number) => void;
  done: (sequence: number) => void;
  /** By the word of the leader, also where there are none. Rejects with StoreError. */
  deleteReservations: (sequences: number[]) => Promise<void>;
  locate: (clients: string[]) => void;
  failed: (error: unknown) => void;
}

/** `unsent`: by the word of the endpoint that took it. `located`: its client is connected, and it is not on its way there. */
type Doubt = 'open' | 'unsent' | 'located';

export class GroupDoubts {
  private readonly parts: GroupDoubtsParts;
  private readonly doubts = new Map<number, Doubt>();
  /** The client of each reservation, as the store said last. */
  private readonly clients = new Map<number, string>();
  private isResolving = false;

  constructor(parts: GroupDoubtsParts) {
    this.parts = parts;
  }

  get size(): number {
    return this.doubts.size;
  }

  has(sequence: number): boolean {
    return this.doubts.has(sequence);
  }

  numbers(): number[] {
    return [...this.doubts.keys()];
  }

  add(sequence: number): void {
    if (!this.doubts.has(sequence)) this.doubts.set(sequence, 'open');
  }

  addUnsent(sequence: number): void {
    this.doubts.set(sequence, 'unsent');
  }

  /** Something else has told. */
  resolved(sequence: number): void {
    this.doubts.delete(sequence);
    this.clients.delete(sequence);
  }

  /** A client is connected, and `busy` are on their way to it. */
  located(clientId: string, busy: readonly number[]): void {
    let isNew = false;
    for (const [sequence, client] of this.clients) {
      if (client !== clientId || busy.includes(sequence) || this.doubts.get(sequence) !== 'open') continue;
      this.doubts.set(sequence, 'located');
      isNew = true;
    }
    if (isNew) this.resolve();
  }

  /** Asks the store about all of them, unless that is under way. */
  resolve(): void {
    if (this.isResolving || this.doubts.size === 0) return;
    this.isResolving = true;
    this.ask(new Map(this.doubts)).then(
      () => {
        this.isResolving = false;
      },
      (error: unknown) => {
        this.isResolving = false;
        this.parts.failed(error);
      },
    );
  }

  /** `asked`: as they were before the store is. */
  private async ask(asked: ReadonlyMap<number, Doubt>): Promise<void> {
    const { parts, doubts, clients } = this;
    const reservations = new Map(
      (await parts.store.groupReservations(parts.group)).map((reservation) => [reservation.sequence, reservation]),
    );
    const deleted: number[] = [];
    const unreserved: number[] = [];
    const toLocate = new Set<string>();
    for (const [sequence, doubt] of asked) {
      if (!doubts.has(sequence)) continue;
      const reservation = reservations.get(sequence);
      if (reservation === undefined) {
        unreserved.push(sequence);
      } else if (doubt !== 'open' && !(reservation.isFinal && doubt === 'located')) {
        deleted.push(sequence);
      } else if (reservation.isFinal) {
        parts.done(sequence);
      } else {
        clients.set(sequence, reservation.clientId);
        toLocate.add(reservation.clientId);
      }
    }
    if (toLocate.size > 0) parts.locate([...toLocate]);
    if (deleted.length + unreserved.length === 0) return;
    await parts.deleteReservations(deleted);
    for (const sequence of [...deleted, ...unreserved]) {
      if (!doubts.has(sequence)) continue;
      this.resolved(sequence);
      parts.free(sequence);
    }
  }
}
